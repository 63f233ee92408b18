import { setTimeout as sleep } from "node:timers/promises";
import { ProviderError, toProviderError } from "../../providers/errors.ts";
import { backupKey, HOLD, MANIFEST, recordName, recordTime } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { StoredObject } from "../../providers/transfer/object.ts";
import type { BackupFolder, Hold, JobName } from "../backups/catalogue/backup-folder.ts";
import { listBackups, readManifest } from "../backups/catalogue/catalogue.ts";
import { chooseBackup } from "../backups/catalogue/choose-backup.ts";
import { activeHolds } from "../backups/catalogue/retention.ts";
import type { HoldRecord } from "../backups/documents/manifest.ts";
import { nameOf } from "../backups/documents/record-reader.ts";
import { recordsOf } from "../backups/documents/records.ts";
import { writeRecord } from "../backups/documents/write-record.ts";
import { readFileIndex } from "./files/file-index.ts";
import { contentKey } from "./files/file-pool.ts";
import { PRUNE_MS, pruneMarks } from "../backups/prune-mark.ts";
import { PROGRAM } from "../version.ts";

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
  /** Which hold a release ends, by its id. Undefined: the only one, or the one that has exactly this reason. */
  readonly hold?: string | undefined;
  /** Whether a release ends all holds. Default false. */
  readonly all?: boolean | undefined;
  /** When the command began, which names a hold alike in all destinations. Default: now. */
  readonly now?: Date | undefined;
  /** How long a hold waits for a prune that has marked the store, in milliseconds. Default: longer than one takes. */
  readonly patienceMs?: number;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface HoldReport {
  readonly id: string;
  readonly outcome: (typeof HOLD)["good" | "bad"];
  readonly reason: string;
  readonly until?: string;
  /** The ids of the holds that were set or ended. */
  readonly holds: readonly string[];
  /** How many other holds are still on the backup. */
  readonly others: number;
  /** Objects that the store itself locks now, or no longer. 0 where it cannot. */
  readonly locked: number;
}

/** Milliseconds from one look at prunes' marks to the next, and after which one is of a prune that was killed, by the store's clock. */
const [POLL_MS, KILLED_MS] = [1_000, 3_600_000];

/**
 * Records beside a backup that it is kept, whatever the retention rule says, until this hold is released or its time has come. Each hold
 * counts on its own. Where the store can, it locks the objects itself, until the release: such a lock has no end.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup, or a prune removed it just now
 */
export async function hold(options: HoldOptions): Promise<HoldReport> {
  const { storage, job, reason, until, signal } = options;
  const backup = await chooseBackup(storage, job, options.id, signal);
  const { id } = backup;
  const { key, modified } = await write(options, backup, HOLD.bad);
  await outlastPrunes(options, modified);
  try {
    const locked = await lock(options, await objectsOf(options, id), true);
    await storage.stat(backupKey(job, id, MANIFEST), { signal });
    const holds = [recordTime(key.slice(key.lastIndexOf("/") + 1), HOLD.bad) ?? ""];
    const ends = until && { until: until.toISOString() };
    return { id, outcome: HOLD.bad, reason, ...ends, holds, others: activeHolds(backup).length, locked };
  } catch (error) {
    if (toProviderError(error).code !== "NOT_FOUND") throw error;
    throw new ProviderError(
      "NOT_FOUND",
      `The backup ${id} was removed from ${storage.description} while this held it.`,
      {
        cause: error,
        fix: "It is not held there. `provision list` shows which backups are left, and where.",
      },
    );
  }
}

/**
 * Records that holds on a backup are over. Once none is left, the next prune goes by the retention rule alone.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup or hold, `CONFLICT` where it is not clear which of several is meant
 */
export async function release(options: HoldOptions): Promise<HoldReport> {
  const { storage, job, signal } = options;
  const backup: BackupFolder = await chooseBackup(storage, job, options.id, signal);
  const { holds = [] } = backup;
  const ended = endedBy(options, backup);
  await write({ ...options, until: undefined }, backup, HOLD.good, ended.length === holds.length ? undefined : ended);
  const others = activeHolds({ holds: holds.filter((each) => !ended.includes(each)) }).length;
  const objects = others === 0 ? await objectsOf(options, backup.id) : new Set<string>();
  for (const other of objects.size === 0 ? [] : await listBackups(storage, job, signal)) {
    if (!other.holds?.length || other.id === backup.id) continue;
    // Backups share the contents of files.
    for (const key of await objectsOf(options, other.id)) objects.delete(key);
  }
  const locked = objects.size === 0 ? 0 : await lock(options, objects, false);
  return {
    id: backup.id,
    outcome: HOLD.good,
    reason: options.reason,
    holds: ended.map(({ id }) => id),
    others,
    locked,
  };
}

/** The holds that a release ends. */
function endedBy({ storage, hold, all, reason }: HoldOptions, backup: BackupFolder): readonly Hold[] {
  const { id, holds = [] } = backup;
  const active = activeHolds(backup);
  const named = holds.filter((each) => (hold === undefined ? each.reason === reason : each.id === hold));
  const where = `the backup ${id} in ${storage.description}`;
  if (holds.length === 0 || (hold !== undefined && named.length === 0)) {
    throw new ProviderError(
      "NOT_FOUND",
      `Nobody holds ${where}${holds.length === 0 ? "" : ` by the id ${JSON.stringify(hold)}`}.`,
      {
        fix: "`provision list` shows which backups are held, why, and by which ids.",
      },
    );
  }
  if (hold !== undefined) return named;
  if (all === true || active.length <= 1) return holds;
  if (named.length === 1) return named;
  throw new ProviderError(
    "CONFLICT",
    `There are ${active.length} holds on ${where}, and it is not clear which one ends:`,
    {
      details: active.map(
        (each) => `  ${each.id}: ${each.reason}, until ${each.until?.toISOString() ?? "it is released"}`,
      ),
      fix: "Name one by --hold and its id, or end all of them by --all.",
    },
  );
}

/** Waits for prunes that may have looked for holds before the record was there: those whose marks are in the store. */
async function outlastPrunes(
  { storage, job, signal, patienceMs = 1.5 * PRUNE_MS }: HoldOptions,
  recorded: Date,
): Promise<void> {
  const begun = performance.now();
  let marks = [...(await pruneMarks(storage, job, signal))]
    .filter(([, modified]) => recorded.getTime() - modified.getTime() < KILLED_MS)
    .map(([key]) => key);
  while (marks.length > 0 && performance.now() - begun < patienceMs) {
    await sleep(Math.min(POLL_MS, patienceMs), undefined, { signal });
    const there = await pruneMarks(storage, job, signal);
    marks = marks.filter((key) => there.has(key));
  }
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

/** @param ended the holds that a release ends; undefined: all that the listing showed */
function write(
  { storage, job, reason, until, now, signal }: HoldOptions,
  { id, files }: BackupFolder,
  outcome: HoldRecord["outcome"],
  ended?: readonly Hold[],
): Promise<StoredObject> {
  return writeRecord({ storage, job, id, now, signal }, (at): HoldRecord => ({
    ...{ format: 1, id, program: PROGRAM, outcome, recordedAt: at.toISOString(), reason },
    after: recordsOf(files.map(nameOf)),
    ...(until && { until: until.toISOString() }),
    ...(ended && { ends: ended.map((each) => recordName(HOLD.bad, each.id)) }),
  }));
}
