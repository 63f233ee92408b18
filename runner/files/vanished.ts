import { ProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { JobName } from "../catalogue/backup-folder.ts";
import type { FileEntry } from "./file-entry.ts";
import { listContents } from "./file-pool.ts";

/**
 * The entries whose contents a store does not have, or not of the right size: somebody removed them since they were seen.
 */
export async function vanished(
  storage: StorageProvider,
  job: JobName,
  entries: readonly FileEntry[],
  signal: AbortSignal,
): Promise<FileEntry[]> {
  if (entries.length === 0) return [];
  const expected = new Map(entries.map((entry) => [entry.object, entry]));
  for await (const { object, size } of listContents(storage, job, signal)) {
    if (expected.get(object)?.stored.size === size) expected.delete(object);
  }
  return [...expected.values()];
}

/** Why a backup leaves out a content that is {@link vanished}. */
export function removedDuringRun(): ProviderError {
  return new ProviderError("NOT_FOUND", "Its content was removed from the store during the run.", {
    fix: "Make another backup, which copies it again, and find out what removes objects from the store.",
  });
}
