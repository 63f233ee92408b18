import type { DatabaseIdentity } from "../../providers/database/database.ts";
import { toProviderError } from "../../providers/errors.ts";
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
export async function examineExisting(
  { run, choices, trace, destinations }: RunState,
  draft: Draft,
  identity: DatabaseIdentity,
): Promise<void> {
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
