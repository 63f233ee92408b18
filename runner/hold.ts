import { ProviderError } from "../providers/errors.ts";
import { backupKey, HOLD, MANIFEST } from "../providers/layout.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import type { BackupFolder, JobName } from "./catalogue/backup-folder.ts";
import { listBackups, recordsBeside, readManifest } from "./catalogue/catalogue.ts";
import { chooseBackup } from "./catalogue/choose-backup.ts";
import type { HoldRecord } from "./documents/manifest.ts";
import { writeRecord } from "./documents/write-record.ts";
import { readFileIndex } from "./files/file-index.ts";
import { contentKey } from "./files/file-pool.ts";
import { PROGRAM } from "./version.ts";

/** Which backup is held or released, and why. */
export interface HoldOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The backup's id, `latest` or `verified`. */
  readonly id: string;
  /** Why, in a person's words. */
  readonly reason: string;
  /** When the hold ends by itself. Undefined: when it is released. */
  readonly until?: Date | undefined;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface HoldReport {
  readonly id: string;
  readonly outcome: (typeof HOLD)["good" | "bad"];
  readonly reason: string;
  readonly until?: string;
  /** Objects that the store itself locks now, or no longer. 0 where it cannot. */
  readonly locked: number;
}

/**
 * Records beside a backup that it is kept, whatever the retention rule says, until it is released or the time has come. Held
 * again, the newest hold counts. Where the store can, it locks the objects itself, until the release: such a lock has no end.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup
 */
export async function hold(options: HoldOptions): Promise<HoldReport> {
  const { id } = await chooseBackup(options.storage, options.job, options.id, options.signal);
  const report = await write(options, id, HOLD.bad);
  return { ...report, locked: await lock(options, await objectsOf(options, id), true) };
}

/**
 * Records that a backup is no longer held: the next prune goes by the retention rule alone.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup, or no hold on it
 */
export async function release(options: HoldOptions): Promise<HoldReport> {
  const backup: BackupFolder = await chooseBackup(options.storage, options.job, options.id, options.signal);
  if (backup.hold === undefined) {
    throw new ProviderError("NOT_FOUND", `Nobody holds the backup ${backup.id} in ${options.storage.description}.`, {
      fix: "`provision list` shows which backups are held, and why.",
    });
  }
  const report = await write({ ...options, until: undefined }, backup.id, HOLD.good);
  if (!options.storage.setHold) return { ...report, locked: 0 };
  const objects = await objectsOf(options, backup.id);
  for (const other of await listBackups(options.storage, options.job, options.signal)) {
    if (other.hold === undefined || other.id === backup.id) continue;
    // Backups share the contents of files.
    for (const key of await objectsOf(options, other.id)) objects.delete(key);
  }
  return { ...report, locked: await lock(options, objects, false) };
}

/** Has the store lock objects, or lock them no longer. Says how many. */
async function lock({ storage, signal }: HoldOptions, objects: ReadonlySet<string>, held: boolean): Promise<number> {
  return (await storage.setHold?.([...objects], held, { signal })) === true ? objects.size : 0;
}

/** The keys of everything that a backup needs: its manifest, its objects, and the contents of its files. */
async function objectsOf({ storage, job, signal }: HoldOptions, id: string): Promise<Set<string>> {
  if (!storage.setHold) return new Set();
  const manifest = await readManifest(storage, job, id, signal);
  const keys = new Set([MANIFEST, ...manifest.objects.map(({ file }) => file)].map((name) => backupKey(job, id, name)));
  for await (const { object } of readFileIndex({ storage, job, manifest }, signal)) keys.add(contentKey(job, object));
  return keys;
}

async function write(
  { storage, job, reason, until, signal }: HoldOptions,
  id: string,
  outcome: HoldRecord["outcome"],
): Promise<Omit<HoldReport, "locked">> {
  const after = await recordsBeside(storage, job, id, signal);
  const end = until === undefined ? {} : { until: until.toISOString() };
  const common = { format: 1, id, program: PROGRAM, outcome, after, reason, ...end } as const;
  await writeRecord({ storage, job, id, signal }, (at): HoldRecord => ({ ...common, recordedAt: at.toISOString() }));
  return { id, outcome, reason, ...end };
}
