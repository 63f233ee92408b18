import type { Retention } from "../providers/config.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import { backupKey, jobFolder, listBackups, MANIFEST, type BackupFolder, type JobName } from "./catalogue.ts";
import { sweepFiles, type SweepReport } from "./files/sweep-files.ts";
import { expired } from "./retention.ts";

/** What {@link prune} works on. */
export interface PruneOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The rule; undefined keeps every backup. */
  readonly rule: Retention | undefined;
  /** Folders without a manifest, and interrupted uploads, that were begun before this are nobody's and go. */
  readonly unfinishedBefore: Date;
  /** Copies from another store that were begun before this are nobody's; others may be going on. */
  readonly copiesBefore: Date;
  /** Only tells what would be removed. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What a prune did, or would do. */
export interface PruneReport {
  readonly removed: readonly string[];
  readonly unfinished: readonly string[];
  /** Partial files and the like that interrupted uploads left; unknown (0) in a dry run. */
  readonly interruptedUploads: number;
  readonly kept: number;
  /** Backups that a verification found damaged. They are kept until a person removes them. */
  readonly damaged: readonly string[];
  readonly files: SweepReport;
}

/**
 * Removes what the retention rule lets go, what interrupted runs left behind, and the files that no backup has any more. It touches nothing outside the job's
 * folder. What may go and what stays is told in `retention.ts`.
 */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const { storage, job, rule, signal } = options;
  const backups = await listBackups(storage, job, signal);
  const going = rule ? expired(backups, rule) : [];
  const incomplete = backups.filter(({ state }) => state === "unfinished");
  const unfinished = incomplete.filter(({ time, copied }) =>
    copied ? copied < options.copiesBefore : time < options.unfinishedBefore,
  );
  // An upload of a copy that is going on is not to be taken for what an interrupted run left.
  const copying = incomplete.flatMap(({ copied }) => (copied && copied >= options.copiesBefore ? [copied] : []));
  const begunBefore = new Date(Math.min(...[options.unfinishedBefore, ...copying].map(Number)));
  const staying = backups.filter((backup) => backup.state !== "unfinished" && !going.includes(backup));
  let interruptedUploads = 0;
  if (!options.dryRun) {
    for (const backup of [...going, ...unfinished]) await remove(storage, job, backup, signal);
    interruptedUploads = await storage.removeUnfinished(jobFolder(job), begunBefore);
  }
  const files = await sweepFiles({ ...options, staying, unfinishedBefore: begunBefore });
  return {
    removed: going.map(({ id }) => id),
    unfinished: unfinished.map(({ id }) => id),
    interruptedUploads,
    kept: backups.length - going.length - unfinished.length,
    damaged: backups.filter(({ state }) => state === "damaged").map(({ id }) => id),
    files,
  };
}

/** The manifest goes first: whatever interrupts this, what is left is no backup, and the next prune finds it. */
async function remove(
  storage: StorageProvider,
  job: JobName,
  backup: BackupFolder,
  signal: AbortSignal,
): Promise<void> {
  const manifest = backupKey(job, backup.id, MANIFEST);
  await storage.remove([manifest], { signal });
  await storage.remove(
    backup.files.map(({ key }) => key).filter((key) => key !== manifest),
    { signal },
  );
}
