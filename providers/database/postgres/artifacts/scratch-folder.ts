import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type FileHandle, lstat, mkdir, open, readdir, rm, statfs, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProviderError } from "../../../errors.ts";
import { removeHelpers } from "../throwaway/server-user.ts";

/** What a folder is called; those of earlier versions had the number of their process in it, and no lock. */
const NAME = /^provision-scratch-([0-9a-f]{16}|\d+-[0-9a-f]{8})$/;

/** The file in the folder that its process keeps locked, and beside it the folder for what the process works with. */
const LOCK = "lock";
const FILES = "files";

/** Milliseconds without a change after which a folder counts as abandoned that has no lock to tell. */
const ABANDONED_MS = 86_400_000;

/** How often a folder is made that another run removes before it is locked. */
const TRIES = 5;

/** A folder for files that exist only for as long as something works with them. */
export interface ScratchFolder {
  readonly path: string;
  /** The folder that it was made in. */
  readonly parent: string;
  /** Removes it with all that is in it. May be called more than once. */
  remove(): Promise<void>;
}

/**
 * Makes an empty folder that nobody else may read, and removes those that this user's killed processes have left beside it: they
 * hold what a database holds.
 *
 * @param parent an existing folder; default: the system's for temporary files
 * @throws ProviderError `CONFIG` where none can be made there
 */
export async function makeScratchFolder(parent = tmpdir()): Promise<ScratchFolder> {
  await removeAbandoned(parent);
  try {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const folder = join(parent, `provision-scratch-${randomBytes(8).toString("hex")}`);
      await mkdir(folder, { mode: 0o700 });
      const lock = await lockFolder(folder);
      if (lock === undefined) continue;
      const remove = async (): Promise<void> => {
        await removeFolder(folder);
        await lock.close();
      };
      return { path: join(folder, FILES), parent, remove };
    }
  } catch (error) {
    throw noScratch(error, parent);
  }
  throw new ProviderError("CONFIG", `No scratch folder can be made in ${parent}: each is removed at once.`, {
    fix: "Find out what removes new folders there, or name another folder.",
  });
}

/** Makes what is in a new folder; undefined where another run took it for abandoned before it was locked. */
async function lockFolder(folder: string): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(join(folder, LOCK), "wx+", 0o600);
    const attempt = await tryLock(file);
    if (attempt === "unavailable") await unlink(join(folder, LOCK));
    if (attempt !== "taken") {
      await mkdir(join(folder, FILES), { mode: 0o700 });
      return file;
    }
  } catch (error) {
    await file?.close();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  await file.close();
  return undefined;
}

/** What it means that nothing can be made in a folder. */
function noScratch(error: unknown, parent: string): ProviderError {
  const { code = "unknown error" } = error as NodeJS.ErrnoException;
  return new ProviderError("CONFIG", `No scratch folder can be made in ${parent}: ${code}.`, {
    cause: error,
    fix: "Name an existing folder that this user may write to.",
  });
}

/** Bytes: a program that fails with fewer left had no room. A write takes what there is before it fails. */
const FULL_BYTES = 1024 * 1024;

/**
 * Explains a failure to write into a scratch folder that has no room left; other errors pass unchanged. A program's failure
 * without a known cause, `INTERNAL`, is judged by the room that is left: pg_dump 17 says "could not close data file: Success".
 *
 * @param needed the bytes to write, as far as they are known
 */
export async function explainFull(error: unknown, parent: string, needed?: number): Promise<unknown> {
  const { code } = error as NodeJS.ErrnoException | ProviderError;
  if (code !== "ENOSPC" && code !== "QUOTA" && code !== "INTERNAL") return error;
  const { bavail, bsize } = await statfs(parent);
  if (code === "INTERNAL" && bavail * bsize > FULL_BYTES) return error;
  const wanted = needed === undefined ? "" : `, ${needed} bytes`;
  const problem = `${parent} has no room for the files of the archive${wanted} (${bavail * bsize} bytes free).`;
  return new ProviderError("QUOTA", problem, {
    cause: error,
    fix: "Make room, or name a scratch folder on another disk.",
  });
}

/**
 * Removes what this user's killed processes have left: they hold what a database holds. A folder that cannot be read or removed must not
 * keep a backup from being made.
 *
 * @param parent as of {@link makeScratchFolder}
 */
export async function removeAbandoned(parent = tmpdir()): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((each) => NAME.test(each))) {
    await removeIfAbandoned(join(parent, name)).catch(() => undefined);
  }
}

async function removeIfAbandoned(folder: string): Promise<void> {
  const { uid } = await lstat(folder);
  // Another user's folders are that user's to remove.
  if (uid !== process.getuid?.()) return;
  const lock = await open(join(folder, LOCK), "r+").catch(() => undefined);
  try {
    const attempt = lock === undefined ? "unavailable" : await tryLock(lock);
    if (attempt === "taken") return;
    if (attempt === "unavailable" && Date.now() - (await lastChange(folder)) < ABANDONED_MS) return;
    await removeFolder(folder);
  } finally {
    await lock?.close();
  }
}

/** Removes a folder, and the lock last: what a kill -9 leaves half removed, the next run removes. */
async function removeFolder(folder: string): Promise<void> {
  const files = join(folder, FILES);
  await rm(files, { recursive: true, force: true }).catch(async (error: unknown) => {
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    // That user may not list the folder above its own.
    removeHelpers(join(files, "server"));
    await rm(files, { recursive: true, force: true });
  });
  await rm(folder, { recursive: true, force: true });
}

/** When something in a folder last changed, in milliseconds since 1970. */
async function lastChange(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const changes = await Promise.all(["", ...names].map(async (name) => (await lstat(join(folder, name))).mtimeMs));
  return Math.max(...changes);
}

/** The result of an attempt to lock a file: it is held now, another process holds it, or no file can be locked here. */
type LockAttempt = "held" | "taken" | "unavailable";

/** The exit code of flock(1) where another process holds the lock, both util-linux's and BusyBox's. */
const LOCK_TAKEN = 1;

/** Milliseconds; with `-n` flock(1) does not wait. */
const LOCK_PATIENCE_MS = 10_000;

/**
 * Tries to lock an open file, as flock(2) does, for as long as it stays open: until it is closed, or this process ends in whatever
 * way. Node.js has no call for it, but such a lock belongs to the open file and not to the process that took it, so flock(1) can
 * take it on a descriptor that it inherits. It holds across containers, which do not know each other's process numbers.
 *
 * `unavailable` where there is no flock(1) (macOS), or the file system has no locks.
 *
 * @param file opened for writing, which NFS demands
 */
function tryLock(file: FileHandle): Promise<LockAttempt> {
  return new Promise((resolve) => {
    const child = spawn("flock", ["-n", "-x", "3"], {
      stdio: ["ignore", "ignore", "ignore", file.fd],
      timeout: LOCK_PATIENCE_MS,
      // One that is stopped takes no other signal.
      killSignal: "SIGKILL",
    });
    child.once("error", () => {
      resolve("unavailable");
    });
    child.once("close", (code) => {
      resolve(code === 0 ? "held" : code === LOCK_TAKEN ? "taken" : "unavailable");
    });
  });
}
