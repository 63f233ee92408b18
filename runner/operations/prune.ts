import type { JobConfig, Retention } from "../../providers/config.ts";
import { stopwatch } from "../../providers/clock.ts";
import { ProviderError, toProviderError, withFix } from "../../providers/errors.ts";
import { backupKey, jobFolder, MANIFEST } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { StoredObject } from "../../providers/transfer/object.ts";
import type { BackupFolder, JobName, ListedFolder } from "../backups/catalogue/backup-folder.ts";
import { listBackups, readAgain } from "../backups/catalogue/catalogue.ts";
import { requireOneDatabase } from "../backups/catalogue/database-identity.ts";
import { sweepFiles, type SweepReport } from "./files/sweep-files.ts";
import { markPrune, PRUNE_MS, pruneMarks } from "../backups/prune-mark.ts";
import { isAhead, refuseFuture } from "../backups/catalogue/future.ts";
import { activeHolds, expired, keptBy, type Kept } from "../backups/catalogue/retention.ts";

/**
 * What is added to a job's time limit until its runs count as over, in milliseconds: for clocks that differ, of machines and
 * stores, for the end of a run that was aborted, and for a time limit that was lowered a little.
 */
const MARGIN_MS = 3_600_000;

/** The moment before which whatever was begun is over, lock or no lock: no run of a job outlives its time limit. */
export function beforeAnyRun({ timeoutMinutes }: Pick<JobConfig, "timeoutMinutes">, now = new Date()): Date {
  return new Date(now.getTime() - timeoutMinutes * 60_000 - MARGIN_MS);
}

/** What {@link prune} works on. */
export interface PruneOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The rule; undefined keeps every backup. */
  readonly rule: Retention | undefined;
  /** The time zone whose hours, days, weeks, months and years the rule counts. Default UTC. */
  readonly timeZone?: string | undefined;
  /** A person has confirmed that the rule may remove any share of the verified backups at once. Default false. */
  readonly anyShare?: boolean;
  /** The id of the backup that this run has just made: it stays, whatever the rule and the clocks say. */
  readonly made?: string;
  /** Folders without a manifest, and interrupted uploads, that were begun before this are nobody's and go. */
  readonly unfinishedBefore: Date;
  /** Copies from another store that were begun before this are nobody's; others may be going on. */
  readonly copiesBefore: Date;
  /**
   * Of a run, which holds a lease: makes sure of that between the listing and the first removal, and gives what is aborted once it is lost.
   * A folder without a manifest in which something was stored since {@link unfinishedBefore}, by the store's clock, stays then.
   */
  readonly confirm?: () => Promise<AbortSignal>;
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
  /** Why the rule keeps each verified and unverified backup that stays, the newest first. Empty without a rule. */
  readonly keeps: readonly ({ readonly id: string } & Kept)[];
  /** Backups that a verification found damaged. They are kept until a person removes them. */
  readonly damaged: readonly string[];
  /** Folders with the manifest of another backup. They neither count nor go; a person removes them. Left out where there is none. */
  readonly foreign?: readonly string[];
  /** The same of folders whose signature is missing or wrong. */
  readonly unproven?: readonly string[];
  /** What counts for nothing, and why, one sentence each: a record that cannot be read. Left out where there is none. */
  readonly warnings?: readonly string[];
  readonly files: SweepReport;
}

/**
 * Removes what the retention rule lets go, what interrupted runs left behind, and the files that no backup has any more. It
 * touches nothing outside the job's folder. `retention.ts` says what may go and what stays.
 *
 * @throws ProviderError before anything is removed: `CONFIG` where the folder has backups of different databases; `CONFLICT`
 * where a backup or a record is from the future, since then no age is known, or where the rule removes too many at once.
 */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const { storage, job } = options;
  let { signal } = options;
  const unfinishedBefore = wholeSecond(options.unfinishedBefore);
  const copiesBefore = wholeSecond(options.copiesBefore);
  const backups = await listBackups(storage, job, signal);
  const own = decide(
    options,
    backups.filter(({ decides }) => decides),
  );
  const unsigned = decideUnsigned(
    options,
    backups.filter(({ decides, signed }) => !decides && signed === false),
  );
  const kept = new Map([...own.kept, ...unsigned.kept]);
  let going = [...own.going, ...unsigned.going];
  const incomplete = backups.filter(({ state }) => state === "unfinished");
  const now = new Date();
  const isYoung = ({ modified }: StoredObject) => options.confirm !== undefined && modified >= options.unfinishedBefore;
  const mayGoOn = ({ time, copied, files }: ListedFolder) => {
    const begun = copied ?? time;
    // Of a name from the future, the store's clock says how old it is.
    const times = isAhead(begun, now) ? files.map(({ modified }) => modified) : [begun];
    return times.some((each) => each >= (copied ? copiesBefore : unfinishedBefore)) || (!copied && files.some(isYoung));
  };
  const unfinished = incomplete.filter((folder) => !mayGoOn(folder));
  // An upload of a copy that is going on is not to be taken for what an interrupted run left.
  const copying = incomplete.flatMap(({ copied }) => (copied && copied >= copiesBefore ? [copied] : []));
  const begunBefore = new Date(Math.min(...[unfinishedBefore, ...copying].map(Number)));
  let interruptedUploads = 0;
  const warnings = [...backups.flatMap((backup) => backup.warnings), ...own.warnings, ...unsigned.warnings];
  if (!options.dryRun) {
    if (options.confirm) signal = AbortSignal.any([signal, await options.confirm()]);
    await removeManifests({ storage, job, signal }, going, kept, warnings);
    going = going.filter((backup) => !kept.has(backup));
    for (const { files } of [...going, ...unfinished])
      await storage.remove(
        files.map(({ key }) => key),
        { signal },
      );
    interruptedUploads = await storage.removeUnfinished(jobFolder(job), begunBefore);
  }
  const removed = going.map(({ id }) => id);
  const foreign = backups.filter(({ state }) => state === "foreign").map(({ id }) => id);
  const unproven = backups.filter(({ state }) => state === "unproven").map(({ id }) => id);
  const files = await sweepFiles({ ...options, signal, going: removed, mayGoOn, unfinishedBefore: begunBefore });
  return {
    removed,
    unfinished: unfinished.map(({ id }) => id),
    interruptedUploads,
    kept: backups.length - going.length - unfinished.length - foreign.length - unproven.length,
    keeps: [...kept].map(([{ id }, why]) => ({ id, ...why })),
    damaged: backups.filter(({ state }) => state === "damaged").map(({ id }) => id),
    ...(foreign.length > 0 && { foreign }),
    ...(unproven.length > 0 && { unproven }),
    ...(warnings.length > 0 && { warnings }),
    files,
  };
}

/** What the rule lets go of some backups, and why it keeps the others. */
interface Decision {
  readonly kept: ReadonlyMap<BackupFolder, Kept>;
  readonly going: readonly BackupFolder[];
  readonly warnings: readonly string[];
}

function decide(
  { job, rule, timeZone = "UTC", made, anyShare, dryRun }: PruneOptions,
  backups: readonly BackupFolder[],
): Decision {
  requireOneDatabase(job, backups);
  refuseFuture(backups);
  if (!rule) return { kept: new Map(), going: [], warnings: [] };
  const kept = keptBy(backups, rule, { timeZone, made });
  const going = expired(backups, kept);
  const tooMany = anyShare ? undefined : largeShare(backups, going, rule);
  if (tooMany && !dryRun) throw tooMany;
  return { kept, going, warnings: tooMany ? [tooMany.message] : [] };
}

/** The same of backups of before there was a key, which anybody may have put there: what is wrong with them keeps them, and no other. */
function decideUnsigned(options: PruneOptions, backups: readonly BackupFolder[]): Decision {
  try {
    return decide(options, backups);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const warnings = [`The backups without a signature stay as they are. ${error.message}`];
    return { kept: new Map(), going: [], warnings };
  }
}

/** The largest share of the verified backups that goes at once where the job does not say: as many as stay. */
const LARGEST_SHARE = 0.5;

/** Verified backups that a prune may always remove: of so few, a share says nothing. */
const FEW = 3;

/** Why a rule may not remove so many verified backups at once; undefined where it may. */
function largeShare(
  backups: readonly BackupFolder[],
  going: readonly BackupFolder[],
  { removeAtMost = LARGEST_SHARE }: Retention,
): ProviderError | undefined {
  const verified = backups.filter(({ state }) => state === "verified").length;
  const lost = going.filter(({ state }) => state === "verified").length;
  if (lost <= FEW || lost <= verified * removeAtMost) return undefined;
  return new ProviderError(
    "CONFLICT",
    `Nothing was pruned: the retention rule removes ${lost} of ${verified} verified backups at once, and at most a share of ` +
      `${removeAtMost} may go.`,
    {
      fix:
        "`provision prune --dry-run` shows which ones and why. If they may go, run `provision prune --confirm-share` once, or " +
        "raise retention.removeAtMost; otherwise widen the retention rule.",
    },
  );
}

/** A moment as far as the names of backups and records can tell it: they have whole seconds. */
function wholeSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** Backups whose manifests go together: they are looked at again in much less than {@link PRUNE_MS}. */
const TOGETHER = 10;

/**
 * Removes the manifests of backups, first of all they have: whatever interrupts a prune, what is left is no backup, and the next prune finds
 * it. A backup that a person holds since it was listed stays, and joins those that are kept; `prune-mark.ts` says why none is missed.
 */
async function removeManifests(
  options: Pick<PruneOptions, "storage" | "job" | "signal">,
  going: readonly BackupFolder[],
  kept: Map<BackupFolder, Kept>,
  warnings: string[],
): Promise<void> {
  const { storage, job } = options;
  for (let from = 0; from < going.length; from += TOGETHER) {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(PRUNE_MS)]);
    const elapsed = stopwatch();
    const mark = await markPrune(storage, job, signal).catch((error: unknown) => {
      const failure = toProviderError(error);
      if (failure.code !== "AUTH") throw failure;
      if (from > 0) return;
      warnings.push(
        `A hold that is set while this prunes may come too late, as no mark can be written: ${withFix(failure)}`,
      );
    });
    const some = going.slice(from, from + TOGETHER);
    for (const backup of some) {
      const by = activeHolds(await readAgain(storage, job, backup, signal)).map(({ reason }) => reason);
      if (by.length > 0) kept.set(backup, { reasons: [{ rule: "held", by }], until: undefined });
    }
    if (elapsed() > PRUNE_MS)
      throw new ProviderError("TRANSIENT", `${storage.description} took too long to list what goes.`);
    const manifests = some.filter((backup) => !kept.has(backup)).map(({ id }) => backupKey(job, id, MANIFEST));
    await storage.remove(manifests, { signal });
    if (mark !== undefined) await removeMarks(options, mark);
  }
}

/** Removes a mark, and those of prunes that were killed long ago. One that stays, as Object Lock wants it, does no harm. */
async function removeMarks(
  { storage, job, signal }: Pick<PruneOptions, "storage" | "job" | "signal">,
  mark: string,
): Promise<void> {
  const marks = await pruneMarks(storage, job, signal);
  const now = marks.get(mark)?.getTime() ?? 0;
  const over = [...marks].filter(([, modified]) => modified.getTime() < now - MARGIN_MS).map(([key]) => key);
  await storage.remove([mark, ...over], { signal }).catch(() => undefined);
}
