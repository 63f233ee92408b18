import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How long to wait for another apt-get to finish, in milliseconds; an installation takes seconds to a few minutes. */
const LOCK_MS = 300_000;

/** Whether this process may install packages of Debian or Ubuntu: as root, where there is apt-get. */
export function mayInstallPackages(): boolean {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
}

/**
 * Installs packages of Debian or Ubuntu, without those that they only recommend and without questions. While another
 * apt-get holds a lock of the package system it waits, since several tests may find something missing at the same moment.
 *
 * @throws {Error} with what apt-get wrote, when it fails for another reason or waited too long
 */
export async function installPackages(...packages: string[]): Promise<void> {
  await aptGet("update");
  await aptGet("install", "--no-install-recommends", ...packages);
}

async function aptGet(...args: string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const deadline = Date.now() + LOCK_MS;
  for (;;) {
    try {
      await run("apt-get", ["-q", "-y", ...args], { env, maxBuffer: 64 * 1024 * 1024 });
      return;
    } catch (error) {
      const locked = error instanceof Error && error.message.includes("Could not get lock");
      if (!locked || Date.now() > deadline) throw error;
    }
    await sleep(1_000);
  }
}
