import { randomUUID } from "node:crypto";
import { abortedError, LockHeldError, toProviderError } from "../../../providers/errors.ts";
import { Lease, type LeaseTimes } from "../../backups/lease.ts";
import { live, type Destination, type Live } from "./destination.ts";
import type { RunState } from "./state.ts";

/**
 * Takes the job's lease in each destination, one after another: all runs of the job do that in the same order, so that of two that
 * begin at the same moment one goes on. A destination whose lease cannot be taken is left without one, as a hiccup there may pass.
 *
 * @param lockedIn names what has the lock that the run holds
 * @param times default: those of every run
 * @throws LockHeldError where another run has the lease of any destination; then those that were taken are given back
 */
export async function takeLeases(
  state: RunState,
  lockedIn: string | undefined,
  times?: LeaseTimes,
): Promise<readonly Lease[]> {
  const { run, choices, trace, destinations, launchedMs } = state;
  const { job, signal } = run;
  const common = {
    ...{ job, signal, lockedIn },
    owner: randomUUID(),
    startedAt: new Date(launchedMs),
    mayRemove: choices.prune,
    warn: (message: string) => {
      trace.warn(message);
    },
  };
  const leases: Lease[] = [];
  try {
    for (const destination of inOrder(live(destinations))) {
      const { storage, description, facts } = destination;
      await trace.step("lease", facts, async () => {
        try {
          const lease = await Lease.take({ ...common, storage }, times);
          if (lease) leases.push(lease);
          destination.leases = lease ? [lease] : leases;
        } catch (error) {
          if (error instanceof LockHeldError || signal.aborted) throw error;
          common.warn(
            `No lease could be taken in ${description}, so a run of this job on another server would not be noticed there: ` +
              toProviderError(error).message,
          );
        }
      });
    }
  } catch (error) {
    await endLeases(leases);
    throw error;
  }
  return leases;
}

function inOrder(destinations: readonly Live[]): Live[] {
  return destinations.toSorted((one, other) => (one.description < other.description ? -1 : 1));
}

/**
 * Renews a destination's leases right now, which is needed before each commit and each prune.
 *
 * @returns a signal that is aborted before one of them may be dead
 * @throws ProviderError as {@link Lease.confirm}
 */
export async function confirmLeases({ leases = [] }: Destination): Promise<AbortSignal> {
  return AbortSignal.any(await Promise.all(leases.map((lease) => lease.confirm())));
}

/** Throws where the run has lost the lease of a destination. */
export function requireLeases({ leases = [] }: Destination): void {
  for (const { lost } of leases) if (lost.aborted) throw abortedError(lost);
}

/** Gives leases back. */
export async function endLeases(leases: readonly Lease[]): Promise<void> {
  await Promise.all(leases.map((lease) => lease.end()));
}
