import pMap from "p-map";
import { ProviderError } from "../../../providers/errors.ts";
import {
  ANOMALY,
  backupKey,
  COPIED,
  DRILL,
  HOLD,
  jobFolder,
  MANIFEST,
  recordTime,
  VERIFICATION,
} from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import { describeAnomaly } from "../anomaly.ts";
import { timeOfBackup } from "./backup-id.ts";
import type { BackedUpDatabase, BackupFolder, BackupState, Hold, JobName, ListedFolder } from "./backup-folder.ts";
import { databaseOf } from "./database-identity.ts";
import { isAhead } from "./future.ts";
import { DOCUMENT_BYTES, MANIFEST_OBJECTS } from "../documents/document-bounds.ts";
import { hasArchive, Manifest, unknownFormat } from "../documents/manifest.ts";
import { byOrder, orderOf } from "./order.ts";
import { ForeignBackupError, requireOwn } from "./own-backup.ts";
import { nameOf, RecordReader, unusable } from "../documents/record-reader.ts";
import { isLater, recordsOf, timeIn, type OutcomeRecord } from "../documents/records.ts";
import { isOlderThan, proofOf, requireProvenRecord, UnprovenBackupError } from "../documents/proof.ts";
import { openSealed, parseSealed, unknownDocument } from "../documents/sealed-json.ts";
import { readTwice } from "../second-read.ts";
import { manifestRead } from "../../stream/garbage.ts";

/** Bytes of a manifest that is read alone: one of some 5,000 tables. */
const LARGE = 512 * 1024;

/** Other backups whose manifest and records are read at the same time. */
const PARALLEL = 8;

/** The folders of a job's backups in a store, unfinished ones included, by their ids. Nothing is read. */
export async function listFolders(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): Promise<ListedFolder[]> {
  const folders = new Map<string, StoredObject[]>();
  const start = jobFolder(job).length + 1;
  for await (const object of storage.list(jobFolder(job), { signal })) {
    const [id = "", ...rest] = object.key.slice(start).split("/");
    if (rest.length === 0 || !timeOfBackup(id)) continue;
    const files = folders.get(id);
    if (files) files.push(object);
    else folders.set(id, [object]);
  }
  return [...folders].map(([id, files]) => describe(job, id, files)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * A job's backups in a store, unfinished and foreign ones included, the oldest first. Reads the manifest and the records of each, several
 * at the same time: what a name claims counts only if its file says so.
 *
 * @param only a backup's id: of the others nothing is read, and they are left out
 */
export async function listBackups(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
  only?: string,
): Promise<BackupFolder[]> {
  const folders = await listFolders(storage, job, signal);
  return readFolders(
    folders.filter(({ id }) => only === undefined || id === only),
    (folder) => readBackup(storage, job, folder, signal),
  );
}

/**
 * The same of all backups, with every record of a drill: the others read as few as tell how a backup stands.
 *
 * @param visit gets each backup's manifest that can be read
 */
export async function listInFull(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
  visit: (manifest: Manifest) => void,
): Promise<BackupFolder[]> {
  const folders = await listFolders(storage, job, signal);
  return readFolders(folders, (folder) => readBackup(storage, job, folder, signal, visit));
}

async function readFolders(
  wanted: readonly ListedFolder[],
  readOne: (folder: ListedFolder) => Promise<BackupFolder>,
): Promise<BackupFolder[]> {
  const read = (some: ListedFolder[], concurrency: number) => pMap(some, readOne, { concurrency });
  // One of the largest takes a quarter of a gigabyte of memory.
  const [large, small] = [true, false].map((is) => wanted.filter((folder) => hasLargeDocument(folder) === is));
  return [...(await read(small ?? [], PARALLEL)), ...(await read(large ?? [], 1))].sort(byOrder);
}

/**
 * A job's backups in a store by their ids, the newest first, a few at a time: for those who need only the first of some kind. Those from
 * the future are left out, and what decides nothing.
 */
export async function* newestFirst(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): AsyncGenerator<BackupFolder> {
  const now = new Date();
  const all = await listFolders(storage, job, signal);
  const folders = all.filter(({ whole, time }) => whole && !isAhead(time, now)).reverse();
  const count = folders.some(hasLargeDocument) ? 1 : PARALLEL;
  for (let from = 0; from < folders.length; from += count) {
    const some = folders.slice(from, from + count);
    const read = await Promise.all(some.map((folder) => readBackup(storage, job, folder, signal)));
    yield* read.filter(({ decides }) => decides);
  }
}

/**
 * As {@link listBackups}, but a folder without a manifest is no backup. One with the manifest of another backup is listed as
 * `foreign`.
 */
export async function listWhole(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
  only?: string,
): Promise<BackupFolder[]> {
  return (await listBackups(storage, job, signal, only)).filter(({ state }) => state !== "unfinished");
}

/** The names of the records beside a backup that count; see {@link recordsOf} and {@link provenRecords}. */
export async function recordsBeside(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
): Promise<string[]> {
  const names: string[] = [];
  for await (const object of storage.list(`${jobFolder(job)}/${id}`, { signal })) names.push(nameOf(object));
  return provenRecords(storage, job, id, recordsOf(names), signal);
}

/**
 * Those of a backup's records that are signed; all where the job has no keys, or had none then. A record must not say that it is later
 * than a forged one: a true one may bear that name afterwards.
 */
export async function provenRecords(
  storage: StorageProvider,
  job: JobName,
  id: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  if (job.keys === undefined || isOlderThan(job.keys, id)) return [...names];
  const proven: string[] = [];
  for (const name of names) {
    const key = backupKey(job, id, name);
    try {
      requireProvenRecord(job, key, await readDocument(storage, key, signal));
      proven.push(name);
    } catch (error) {
      unusable(error);
    }
  }
  return proven;
}

/**
 * A backup's manifest. `NOT_FOUND` where there is none, `INTEGRITY` where it is that of another backup, or damaged also when it is
 * read again.
 *
 * @param warn called with what was wrong the first time, if it was whole the second time.
 */
export async function readManifest(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
  warn: (problem: ProviderError) => void = () => undefined,
): Promise<Manifest> {
  return (await readOpenManifest(storage, job, id, signal, warn)).manifest;
}

function readOpenManifest(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
  warn: (problem: ProviderError) => void = () => undefined,
  proven: (signed: boolean | undefined) => void = () => undefined,
): Promise<OpenManifest> {
  const key = backupKey(job, id, MANIFEST);
  return readTwice(async () => {
    const bytes = await readDocument(storage, key, signal);
    const open = openManifest(job, id, bytes, proven);
    manifestRead(bytes.length);
    return open;
  }, warn);
}

/** A manifest, and whether it is signed; see {@link BackupFolder}. */
interface OpenManifest {
  readonly manifest: Manifest;
  readonly signed: boolean | undefined;
}

/**
 * The manifest in a document's bytes. `INTEGRITY` where they are damaged, forged or the manifest of another backup.
 *
 * @param proven called with whether it is signed, before its format is looked at.
 */
export function openManifest(
  job: JobName,
  id: string,
  bytes: Buffer,
  proven: (signed: boolean | undefined) => void = () => undefined,
): OpenManifest {
  const key = backupKey(job, id, MANIFEST);
  // The decoding keeps a byte order mark, which `text` of a stream would drop without a word.
  const document = openSealed(key, bytes.toString("utf8"));
  requireOwn(job, id, document);
  const signed = proofOf(job, id, document);
  proven(signed);
  const manifest = parseSealed(key, document, Manifest);
  const unknown = unknownFormat(manifest);
  if (unknown !== undefined) throw unknownDocument(key, `it has an object of the format ${JSON.stringify(unknown)}`);
  const count = manifest.objects.length;
  if (count <= MANIFEST_OBJECTS) return { manifest, signed };
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
    fix: "Find out what writes there. What is damaged is kept until a person removes it.",
  });
}

function hasLargeDocument({ files }: ListedFolder): boolean {
  return files.some(({ key, size }) => size > LARGE && key.endsWith(".json"));
}

function describe(job: JobName, id: string, files: readonly StoredObject[]): ListedFolder {
  const names = files.map(nameOf);
  const copied = names.flatMap((name) => timeIn(name, COPIED) ?? []).map(Number);
  return {
    id,
    folder: `${jobFolder(job)}/${id}`,
    time: timeOfBackup(id) ?? new Date(0),
    whole: names.includes(MANIFEST),
    copied: copied.length > 0 ? new Date(Math.max(...copied)) : undefined,
    size: files.reduce((sum, file) => sum + file.size, 0),
    files,
  };
}

/**
 * Reads how a backup stands: its manifest, and as few of its records as tell it.
 *
 * @param visit gets its manifest; then all records of its drills are read
 */
async function readBackup(
  storage: StorageProvider,
  job: JobName,
  folder: ListedFolder,
  signal: AbortSignal,
  visit?: (manifest: Manifest) => void,
): Promise<BackupFolder> {
  const { id, time, files } = folder;
  const manifest = files.find((file) => nameOf(file) === MANIFEST);
  if (manifest === undefined) {
    const nothing = { drill: undefined, records: [], warnings: [] };
    return { ...folder, ...nothing, state: "unfinished", decides: job.keys === undefined, order: time.getTime() };
  }
  const warnings: string[] = [];
  let order = time.getTime();
  let database: BackedUpDatabase | undefined;
  let state: BackupState | undefined;
  let signed = undefined as boolean | undefined;
  try {
    const { manifest: content } = await readOpenManifest(storage, job, id, signal, undefined, (is) => {
      signed = is;
    });
    visit?.(content);
    order = orderOf(time, manifest.modified, content);
    database = databaseOf(content);
    if (!hasArchive(content)) {
      warnings.push(`${manifest.key} names no archive of a database.`);
      state = "damaged";
    }
  } catch (error) {
    const decides = job.keys === undefined;
    const nothing = { ...folder, decides, order, drill: undefined, records: [], warnings };
    if (error instanceof ForeignBackupError) return { ...nothing, state: "foreign", foreign: error };
    if (error instanceof UnprovenBackupError) return { ...nothing, state: "unproven", unproven: error };
    const { code, message } = unusable(error);
    warnings.push(message);
    state = code === "INTEGRITY" ? "damaged" : "unreadable";
  }
  const read = async (key: string) => {
    const bytes = await readDocument(storage, key, signal);
    // Only beside a backup of before there was a key, a record may lack a signature.
    if (signed !== false) requireProvenRecord(job, key, bytes);
    return bytes;
  };
  const reader = new RecordReader(id, files, read, warnings);
  const verification = await reader.standing(VERIFICATION);
  const drill = await reader.standing(DRILL, visit !== undefined);
  await reader.standing(HOLD, true);
  const holds = holdsOf(files, reader.records);
  const anomaly = await reader.standing(ANOMALY);
  const unusual = anomaly && {
    findings: (anomaly.anomaly?.anomalies ?? []).map(describeAnomaly),
    suspicious: anomaly.outcome === ANOMALY.bad,
    accepted: anomaly.anomaly?.accepted,
  };
  state ??= verification?.outcome ?? "unverified";
  const decides = job.keys === undefined || signed === true;
  return {
    ...folder,
    state,
    database,
    signed,
    decides,
    order,
    drill,
    holds,
    unusual,
    records: reader.records,
    warnings,
  };
}

/** The holds on a backup that no release ends. A record that cannot be read holds, unless a release that can be read knows of it. */
function holdsOf(files: readonly StoredObject[], read: readonly OutcomeRecord[]): Hold[] {
  const releases = read.filter(({ outcome }) => outcome === HOLD.good);
  const holds = files.map(nameOf).flatMap((name): Hold[] => {
    const id = recordTime(name, HOLD.bad);
    if (id === undefined || timeIn(name, HOLD.bad) === undefined) return [];
    const record = read.find((each) => each.name === name);
    const ends = (release: OutcomeRecord) =>
      // A hold that knows of the release is later: it took the name of a forged one that the release ended.
      record?.after?.includes(release.name) !== true &&
      (release.hold?.ends?.includes(name) ??
        (record ? isLater(release, record) : release.after?.includes(name) === true));
    if (releases.some(ends)) return [];
    const { reason = `its record ${name} cannot be read`, until } = record?.hold ?? {};
    return [{ id, reason, since: record?.time, until: until === undefined ? undefined : new Date(until) }];
  });
  return holds.sort((a, b) => (b.until?.getTime() ?? Infinity) - (a.until?.getTime() ?? Infinity) || 0);
}

/** Lists and reads a backup again. */
export async function readAgain(
  storage: StorageProvider,
  job: JobName,
  { id }: ListedFolder,
  signal: AbortSignal,
): Promise<BackupFolder> {
  const files: StoredObject[] = [];
  for await (const object of storage.list(`${jobFolder(job)}/${id}`, { signal })) files.push(object);
  return readBackup(storage, job, describe(job, id, files), signal);
}
