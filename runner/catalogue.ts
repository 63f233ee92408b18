import pMap from "p-map";
import { ProviderError } from "../providers/errors.ts";
import type { StorageProvider, StoredObject } from "../providers/storage/storage.ts";
import { parseTimestamp, timeOfBackup, timestamp } from "./backup-id.ts";
import { type BackedUpDatabase, databaseOf } from "./database-identity.ts";
import { DOCUMENT_BYTES, MANIFEST_OBJECTS } from "./document-bounds.ts";
import { Manifest } from "./manifest.ts";
import { ForeignBackupError, requireOwn } from "./own-backup.ts";
import { openSealed, parseSealed } from "./sealed-json.ts";
import { readTwice } from "./second-read.ts";

/** Name of the file that makes a folder a backup. */
export const MANIFEST = "manifest.json";

/** Bytes of a manifest that is read alone. */
const LARGE = 1024 * 1024;

/** Other manifests that a listing reads at the same time. */
const PARALLEL = 8;

/**
 * How a backup stands: `unfinished` has no manifest and is no backup; `foreign` has the manifest of another backup and is none
 * of this job; `verified` and `damaged` tell the newest verification; `unverified` was never read back in full.
 */
export type BackupState = "unfinished" | "foreign" | "unverified" | "verified" | "damaged";

/** What the outcomes of verifications and drills are called in the names of their records. */
const RECORDS = /^(verified|damaged|drilled|drill-failed)-\d{8}T\d{6}Z\.json$/;

/** How the newest drill of a backup ended, and when. */
export interface DrillOutcome {
  readonly outcome: "drilled" | "drill-failed";
  readonly time: Date;
}

/** A backup's folder in one store. */
export interface BackupFolder {
  readonly id: string;
  readonly time: Date;
  readonly state: BackupState;
  /** What is wrong with a `foreign` one; undefined for all others. */
  readonly foreign?: ForeignBackupError | undefined;
  /** Which database it is of; undefined where the manifest does not say or could not be read. */
  readonly database?: BackedUpDatabase | undefined;
  /** Undefined where it was never drilled. */
  readonly drill: DrillOutcome | undefined;
  /** When it was last begun to be copied here from another store; undefined where it was made here. */
  readonly copied: Date | undefined;
  /** Bytes of all its files. */
  readonly size: number;
  readonly files: readonly StoredObject[];
}

/** The part of a configuration that tells where a job's backups are. */
export interface JobName {
  readonly stack: string;
  readonly name: string;
}

/** The folder of all backups of a job. */
export function jobFolder(job: JobName): string {
  return `${job.stack}/${job.name}`;
}

/** The key of a file in a backup's folder. */
export function backupKey(job: JobName, id: string, file: string): string {
  return `${jobFolder(job)}/${id}/${file}`;
}

/** The name of the file that records an outcome beside a backup. */
export function recordName(outcome: string, time: Date): string {
  return `${outcome}-${timestamp(time)}.json`;
}

/** The names of the records of verifications and drills among a backup's files. */
export function recordsOf(names: Iterable<string>): string[] {
  return [...names].filter((name) => RECORDS.test(name));
}

/** A job's backups in a store, unfinished and foreign ones included, the oldest first. Reads the manifest of each. */
export async function listBackups(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): Promise<BackupFolder[]> {
  const folders = new Map<string, StoredObject[]>();
  const start = jobFolder(job).length + 1;
  for await (const object of storage.list(jobFolder(job), { signal })) {
    const [id = "", ...rest] = object.key.slice(start).split("/");
    if (rest.length === 0 || !timeOfBackup(id)) continue;
    const files = folders.get(id);
    if (files) files.push(object);
    else folders.set(id, [object]);
  }
  const backups = [...folders].map(([id, files]) => describe(id, files));
  const read = (some: BackupFolder[], concurrency: number) =>
    pMap(some, (backup) => withManifest(storage, job, backup, signal), { concurrency });
  // One of the largest takes a quarter of a gigabyte of memory.
  const [large, small] = [true, false].map((is) => backups.filter((backup) => hasLargeManifest(backup) === is));
  return [...(await read(small ?? [], PARALLEL)), ...(await read(large ?? [], 1))].sort(byId);
}

/**
 * A job's backups in a store, the oldest first. A folder without a manifest is none; one with the manifest of another backup is
 * listed as `foreign`.
 */
export async function listWhole(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<BackupFolder[]> {
  return (await listBackups(storage, job, signal)).filter(({ state }) => state !== "unfinished");
}

/**
 * A backup's manifest. `NOT_FOUND` where there is none, `INTEGRITY` where it is that of another backup, or damaged also when it is
 * read again.
 *
 * @param warn is told what was wrong the first time, if it was whole the second time.
 */
export async function readManifest(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
  warn: (problem: ProviderError) => void = () => undefined,
): Promise<Manifest> {
  const key = backupKey(job, id, MANIFEST);
  return readTwice(async () => parseManifest(job, id, await readDocument(storage, key, signal)), warn);
}

/** The manifest in a document's bytes. `INTEGRITY` where they are damaged or the manifest of another backup. */
export function parseManifest(job: JobName, id: string, bytes: Buffer): Manifest {
  const key = backupKey(job, id, MANIFEST);
  // The decoding keeps a byte order mark, which `text` of a stream would drop without a word.
  const document = openSealed(key, bytes.toString("utf8"));
  requireOwn(job, id, document);
  const manifest = parseSealed(key, document, Manifest);
  const count = manifest.objects.length;
  if (count <= MANIFEST_OBJECTS) return manifest;
  throw new ProviderError("INTEGRITY", `${key} names ${count} objects, and a backup has at most ${MANIFEST_OBJECTS}.`);
}

/** All bytes of a manifest or a record. `INTEGRITY`, without reading on, where it has more than such a document may have. */
export async function readDocument(storage: StorageProvider, key: string, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of (await storage.download(key, { signal })) as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > DOCUMENT_BYTES) throw await tooLarge(storage, key, signal);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

async function tooLarge(storage: StorageProvider, key: string, signal: AbortSignal): Promise<ProviderError> {
  const { size } = await storage.stat(key, { signal });
  return new ProviderError("INTEGRITY", `${key} has ${size} bytes, and such a file has at most ${DOCUMENT_BYTES}.`, {
    fix: "Look who writes there. What is damaged is kept until a person removes it.",
  });
}

function byId(one: BackupFolder, other: BackupFolder): number {
  return one.id < other.id ? -1 : 1;
}

function hasLargeManifest({ files }: BackupFolder): boolean {
  return files.some(({ key, size }) => size > LARGE && key.endsWith(`/${MANIFEST}`));
}

/** The backup with its database, or as `foreign` where its manifest is that of another. What else is wrong with a manifest, a verification tells. */
async function withManifest(
  storage: StorageProvider,
  job: JobName,
  backup: BackupFolder,
  signal: AbortSignal,
): Promise<BackupFolder> {
  if (backup.state === "unfinished") return backup;
  try {
    const database = databaseOf(await readManifest(storage, job, backup.id, signal));
    return database === undefined ? backup : { ...backup, database };
  } catch (error) {
    if (error instanceof ForeignBackupError) return { ...backup, state: "foreign", foreign: error };
    if (error instanceof ProviderError && ["INTEGRITY", "CONFIG", "NOT_FOUND"].includes(error.code)) return backup;
    throw error;
  }
}

function describe(id: string, files: readonly StoredObject[]): BackupFolder {
  const names = files.map((file) => file.key.slice(file.key.lastIndexOf("/") + 1));
  return {
    id,
    time: timeOfBackup(id) ?? new Date(0),
    state: names.includes(MANIFEST)
      ? (newestRecord(names, ["verified", "damaged"])?.outcome ?? "unverified")
      : "unfinished",
    drill: newestRecord(names, ["drilled", "drill-failed"]),
    copied: newestRecord(names, ["copied"])?.time,
    size: files.reduce((sum, file) => sum + file.size, 0),
    files,
  };
}

/** The newest of the records in a folder, by their names. Of two of one second the bad news, named last, counts. */
function newestRecord<Outcome extends string>(
  names: readonly string[],
  outcomes: readonly Outcome[],
): { outcome: Outcome; time: Date } | undefined {
  let newest: { outcome: Outcome; time: Date } | undefined;
  for (const outcome of outcomes) {
    for (const name of names) {
      if (!name.startsWith(`${outcome}-`) || !name.endsWith(".json")) continue;
      const time = parseTimestamp(name.slice(outcome.length + 1, -".json".length));
      if (time && (!newest || time >= newest.time)) newest = { outcome, time };
    }
  }
  return newest;
}
