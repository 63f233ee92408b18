import { lstat, mkdir, opendir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ProviderError } from "../../errors.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import type { StoredObject } from "../../transfer/object.ts";
import { fromSystem, isMissing, systemCode } from "./errors.ts";

/** Backups are for their owner alone, however loose the umask is. */
const FOLDER_MODE = 0o700;

/** The files below a folder by code units of their whole paths: a folder sorts as its name and a slash. */
export async function* walk(folder: string, signal?: AbortSignal): AsyncGenerator<string> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(folder, { bufferSize: 256 })) {
      checkSignal(signal);
      if (entry.isDirectory()) names.push(`${entry.name}/`);
      else if (entry.isFile()) names.push(entry.name);
    }
  } catch (error) {
    if (isMissing(error)) return;
    throw await fromSystem(error, "list", folder);
  }
  names.sort();
  for (const name of names) {
    checkSignal(signal);
    if (name.endsWith("/")) yield* walk(join(folder, name), signal);
    else yield join(folder, name);
  }
}

/** Size and time of a regular file; nothing where there is none. */
export async function fileFacts(path: string): Promise<Pick<StoredObject, "size" | "modified"> | undefined> {
  try {
    const facts = await lstat(path);
    return facts.isFile() ? { size: facts.size, modified: facts.mtime } : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw await fromSystem(error, "check", path);
  }
}

/** Whether there is anything of that name, a dangling symbolic link included. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Makes a folder, and those above it that do not exist. Returns the topmost one that was missing.
 *
 * Not the `recursive` of Node's mkdir, which tries for ever where a file system has no room for new names and says ENOENT, as
 * /proc does.
 *
 * @throws ProviderError `CONFIG` where it says so; else the system's own error
 */
export async function makeFolders(path: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let folder = path; !(await exists(folder)); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) await makeFolder(folder);
  return missing[0];
}

/** Makes a folder unless there is one, for its owner alone. Errors are those of {@link makeFolders}. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: FOLDER_MODE });
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || !(await exists(dirname(folder)))) throw error;
    throw new ProviderError(
      "CONFIG",
      `Cannot make the folder ${folder}: no folder can be made in ${dirname(folder)}.`,
      {
        cause: error,
        fix: "Set path to a folder of a disk or of a mounted network file system.",
      },
    );
  }
}
