import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProviderError } from "../../errors.ts";

/** A folder's name says which process it belongs to: `provision-scratch-4711-1a2b3c4d`. */
const NAME = /^provision-scratch-(\d+)-[0-9a-f]{8}$/;

/** A folder for files that exist only for as long as something works with them. */
export interface ScratchFolder {
  readonly path: string;
  /** The folder that it was made in. */
  readonly parent: string;
  /** Removes it with all that is in it. May be called more than once. */
  remove(): Promise<void>;
}

/**
 * Makes a folder that nobody else may read, and removes those that killed processes have left beside it: they hold what a
 * database holds.
 *
 * @param parent an existing folder; default: the system's for temporary files
 * @throws ProviderError `CONFIG` where none can be made there
 */
export async function makeScratchFolder(parent = tmpdir()): Promise<ScratchFolder> {
  const path = join(parent, `provision-scratch-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await removeAbandoned(parent);
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    throw noScratch(error, parent);
  }
  return { path, parent, remove: () => rm(path, { recursive: true, force: true }) };
}

/** What it means that nothing can be made in a folder. */
export function noScratch(error: unknown, parent: string): ProviderError {
  const { code = "unknown error" } = error as NodeJS.ErrnoException;
  return new ProviderError("CONFIG", `Scratch space in ${parent} cannot be had: ${code}.`, {
    cause: error,
    fix: "Name an existing folder that this user may write to.",
  });
}

/**
 * What a failure to write into a scratch folder means, where it is for want of room.
 *
 * @param needed the bytes that are to be written, as far as they are known
 */
export async function explainFull(error: unknown, parent: string, needed?: number): Promise<unknown> {
  const full =
    (error as NodeJS.ErrnoException).code === "ENOSPC" ||
    (error instanceof ProviderError && error.message.includes("No space left on device"));
  if (!full) return error;
  const { bavail, bsize } = await statfs(parent);
  const room = `${bavail * bsize} bytes free`;
  return new ProviderError(
    "QUOTA",
    `${parent} has no room for the files of the archive${needed === undefined ? "" : `, ${needed} bytes`} (${room}).`,
    { cause: error, fix: "Make room, or name a scratch folder on another disk." },
  );
}

async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process: nothing of ours to remove, or nothing that we may.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
