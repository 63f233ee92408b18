import type { DatabaseBackup } from "../providers/database/database.ts";
import { toProviderError } from "../providers/errors.ts";
import type { Span } from "../providers/monitor/monitor.ts";
import { newBackupId } from "./catalogue/backup-id.ts";
import { agesOf } from "./backup/ages.ts";
import { commit } from "./backup/commit.ts";
import { copyJobFiles } from "./backup/copy-job-files.ts";
import { live, openDestinations, requireLive } from "./backup/destination.ts";
import { dumpArtifact } from "./backup/dump-artifact.ts";
import { examineExisting } from "./backup/examine.ts";
import { takeFolders } from "./backup/take-folders.ts";
import { endLeases, takeLeases } from "./backup/leases.ts";
import { requireManifestRoom } from "./backup/manifest-room.ts";
import { factsOf, reportOf, secondsOf, type BackupReport } from "./backup/report.ts";
import { checkClock, omit, type BackupChoices, type RunState, type Draft } from "./backup/state.ts";
import { markAnomalies } from "./backup/mark-anomalies.ts";
import { Trace } from "./backup/trace.ts";
import { decideOnce, verifyAndPrune } from "./backup/verify-and-prune.ts";
import { jobFolder } from "../providers/layout.ts";
import { Reconciliation } from "./files/reconciliation.ts";
import type { Lease } from "./lease.ts";
import type { Run } from "./run.ts";
import { freeGrown } from "./stream/garbage.ts";
import type { Telemetry } from "./telemetry.ts";

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
