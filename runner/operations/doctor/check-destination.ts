import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { compareClock } from "../../../providers/clock.ts";
import type { JobConfig } from "../../../providers/config.ts";
import type { Check, DatabaseIdentity } from "../../../providers/database/database.ts";
import { ObjectLockedError, ProviderError } from "../../../providers/errors.ts";
import { jobFolder } from "../../../providers/layout.ts";
import { removedAtOnce, type StorageConfig } from "../../../providers/storage/index.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import type { BackupFolder, JobName } from "../../backups/catalogue/backup-folder.ts";
import { listBackups } from "../../backups/catalogue/catalogue.ts";
import { formerDatabases, requireOneDatabase } from "../../backups/catalogue/database-identity.ts";
import { fromFuture, futureError } from "../../backups/catalogue/future.ts";
import { fromNow } from "../../run/display.ts";
import { describePoint, recoveryPoint } from "../../backups/objectives.ts";
import { checkLease } from "./check-lease.ts";
import { failed, guarded } from "./checks.ts";

/** Findings that are shown of a suspicious backup: a schema that is dropped may have had thousands of tables. */
const SHOWN = 5;

/**
 * How often a listing is asked for the object, with a second more before each: 15 s in all. A search of Google Drive shows
 * new files some seconds late.
 */
const LOOKS = 6;

/** After so many milliseconds a probe is one that an earlier doctor could not remove, not one that works at this moment. */
const LEFT_BEHIND_MS = 3_600_000;

/** The probe of a doctor, by its path below the job's folder. */
const PROBE = /^doctor-[0-9a-f]{8}\/probe$/;

/**
 * Writes, reads back, lists and removes a small object: whatever a run will do there. Ends with a write that fails, since
 * nothing is there then to check.
 *
 * @param name what the checks' names begin with
 * @param config of the store: whether it locks what is written
 * @param identity which database the job's is, to see whether the backups are of it; undefined where it cannot be reached
 */
export async function* checkDestination(
  name: string,
  storage: StorageProvider,
  config: StorageConfig,
  job: JobName & Pick<JobConfig, "objectives">,
  identity: DatabaseIdentity | undefined,
  signal: AbortSignal,
): AsyncGenerator<Check> {
  const folder = `${jobFolder(job)}/doctor-${randomBytes(4).toString("hex")}`;
  const key = `${folder}/probe`;
  const bytes = randomBytes(1024);
  let stored: StoredObject;
  const asked = Date.now();
  try {
    stored = await storage.upload(key, Readable.from([bytes]), { signal });
  } catch (error) {
    yield failed(`${name}: write`, error);
    return;
  }
  const answered = Date.now();
  yield { name: `${name}: write`, ok: true, detail: "an object was written" };
  if (stored.storeTime) {
    yield { name: `${name}: clock`, ok: true, ...compareClock("the store's clock", stored.storeTime, asked, answered) };
  }
  yield* guarded(`${name}: read`, async () => {
    const found = await buffer(await storage.download(key, { signal }));
    if (!found.equals(bytes)) throw new ProviderError("INTEGRITY", "What was read is not what was written.");
    return "it was read back as it was written";
  });
  yield* guarded(`${name}: list`, async () => {
    for (let look = 0; look < LOOKS; look += 1) {
      await sleep(look * 1000, undefined, { signal });
      for await (const object of storage.list(folder, { signal })) {
        if (object.key === key) return "it was listed";
      }
    }
    throw new ProviderError("INTERNAL", "The listing does not show the object.", {
      fix: "Try again; if it stays so, check that the credentials may list this folder, and whether something removes what is written.",
    });
  });
  yield* guarded(`${name}: remove`, () => remove(storage, config, key, signal));
  yield* guarded(`${name}: lease`, () => checkLease(storage, job, stored, signal));
  let found = undefined as readonly BackupFolder[] | undefined;
  yield* guarded(`${name}: backups`, async () => {
    await removeLeftovers(storage, job, signal);
    const backups = await listBackups(storage, job, signal);
    found = backups;
    const own = backups.filter(({ decides }) => decides);
    const [foreign, second] = backups.flatMap((backup) => backup.foreign ?? backup.unproven ?? []);
    if (foreign) {
      if (second === undefined) throw foreign;
      const message = `${foreign.message} There are others like this: see \`provision list\`.`;
      throw new ProviderError(foreign.code, message, foreign.fix === undefined ? {} : { fix: foreign.fix });
    }
    if (identity) formerDatabases(job, identity, [{ description: storage.description, backups: own }], false);
    requireOneDatabase(job, own);
    const newest = own.findLast(({ state }) => state === "verified");
    return newest
      ? `${backups.length}, the newest verified one of ${newest.time.toISOString()}, ${fromNow(newest.time)}`
      : `${backups.length}, none of them ${job.keys ? "signed and " : ""}verified`;
  });
  if (found === undefined) return;
  const backups = found;
  yield* guarded(`${name}: times`, () => {
    const [first] = fromFuture(backups.filter(({ decides }) => decides));
    return first ? Promise.reject(futureError(first)) : Promise.resolve("no backup or record is from the future");
  });
  const point = recoveryPoint(job.objectives, backups);
  if (point) {
    const fix = "Make a backup, or find out why the last runs made none: `provision backup`.";
    yield { name: `${name}: recovery point`, ok: point.met, detail: describePoint(point), ...(!point.met && { fix }) };
  }
  for (const { id, state, unusual } of backups) {
    if (state === "damaged") {
      const fix = `\`provision verify ${id}\` says what is damaged. Copy it from another destination, or remove its folder.`;
      yield { name: `${name}: ${id}`, ok: true, detail: "the backup is damaged", fix };
    }
    if (unusual?.suspicious !== true) continue;
    const fix = `If it is right: provision accept ${id} --reason "…". If not, check the database.`;
    yield { name: `${name}: ${id}`, ok: true, detail: unusual.findings.slice(0, SHOWN).join(" "), fix };
  }
  for (const { state, warnings } of backups) {
    const fix =
      state === "unreadable"
        ? "Leave it as it is, and use the version of Provision that wrote it or a newer one. No prune removes it."
        : "Remove it, and verify the backup again.";
    for (const warning of warnings) yield { name: `${name}: records`, ok: true, detail: warning, fix };
  }
}

/** A lock that holds is what the configuration, or the bucket, asks for. */
async function remove(
  storage: StorageProvider,
  config: StorageConfig,
  key: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    await storage.remove([key], { signal });
  } catch (error) {
    if (!(error instanceof ObjectLockedError)) throw error;
    return "the store's lock keeps it, as it will keep backups; a doctor after the lock's end removes it";
  }
  return removedAtOnce(config) ?? "it was removed";
}

/** Removes what earlier doctors had to leave, because it was locked or they were ended. What is still locked stays. */
async function removeLeftovers(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<void> {
  const start = jobFolder(job).length + 1;
  for await (const { key, modified } of storage.list(jobFolder(job), { signal })) {
    if (!PROBE.test(key.slice(start)) || Date.now() - modified.getTime() < LEFT_BEHIND_MS) continue;
    await storage.remove([key], { signal }).catch(() => undefined);
  }
}
