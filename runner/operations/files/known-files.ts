import { ProviderError, toProviderError } from "../../../providers/errors.ts";
import { backupKey, recordTime, VERIFICATION } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { BackupFolder, JobName } from "../../backups/catalogue/backup-folder.ts";
import { listWhole, provenRecords, readDocument, readManifest } from "../../backups/catalogue/catalogue.ts";
import { VerificationRecord } from "../../backups/documents/manifest.ts";
import { nameOf } from "../../backups/documents/record-reader.ts";
import { unseal } from "../../backups/documents/sealed-json.ts";
import { encryptionOf, type FileEntry } from "./file-entry.ts";
import { fileIndexOf, readFileIndex } from "./file-index.ts";
import { contentKey, listContents } from "./file-pool.ts";

/** What {@link knownFiles} goes by. */
export interface KnownFilesOptions {
  readonly stores: readonly StorageProvider[];
  readonly job: JobName;
  /** The age public keys that the new backup is for: exactly they must be able to read what it refers to. */
  readonly recipients: readonly string[];
  /** Only what a verification has read to its end may be referred to: the new backup will count as verified with it. */
  readonly verifies: boolean;
  /** Called with a store that cannot be asked. */
  readonly dropStore: (storage: StorageProvider, error: ProviderError) => void;
  readonly signal: AbortSignal;
}

/** The entries of a backup by their id, and the SHA-256 of the index that they are from. */
interface Known {
  readonly index: string;
  readonly entries: Map<string, FileEntry>;
}

/**
 * The files that need not be copied again, by their id: those whose content every store has under the same key, by its newest
 * usable backup and by its own listing. A content that one store lacks is copied to all of them again, since one index serves
 * them all.
 *
 * A backup is usable if it is not damaged, is for the same recipients, and was read in full where the new one will be. Of its
 * contents those are left out that a verification of any backup has found damaged.
 *
 * Measured: 0.9 KB of memory a file, 1.3 KB where names are encrypted; twice as much for a moment where the stores' newest
 * backups differ.
 */
export async function knownFiles(options: KnownFilesOptions): Promise<ReadonlyMap<string, FileEntry>> {
  let known: Known | undefined;
  for (const storage of options.stores) {
    try {
      known = await knownTo(storage, options, known);
    } catch (error) {
      if (options.signal.aborted) throw error;
      options.dropStore(storage, toProviderError(error));
    }
  }
  return known?.entries ?? new Map<string, FileEntry>();
}

/** What is known to a store and to those before it. */
async function knownTo(
  storage: StorageProvider,
  options: KnownFilesOptions,
  before: Known | undefined,
): Promise<Known> {
  const { job, signal, verifies } = options;
  const all = await listWhole(storage, job, signal);
  // What is not signed may be forged, and must not become part of what is.
  const backups = all.filter(({ decides }) => decides);
  const damaged = await ifReadable(() => foundDamaged(storage, job, backups, signal));
  const usable = backups.filter(({ state }) => state === "verified" || (!verifies && state === "unverified"));
  // Without knowing what is damaged, nothing can be referred to.
  for (const { id } of damaged ? usable.reverse() : []) {
    const found = await ifReadable(() => entriesOf(storage, id, options, before));
    if (found === undefined) continue;
    const sizes = new Map<string, number>();
    for await (const { object, size } of listContents(storage, job, signal)) sizes.set(object, size);
    for (const object of damaged ?? []) sizes.delete(object);
    const { entries } = before ?? found;
    for (const [file, { object, stored }] of entries) {
      const isHere = found.entries.get(file)?.object === object && sizes.get(object) === stored.size;
      if (!isHere) entries.delete(file);
    }
    return before ?? found;
  }
  return { index: "", entries: new Map() };
}

/** What the work reads; undefined where what is stored is damaged, gone, or of a newer version. */
async function ifReadable<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProviderError && ["INTEGRITY", "CONFIG", "NOT_FOUND"].includes(error.code)) return undefined;
    throw error;
  }
}

/** The entries of a backup; undefined where it has none, or they are for others. An index that was read is not read again. */
async function entriesOf(
  storage: StorageProvider,
  id: string,
  { job, recipients, signal }: KnownFilesOptions,
  before: Known | undefined,
): Promise<Known | undefined> {
  const manifest = await readManifest(storage, job, id, signal);
  const plain = fileIndexOf(manifest)?.plain;
  const index = plain && "sha256" in plain ? plain.sha256 : undefined;
  if (index === undefined || !areSame(manifest.recipients, recipients)) return undefined;
  if (index === before?.index) return before;
  const entries = new Map<string, FileEntry>();
  for await (const entry of readFileIndex({ storage, job, manifest }, signal)) {
    // An older version referred to what was stored before encryption was turned on or off.
    if ((encryptionOf(entry) === "age") === recipients.length > 0) entries.set(entry.id, entry);
  }
  return { index, entries };
}

function areSame(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify([...some].sort()) === JSON.stringify([...others].sort());
}

/** The contents that the verifications of damaged backups name. Other backups may refer to them. */
async function foundDamaged(
  storage: StorageProvider,
  job: JobName,
  backups: readonly BackupFolder[],
  signal: AbortSignal,
): Promise<string[]> {
  const records: string[] = [];
  for (const { id, files } of backups.filter(({ state }) => state === "damaged")) {
    const names = files.map(nameOf).filter((name) => recordTime(name, VERIFICATION.bad) !== undefined);
    for (const name of await provenRecords(storage, job, id, names, signal)) records.push(backupKey(job, id, name));
  }
  const start = contentKey(job, "");
  const objects: string[] = [];
  for (const key of records) {
    const text = (await readDocument(storage, key, signal)).toString("utf8");
    const { problems, more } = unseal(key, text, VerificationRecord);
    if (more !== undefined) throw new ProviderError("NOT_FOUND", `${key} does not name all of what is damaged.`);
    for (const problem of problems) {
      if (problem.startsWith(start)) objects.push(problem.slice(start.length).split(":", 1)[0] ?? "");
    }
  }
  return objects;
}
