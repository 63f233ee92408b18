import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { checkSignal } from "../check-signal.ts";
import type { StoredObject } from "../storage.ts";
import { fromSystem, isMissing } from "./errors.ts";

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
    throw await fromSystem(error, "look at", path);
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
