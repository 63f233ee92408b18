import type { TableRows } from "../../../providers/database/database.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { beforeAnyRun, prune, type PruneReport } from "../prune.ts";
import { verify, type Verification } from "../verify.ts";
import { fail, warn, type Live } from "./destination.ts";
import { confirmLeases } from "./leases.ts";
import { storedBytes } from "./report.ts";
import { objectsIn, verifies, type RunState, type Draft } from "./state.ts";

/** Reads the backup back in full and, if it is verified, prunes. The backup stays whatever fails here. */
export async function verifyAndPrune(state: RunState, draft: Draft, destination: Live): Promise<void> {
  if (!verifies(state)) return;
  const { trace } = state;
  try {
    const verification = await verifyOwn(state, draft, destination);
    destination.verification = verification;
    for (const warning of verification.warnings ?? []) trace.warn(warning);
    for (const problem of verification.problems) {
      fail(trace, "verify", destination, new ProviderError("INTEGRITY", problem));
    }
    if (!state.choices.prune || verification.outcome !== "verified") return;
    destination.prune = await pruneAfter(state, draft, destination);
  } catch (error) {
    fail(trace, "examine", destination, error);
  }
}

function verifyOwn(state: RunState, draft: Draft, destination: Live): Promise<Verification> {
  const { job, signal } = state.run;
  return state.trace.step("verify", destination.facts, (span) => {
    const objects = objectsIn(draft, destination);
    span.set({ bytes: storedBytes(objects), objects: objects.length });
    return verify({
      storage: destination.storage,
      job,
      signal,
      programs: job.database,
      counted: state.decide && ((rows) => decideOnce(state, rows)),
      id: draft.id,
      fileKeyOf: (file) => draft.fileKeys.get(file),
      // What an earlier run copied was read when that was verified; this run has checked that it is still there.
      skipContent: (object) => draft.files?.reused.has(object) ?? false,
      progress: (bytes, total) => {
        span.progress(bytes, total);
      },
    });
  });
}

/** Decides what is far from usual, unless that is done. */
export async function decideOnce(state: RunState, rows?: readonly TableRows[]): Promise<void> {
  const { decide } = state;
  state.decide = undefined;
  await decide?.(rows);
}

function pruneAfter(
  { run: { job, signal }, trace }: RunState,
  { id, startedAt }: Draft,
  destination: Live,
): Promise<PruneReport> {
  const over = beforeAnyRun(job);
  const { leases } = destination;
  return trace.step("prune", destination.facts, async (span) => {
    const report = await prune({
      storage: destination.storage,
      job,
      signal,
      rule: job.retention,
      timeZone: job.schedule?.timezone,
      made: id,
      // Runs that stored something before this one had the lease, by the store's clock too, are over. Without a lease others may go on.
      unfinishedBefore: leases
        ? new Date(Math.min(...[startedAt, ...leases.map(({ since }) => since)].map(Number)))
        : over,
      confirm: async () => {
        await confirmLeases(destination);
        return AbortSignal.any(leases?.map(({ lost }) => lost) ?? []);
      },
      // A copy holds no lock.
      copiesBefore: over,
      dryRun: false,
    });
    for (const warning of report.warnings ?? []) warn(trace, destination, new ProviderError("INTEGRITY", warning));
    span.set({ removed: report.removed.length + report.unfinished.length, kept: report.kept });
    return report;
  });
}
