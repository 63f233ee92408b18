import { randomInt } from "node:crypto";
import { ProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { BackupFolder, JobName } from "./backup-folder.ts";
import { listWhole } from "./catalogue.ts";

/**
 * Finds a backup of a job in a store by its id, or the newest one: `latest` is the newest that is not known to be damaged,
 * `verified` the newest that was read in full, and `random` any that was. Where some are signed, all three mean those alone.
 *
 * @throws ProviderError `NOT_FOUND` where there is none, `INTEGRITY` where the id is of a folder with another backup's manifest
 * or a forged one.
 */
export async function chooseBackup(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
): Promise<BackupFolder> {
  const named = !["latest", "verified", "random"].includes(id);
  const backups = await listWhole(storage, job, signal, named ? id : undefined);
  const wanted = backups.filter(({ state }) => state === "verified" || (id === "latest" && state === "unverified"));
  const chosen = named ? backups[0] : oneOf(wanted, id === "random");
  const refused = chosen?.foreign ?? chosen?.unproven;
  if (refused) throw refused;
  if (chosen) return chosen;
  const all = named ? await listWhole(storage, job, signal) : backups;
  const own = all.filter(({ state }) => state !== "foreign" && state !== "unproven");
  const newest = own.at(-1)?.id;
  const kinds = new Map([
    ["verified", "verified backup"],
    ["random", "verified backup"],
    ["latest", newest === undefined ? "backup" : "undamaged backup"],
  ]);
  const what = kinds.get(id) ?? `backup "${id}"`;
  throw new ProviderError("NOT_FOUND", `${storage.description} has no ${what} of ${job.stack}/${job.name}.`, {
    fix:
      newest === undefined
        ? all.length > 0
          ? "What it has in the job's folder are other jobs' backups, or forged ones; see `provision list`."
          : "It has none of this job at all: check the job's stack, name and destination."
        : id === "latest"
          ? `All ${own.length} that it has are damaged, the newest of them ${newest}: back up again with \`provision backup\`. ` +
            "`provision verify` says what is damaged in each."
          : `It has ${own.length}, the newest of them ${newest}; see \`provision list\`.`,
  });
}

/** The newest of some backups, or any; of the signed ones where there are some. */
function oneOf(backups: readonly BackupFolder[], any: boolean): BackupFolder | undefined {
  const signed = backups.filter((backup) => backup.signed === true);
  const some = signed.length > 0 ? signed : backups;
  return some.length === 0 ? undefined : some[any ? randomInt(some.length) : some.length - 1];
}
