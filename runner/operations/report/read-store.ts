import pMap from "p-map";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { figuresOf } from "../../backups/anomaly.ts";
import type { BackupFolder, JobName } from "../../backups/catalogue/backup-folder.ts";
import { listInFull } from "../../backups/catalogue/catalogue.ts";
import { databaseObjects, type Manifest } from "../../backups/documents/manifest.ts";

/** Requests for locks that are made at the same time. */
const PARALLEL = 8;

/** What a report shows of a manifest: little, since a year of them is in memory at once. */
export interface ManifestFacts {
  readonly seconds: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly encrypted: boolean;
  /** The databases that it has archives of, where it is of several. */
  readonly databases: readonly string[];
  readonly omitted: Manifest["omitted"];
}

/** What one destination holds of a job. */
export interface StoreContents {
  /** The destination's place in the job. */
  readonly number: number;
  readonly description: string;
  /** The oldest first. Folders without a manifest are left out. */
  readonly backups: readonly BackupFolder[];
  /** By the backup's id; none where its manifest cannot be read. */
  readonly facts: ReadonlyMap<string, ManifestFacts>;
  /** By the backup's id: until when the store locks it. */
  readonly locks: ReadonlyMap<string, Date>;
}

/**
 * Reads all manifests and records of a job in one destination, several at a time, and nothing else.
 *
 * @param number the destination's place in the job
 */
export async function readStore(
  storage: StorageProvider,
  number: number,
  job: JobName,
  signal: AbortSignal,
): Promise<StoreContents> {
  const facts = new Map<string, ManifestFacts>();
  const all = await listInFull(storage, job, signal, (manifest) => facts.set(manifest.id, factsOf(manifest)));
  const backups = all.filter(({ state }) => state !== "unfinished");
  const locks = await readLocks(storage, backups, signal);
  return { number, description: storage.description, backups, facts, locks };
}

function factsOf(manifest: Manifest): ManifestFacts {
  const { storedBytes, plainBytes, seconds } = figuresOf(manifest);
  const { objects, omitted } = manifest;
  return {
    ...{ seconds, storedBytes, plainBytes, omitted },
    encrypted: objects.some(({ encryption }) => encryption !== null),
    databases: databaseObjects(manifest).flatMap(({ database }) => database ?? []),
  };
}

/** A lock ends first on the object that was stored first. */
async function readLocks(
  storage: StorageProvider,
  backups: readonly BackupFolder[],
  signal: AbortSignal,
): Promise<Map<string, Date>> {
  const locks = new Map<string, Date>();
  if (!storage.lockedUntil) return locks;
  const readOne = async ({ id, files }: BackupFolder) => {
    const [first] = [...files].sort((a, b) => a.modified.getTime() - b.modified.getTime());
    const until = first && (await storage.lockedUntil?.(first.key, { signal }));
    if (until) locks.set(id, until);
  };
  await pMap(backups, readOne, { concurrency: PARALLEL });
  return locks;
}
