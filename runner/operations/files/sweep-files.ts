import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { JobName, ListedFolder } from "../../backups/catalogue/backup-folder.ts";
import { listFolders, readManifest } from "../../backups/catalogue/catalogue.ts";
import { readFileIndex } from "./file-index.ts";
import { contentKey, listContents } from "./file-pool.ts";

/** Contents that are removed in one call: a store may take as many in one request. */
const BATCH = 1_000;

/** What {@link sweepFiles} works on. */
interface SweepOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The ids of the backups that go: what any other has, stays. */
  readonly going: readonly string[];
  /** Whether a folder without a manifest is of a run or a copy that may still be going. */
  readonly mayGoOn: (folder: ListedFolder) => boolean;
  /** A content without a backup is of a run that may still be going, unless it was written before this. */
  readonly unfinishedBefore: Date;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What became of the contents of files. */
export interface SweepReport {
  readonly removed: number;
  readonly kept: number;
  /** Why nothing was removed although there may be something to remove. */
  readonly skipped?: string;
}

/**
 * Removes the contents of files that no backup has any more. Where it is not known what one of the backups has, or a run may
 * be about to refer to contents, nothing is removed.
 *
 * The backups are listed here, after the contents and after the manifests of those that go were removed: a run that begins later
 * finds only backups that stay to refer to.
 */
export async function sweepFiles(options: SweepOptions): Promise<SweepReport> {
  const { storage, job, unfinishedBefore, dryRun, signal } = options;
  const contents: string[] = [];
  let young = 0;
  for await (const { object, modified } of listContents(storage, job, signal)) {
    if (modified < unfinishedBefore) contents.push(object);
    else young += 1;
  }
  if (contents.length === 0) return { removed: 0, kept: young };
  const kept = contents.length + young;
  const backups = await listFolders(storage, job, signal);
  const unclear = backups.find((backup) => !backup.whole && options.mayGoOn(backup));
  if (unclear) {
    const skipped = `No file was removed: ${unclear.id} may still be being written, and refer to any of them.`;
    return { removed: 0, kept, skipped };
  }
  const needed = new Set<string>();
  for (const { id, whole } of backups) {
    if (!whole || options.going.includes(id)) continue;
    try {
      const manifest = await readManifest(storage, job, id, signal);
      for await (const { object } of readFileIndex({ storage, job, manifest }, signal)) needed.add(object);
    } catch (error) {
      if (!(error instanceof ProviderError) || !["INTEGRITY", "CONFIG", "NOT_FOUND"].includes(error.code)) throw error;
      const skipped = `No file was removed: which of them the backup ${id} has is not known. ${error.message}`;
      return { removed: 0, kept, skipped };
    }
  }
  const going = contents.filter((object) => !needed.has(object));
  for (let from = 0; from < going.length && !dryRun; from += BATCH) {
    const keys = going.slice(from, from + BATCH).map((object) => contentKey(job, object));
    await storage.remove(keys, { signal });
  }
  return { removed: going.length, kept: contents.length - going.length + young };
}
