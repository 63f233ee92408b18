import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How long to wait for another apt-get to finish, in milliseconds; an installation takes seconds to a few minutes. */
const LOCK_MS = 300_000;

/**
 * Runs apt-get without questions. While another one holds a lock of the package system it waits, since several tests may
 * find something missing at the same moment.
 *
 * @throws {Error} with what apt-get wrote, when it fails for another reason or waited too long
 */
export async function aptGet(...args: string[]): Promise<void> {
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
