import { ProviderError } from "../providers/errors.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import { listWhole, type BackupFolder, type JobName } from "./catalogue.ts";

/**
 * Finds a backup of a job in a store by its id, or the newest one: `latest` is the newest that is not known to be damaged,
 * `verified` the newest that was read in full.
 *
 * @throws ProviderError `NOT_FOUND` where there is none.
 */
export async function chooseBackup(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
): Promise<BackupFolder> {
  const backups = await listWhole(storage, job, signal);
  const chosen =
    id === "latest"
      ? backups.findLast(({ state }) => state !== "damaged")
      : id === "verified"
        ? backups.findLast(({ state }) => state === "verified")
        : backups.find((candidate) => candidate.id === id);
  if (chosen) return chosen;
  const newest = backups.at(-1)?.id;
  const what = id === "verified" ? "verified backup" : `backup "${id}"`;
  throw new ProviderError("NOT_FOUND", `${storage.description} has no ${what} of ${job.stack}/${job.name}.`, {
    fix:
      newest === undefined
        ? "It has none of this job at all: check the job's stack, name and destination."
        : `It has ${backups.length}, the newest of them ${newest}; see \`provision list\`.`,
  });
}
