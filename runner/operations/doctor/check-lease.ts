import { span } from "../../../providers/clock.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import { unusable } from "../../backups/documents/record-reader.ts";
import { LEASE_TIMES } from "../../backups/lease.ts";
import { describeLease, findLease } from "../../backups/lease-objects.ts";

/**
 * Whether a run has the job's lease in a store, and what comes of one that was not renewed. Its age is the difference of two times of the
 * store's own clock: no machine's clock counts.
 *
 * @param probe what the store said of an object that it has just taken
 * @throws ProviderError what the store says, where it does not let the lease be read
 */
export async function checkLease(
  storage: StorageProvider,
  job: JobName,
  { storeTime }: Pick<StoredObject, "storeTime">,
  signal: AbortSignal,
): Promise<string> {
  const lease = await findLease(storage, job, signal);
  if (lease === undefined) return "no run has it";
  // One that is damaged, or of a newer version, is taken over like any other.
  if (lease.error) unusable(lease.error);
  const who = describeLease(lease);
  if (storeTime === undefined) return who;
  const { deadMs } = LEASE_TIMES;
  const age = Math.max(storeTime.getTime() - lease.renewed.getTime(), 0);
  if (age <= deadMs) return `${who}; it was renewed ${span(age)} ago, by the store's clock`;
  return (
    `${who}; it was not renewed for ${span(age)}, by the store's clock: that run was killed, or does not reach the store. The next run ` +
    `watches it for up to ${deadMs / 1000} s, and takes it over if it is not renewed`
  );
}
