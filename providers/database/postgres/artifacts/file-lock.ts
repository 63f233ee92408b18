import { spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";

/** What became of an attempt to lock a file: it is held now, somebody else holds it, or nothing can be locked here. */
export type LockAttempt = "held" | "taken" | "unavailable";

/** What flock(1) exits with where somebody else holds the lock, both util-linux's and BusyBox's. */
const TAKEN = 1;

/** Milliseconds; with `-n` flock(1) waits for nobody. */
const PATIENCE_MS = 10_000;

/**
 * Tries to lock an open file, as flock(2) does, for as long as it stays open: until it is closed, or this process ends in whatever
 * way. Node.js has no call for it, but such a lock belongs to the open file and not to the process that took it, so flock(1) can
 * take it on a descriptor that it inherits. It holds across containers, which do not know each other's process numbers.
 *
 * `unavailable` where there is no flock(1) (macOS), or the file system has no locks.
 *
 * @param file opened for writing, which NFS demands
 */
export function tryLock(file: FileHandle): Promise<LockAttempt> {
  return new Promise((resolve) => {
    const child = spawn("flock", ["-n", "-x", "3"], {
      stdio: ["ignore", "ignore", "ignore", file.fd],
      timeout: PATIENCE_MS,
    });
    child.once("error", () => {
      resolve("unavailable");
    });
    child.once("close", (code) => {
      resolve(code === 0 ? "held" : code === TAKEN ? "taken" : "unavailable");
    });
  });
}
