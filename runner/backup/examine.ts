import type { DatabaseIdentity } from "../../providers/database/database.ts";
import { toProviderError } from "../../providers/errors.ts";
import { HISTORY } from "../anomaly.ts";
import type { BackupFolder } from "../catalogue/backup-folder.ts";
import { listBackups } from "../catalogue/catalogue.ts";
import { formerDatabases } from "../catalogue/database-identity.ts";
import { fromFuture, futureError } from "../catalogue/future.ts";
import { nextOrder } from "../catalogue/order.ts";
import { fail, live, requireLive, warn } from "./destination.ts";
import type { RunState, Draft } from "./state.ts";

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
        for (const { foreign, unproven } of backups) {
          const refused = foreign ?? unproven;
          if (refused) warn(trace, destination, refused);
        }
        for (const future of fromFuture(backups)) warn(trace, destination, futureError(future));
        const ids = comparable(backups);
        if (ids.length > 0) state.earlier ??= { storage: destination.storage, ids };
        draft.order = Math.max(draft.order, nextOrder(backups, draft.startedAt));
        return [{ description: destination.description, backups }];
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

/** The last backups that a new one is compared with: none from before one that a person has accepted. */
function comparable(backups: readonly BackupFolder[]): string[] {
  const own = backups.filter(({ state }) => state === "verified" || state === "unverified");
  const accepted = own.findLastIndex(({ unusual }) => unusual?.accepted !== undefined);
  return own
    .slice(Math.max(accepted, 0))
    .slice(-HISTORY)
    .map(({ id }) => id);
}
