import type { DatabaseBackup, DatabaseIdentity } from "../../providers/database/database.ts";
import { toProviderError, ProviderError } from "../../providers/errors.ts";
import type { Span, Attributes } from "../../providers/monitor/monitor.ts";
import { newBackupId } from "../backups/catalogue/backup-id.ts";
import { commit } from "./backup/commit.ts";
import { copyJobFiles } from "./backup/copy-job-files.ts";
import { live, openDestinations, requireLive, fail, warn } from "./backup/destination.ts";
import { dumpArtifact } from "./backup/dump-artifact.ts";
import { takeFolders } from "./backup/take-folders.ts";
import { endLeases, takeLeases } from "./backup/leases.ts";
import { requireManifestRoom } from "./backup/manifest-room.ts";
import { factsOf, reportOf, secondsOf, type BackupReport } from "./backup/report.ts";
import { checkClock, omit, type BackupChoices, type RunState, type Draft } from "./backup/state.ts";
import { markAnomalies } from "./backup/mark-anomalies.ts";
import { Trace } from "./backup/trace.ts";
import { decideOnce, verifyAndPrune } from "./backup/verify-and-prune.ts";
import { jobFolder } from "../../providers/layout.ts";
import { Reconciliation } from "./files/reconciliation.ts";
import type { Lease } from "../backups/lease.ts";
import type { Run } from "../run/run.ts";
import { freeGrown } from "../stream/garbage.ts";
import type { Telemetry } from "../run/telemetry.ts";
import type { BackupFolder } from "../backups/catalogue/backup-folder.ts";
import { newestFirst, listBackups } from "../backups/catalogue/catalogue.ts";
import { counted } from "../../providers/fields/sizes.ts";
import { HISTORY } from "../backups/anomaly.ts";
import { formerDatabases } from "../backups/catalogue/database-identity.ts";
import { fromFuture, futureError } from "../backups/catalogue/future.ts";
import { nextOrder } from "../backups/catalogue/order.ts";

/** Forged folders that are warned of one by one in each destination. */
const NAMED = 20;

/**
 * Checks what the destinations have before anything is dumped: their backups may be another database's. The new backup comes
 * after all of them, whatever the clocks say.
 *
 * @throws OtherDatabaseError where a destination's newest backup is of another database
 */
async function examineExisting(state: RunState, draft: Draft, identity: DatabaseIdentity): Promise<void> {
  const { run, choices, trace, destinations } = state;
  const { job, signal } = run;
  const found = await Promise.all(
    live(destinations).map(async (destination) => {
      try {
        const backups = await listBackups(destination.storage, job, signal);
        const refused = backups.flatMap(({ foreign, unproven }) => foreign ?? unproven ?? []);
        for (const error of refused.slice(0, NAMED)) warn(trace, destination, error);
        if (refused.length > NAMED) warn(trace, destination, othersLike(refused.length - NAMED));
        const own = backups.filter(({ decides }) => decides);
        for (const future of fromFuture(own)) warn(trace, destination, futureError(future));
        const ids = comparable(own);
        if (ids.length > 0) state.earlier ??= { storage: destination.storage, ids };
        draft.order = Math.max(draft.order, nextOrder(own, draft.startedAt));
        return [{ description: destination.description, backups: own }];
      } catch (error) {
        const failure = toProviderError(error);
        // Some may write and not list.
        if (failure.code === "AUTH") warn(trace, destination, failure);
        else fail(trace, "look", destination, failure);
        return [];
      }
    }),
  );
  requireLive(destinations);
  draft.formerly = formerDatabases(job, identity, found.flat(), choices.adopt);
}

/** So many more folders are none of this job's proven backups. */
function othersLike(count: number): ProviderError {
  const message = `${counted(count, "folder")} more are no backups of this job, or may be forged.`;
  return new ProviderError("INTEGRITY", message, {
    fix: "`provision list` names them. Find out who writes to the store.",
  });
}

/** The last backups that a new one is compared with: none from before one that a person has accepted. */
function comparable(backups: readonly BackupFolder[]): string[] {
  const own = backups.filter(({ state }) => state === "verified" || state === "unverified");
  const accepted = own.findLastIndex(({ unusual }) => unusual?.accepted !== undefined);
  return own
    .slice(Math.max(accepted, 0))
    .slice(-HISTORY)
    .map(({ id }) => id);
}

/** Milliseconds for finding older backups at a run's end, which only monitors wait for. */
const LOOK_BACK_MS = 5_000;

/**
 * The ages of the job's newest verified backup and, where it has drills, of its newest drilled one. The stores are asked for
 * what this run does not know; one that does not answer in time is ignored. A run that was aborted asks nothing.
 */
async function agesOf(state: RunState): Promise<Attributes> {
  const { job, signal } = state.run;
  const verifiedNow = state.destinations.some(({ verification }) => verification?.outcome === "verified");
  const known = verifiedNow ? { newestVerifiedSeconds: secondsOf(state) } : {};
  if (signal.aborted || (verifiedNow && !job.drill)) return known;
  const backups = await recentBackups(state);
  const verified = backups.filter((backup) => backup.state === "verified");
  const drilled = backups.filter(({ drill }) => drill?.outcome === "drilled");
  return { ...age("newestVerifiedSeconds", verified), ...age("newestDrilledSeconds", drilled), ...known };
}

/** From each store, the newest backups until a verified one is found and, where the job has drills, a drilled one. */
async function recentBackups({ run: { job }, destinations }: RunState): Promise<BackupFolder[]> {
  const limit = AbortSignal.timeout(LOOK_BACK_MS);
  const late = new Promise<void>((resolve) => {
    limit.addEventListener("abort", () => {
      resolve();
    });
  });
  const backups: BackupFolder[] = [];
  const searches = destinations.map(async ({ storage }) => {
    let [verified, drilled] = [false, job.drill === undefined];
    for await (const backup of storage ? newestFirst(storage, job, limit) : []) {
      backups.push(backup);
      verified ||= backup.state === "verified";
      drilled ||= backup.drill?.outcome === "drilled";
      if (verified && drilled) return;
    }
  });
  await Promise.race([Promise.allSettled(searches), late]);
  return backups;
}

function age(name: string, backups: readonly BackupFolder[]): Attributes {
  if (backups.length === 0) return {};
  const newestMs = Math.max(...backups.map(({ time }) => time.getTime()));
  return { [name]: Math.round((Date.now() - newestMs) / 1000) };
}

/**
 * Makes a backup: dumps every artifact of one snapshot to all destinations at the same time, commits it with a manifest,
 * reads it back in full and prunes. A destination that fails is dropped and the others go on.
 *
 * @throws ProviderError if no destination got a backup: because of the database, the configuration, or all of them.
 */
export async function backup(run: Run, telemetry: Telemetry, choices: BackupChoices): Promise<BackupReport> {
  const trace = new Trace(telemetry, run.log);
  const state: RunState = {
    run,
    choices,
    trace,
    launchedMs: Date.now(),
    destinations: [],
    warnings: [],
    earlier: undefined,
    anomalies: [],
  };
  telemetry.checkIn("in_progress", {});
  try {
    const report = await trace.step("backup", {}, (span) => make(state, span));
    telemetry.checkIn(report.status, { ...factsOf(report), ...(await agesOf(state)) });
    return report;
  } catch (error) {
    const failure = toProviderError(error);
    const ages = await agesOf(state);
    telemetry.checkIn("error", { ...trace.backup, seconds: secondsOf(state), code: failure.code, ...ages });
    throw failure;
  } finally {
    await Promise.allSettled(state.destinations.map(async ({ storage }) => storage?.close()));
  }
}

/** A run's steps, in order. */
async function make(state: RunState, span: Span): Promise<BackupReport> {
  const { run, trace } = state;
  try {
    state.destinations = await openDestinations(run, trace);
    requireLive(state.destinations);
    const source = await connect(state);
    let draft: Draft;
    let leases: readonly Lease[] = [];
    try {
      leases = await takeLeases(state, source.lockedIn);
      await takeFolders(state);
      draft = begin();
      trace.name(draft.id);
      span.set(trace.backup);
      freeGrown();
      await examineExisting(state, draft, source.facts.identity);
      await store(state, draft, source);
      for (const destination of live(state.destinations)) await commit(state, draft, destination, source.facts);
      requireLive(state.destinations);
      const [manifest] = live(state.destinations).flatMap(({ manifest }) => manifest ?? []);
      if (manifest && state.earlier) await trace.step("compare", {}, () => markAnomalies(state, manifest));
      for (const destination of live(state.destinations)) await verifyAndPrune(state, draft, destination);
      // No verification could count.
      await decideOnce(state);
    } finally {
      await endLeases(leases);
      // Releases the lock. Before, another run could take this one's objects for leftovers of a killed run.
      await source.close();
    }
    const report = reportOf(state, draft);
    span.set({ ...factsOf(report), status: report.status });
    return report;
  } catch (error) {
    const failure = toProviderError(error);
    trace.track(failure);
    throw failure;
  }
}

/** Takes the job's lock and opens a snapshot of its database. */
function connect(state: RunState): Promise<DatabaseBackup> {
  const { job, signal } = state.run;
  return state.trace.step("connect", { provider: job.database.kind }, async (span) => {
    const database = await state.run.openDatabase();
    span.set({ database: database.description });
    const askedMs = Date.now();
    const source = await database.backup({ lock: jobFolder(job), signal });
    checkClock(state, source.facts.snapshotTime, askedMs);
    return source;
  });
}

/** Names the backup. Only with the lock and the leases held: what is older is then of runs that are over. */
function begin(): Draft {
  const startedAt = new Date();
  return {
    id: newBackupId(startedAt),
    startedAt,
    order: startedAt.getTime(),
    formerly: [],
    objects: [],
    omitted: [],
    incomplete: false,
    fileKeys: new Map(),
    files: undefined,
  };
}

/** Stores everything but the manifest: the database's artifacts, and then the files, which need no snapshot. */
async function store(state: RunState, draft: Draft, source: DatabaseBackup): Promise<void> {
  const { files } = state.run.job;
  requireManifestRoom(source);
  freeGrown();
  for (const { artifact, reason } of source.omitted) omit(state, draft, artifact, reason);
  for (const artifact of source.artifacts) await dumpArtifact(state, draft, artifact);
  const rows = files && source.storedFiles?.(files.buckets);
  const reconciliation = rows && (await Reconciliation.of(rows, source.facts.snapshotTime));
  await endSnapshot(state, source);
  await copyJobFiles(state, draft, reconciliation);
}

/** Ends the snapshot before the long steps that do not read it. */
async function endSnapshot({ run, trace }: RunState, source: DatabaseBackup): Promise<void> {
  try {
    await source.endSnapshot();
  } catch (error) {
    if (run.signal.aborted) throw error;
    // The dump is whole, and `commit` checks that no other run has taken any of it.
    trace.warn(`The connection that holds the job's lock has broken: ${toProviderError(error).message}`);
  }
}
