import { randomInt } from "node:crypto";
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureProgram } from "./ensure-program.ts";

/** A user of the machine for tests that need a crontab of their own. */
export interface CrontabUser {
  readonly name: string;
  /** The user's crontab; empty where there is none. */
  read(): string;
  write(text: string): void;
  /** Removes the user and the crontab. */
  remove(): void;
}

const lock = join(tmpdir(), "provision-test-users.lock");

/**
 * Makes a user for crontabs. Installs Debian's cron where it is missing. Undefined, with the reason printed, where that
 * cannot be done: only root may.
 */
export async function makeCrontabUser(): Promise<CrontabUser | undefined> {
  if (process.getuid?.() !== 0) {
    console.warn("Not root: crontabs are not tested, since they would be those of the user who runs the tests.");
    return undefined;
  }
  if (!(await ensureProgram("crontab", "cron"))) return undefined;
  const name = `provtest${randomInt(1e9)}`;
  change("useradd", ["--no-create-home", "--home-dir", "/nonexistent", name]);
  return {
    name,
    read: () => {
      const result = spawnSync("crontab", ["-u", name, "-l"], { encoding: "utf8" });
      return result.status === 0 ? result.stdout : "";
    },
    write: (text) => execFileSync("crontab", ["-u", name, "-"], { input: text }),
    remove: () => {
      spawnSync("crontab", ["-u", name, "-r"]);
      change("userdel", [name]);
    },
  };
}

/** Changes the machine's list of users, which one test at a time can do. */
function change(program: string, args: readonly string[]): void {
  execFileSync("flock", [lock, program, ...args], { stdio: "ignore" });
}
