import type { DatabaseIdentity } from "../../providers/database/database.ts";
import { ProviderError, toProviderError } from "../../providers/errors.ts";
import { counted } from "../../providers/sizes.ts";
import { HISTORY } from "../anomaly.ts";
import type { BackupFolder } from "../catalogue/backup-folder.ts";
import { listBackups } from "../catalogue/catalogue.ts";
import { formerDatabases } from "../catalogue/database-identity.ts";
import { fromFuture, futureError } from "../catalogue/future.ts";
import { nextOrder } from "../catalogue/order.ts";
import { fail, live, requireLive, warn } from "./destination.ts";
import type { RunState, Draft } from "./state.ts";

/** Forged folders that are warned of one by one in each destination. */
const NAMED = 20;

/**
 * Checks what the destinations have before anything is dumped: their backups may be another database's. The new backup comes
 * after all of them, whatever the clocks say.
 *
 * @throws OtherDatabaseError where a destination's newest backup is of another database
 */
export async function examineExisting(state: RunState, draft: Draft, identity: DatabaseIdentity): Promise<void> {
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
