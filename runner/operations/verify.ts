import type { Reader, TableRows } from "../../providers/database/database.ts";
import { countArtifactRows, databaseKind, verifyArtifact } from "../../providers/database/index.ts";
import { ProviderError } from "../../providers/errors.ts";
import { backupKey, FILE_INDEX, MANIFEST, VERIFICATION } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { JobName } from "../backups/catalogue/backup-folder.ts";
import { recordsBeside, readManifest } from "../backups/catalogue/catalogue.ts";
import { listable } from "../backups/documents/document-bounds.ts";
import { verifyFiles, type Found } from "./files/verify-files.ts";
import { hasArchive, type Manifest, type VerificationRecord } from "../backups/documents/manifest.ts";
import { ForeignBackupError } from "../backups/catalogue/own-backup.ts";
import { DamagedObjectError, checkStored, openPlain } from "../backups/open-plain.ts";
import { UnprovenBackupError } from "../backups/documents/proof.ts";
import { PROGRAM } from "../version.ts";
import { flakyTransfer, wholeAfter } from "../backups/second-read.ts";
import { bytesToRead, Tally, type OnProgress } from "../backups/tally.ts";
import { writeRecord } from "../backups/documents/write-record.ts";

/** What a verification found. */
export interface Verification {
  readonly id: string;
  /**
   * `verified`: every object was read to its end, decrypted, decompressed and parsed. `damaged`: some object is not what
   * was written. `stored`: the stored bytes are what was written, but without the identity no more is known. `foreign`: the
   * manifest is that of another backup; `unproven`: its signature is missing or
   * wrong. Nothing is recorded beside these two.
   */
  readonly outcome: "verified" | "damaged" | "stored" | "foreign" | "unproven";
  /** What is wrong, one entry an object. */
  readonly problems: readonly string[];
  /** What arrived damaged and was whole when it was read again, one entry an object; left out for none. */
  readonly warnings?: readonly string[];
  /** The bytes may have come from this machine's memory, where they still were from being written; left out where they did not. */
  readonly fromMemory?: true;
}

/** What results say where {@link Verification.fromMemory} is set. */
export const FROM_MEMORY = "from this machine's memory";

/** What {@link verify} reads. */
export interface VerifyOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly id: string;
  /** What the job's database says of the programs that read it. */
  readonly programs: Reader;
  /** The key of an encrypted object, by its file name; undefined where nobody has it. */
  readonly fileKeyOf: (file: string) => FileKeySource | undefined;
  /**
   * Whether the content of a file of the backup may go unread, by its object: because it was read when an earlier backup was
   * verified, and is still there. Default: everything is read.
   */
  readonly skipContent?: (object: string) => boolean;
  /** Names of records that come later although what they tell is older: those of the store that this one was copied from. */
  readonly alsoAfter?: readonly string[];
  /** Hears how many rows the archive has, before a good outcome is recorded. Counting costs some 1.1 s for each GB of narrow rows. */
  readonly counted?: ((rows: readonly TableRows[]) => Promise<void>) | undefined;
  /** Hears how much of the backup has been read. */
  readonly progress?: OnProgress;
  readonly signal: AbortSignal;
}

/**
 * Reads a backup in full and records the outcome beside it.
 *
 * @throws ProviderError where the store or this machine did not let it be read; that says nothing of the backup.
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { storage, job, id, alsoAfter = [], signal } = options;
  const problems: string[] = [];
  const warnings: string[] = [];
  const rows: TableRows[] = [];
  let complete = true;
  // What comes while this reads may be about other bytes than those that it has read.
  const after = [...new Set([...(await recordsBeside(storage, job, id, signal)), ...alsoAfter])];
  try {
    for await (const result of readObjects(options, rows)) {
      if (typeof result === "string") {
        problems.push(result);
        continue;
      }
      complete &&= result.inFull;
      if (result.warning !== undefined) warnings.push(result.warning);
    }
  } catch (error) {
    if (error instanceof ForeignBackupError) return { id, outcome: "foreign", problems: [error.message] };
    if (error instanceof UnprovenBackupError) return { id, outcome: "unproven", problems: [error.message] };
    throw error;
  }
  const told = {
    problems,
    ...(warnings.length > 0 && { warnings }),
    ...(storage.readsMemory === true && { fromMemory: true as const }),
  };
  if (problems.length === 0 && !complete) return { id, outcome: "stored", ...told };
  const outcome = problems.length > 0 ? VERIFICATION.bad : VERIFICATION.good;
  if (outcome === VERIFICATION.good) await options.counted?.(rows);
  await record(options, { outcome, after, problems });
  return { id, outcome, ...told };
}

/**
 * Reads the manifest and every object: for each what is wrong with it, or whether it could be read in full.
 *
 * @param rows takes the counts, where they are wanted
 */
async function* readObjects(options: VerifyOptions, rows: TableRows[]): AsyncGenerator<Found> {
  const { storage, job, id, signal } = options;
  let manifest: Manifest;
  const told: string[] = [];
  try {
    manifest = await readManifest(storage, job, id, signal, (problem) => {
      told.push(flakyTransfer(storage.description, problem));
    });
    for (const warning of told) yield { inFull: true, warning };
  } catch (error) {
    if (error instanceof ForeignBackupError || error instanceof UnprovenBackupError) throw error;
    if (!(error instanceof ProviderError && error.code === "INTEGRITY")) throw error;
    yield error.message;
    return;
  }
  if (!hasArchive(manifest)) yield `${backupKey(job, id, MANIFEST)} names no archive of a database.`;
  const tally = new Tally(bytesToRead(manifest), options.progress);
  for (const object of manifest.objects) {
    if (object.format === FILE_INDEX.format) {
      tally.skip(object.stored.size);
      yield* verifyFiles({ ...options, manifest, tally }, problemOf);
      continue;
    }
    const fileKey = options.fileKeyOf(object.file);
    const inFull = object.encryption === null || fileKey !== undefined;
    const key = backupKey(job, id, object.file);
    const source = { storage, key, object, fileKey, passed: tally.object(), fromMedium: true };
    const artifact = { name: object.artifact, format: object.format, clientVersion: manifest.database.clientVersion };
    const database = { ...options.programs, kind: manifest.database.kind };
    const counts = options.counted && databaseKind(database.kind).formats[object.format] === "archive";
    const read = async () => {
      if (!inFull) await checkStored(source, signal);
      else if (counts !== true) await verifyArtifact(database, artifact, openPlain(source, signal), signal);
      else rows.push(...(await countArtifactRows(database, artifact, openPlain(source, signal), signal)));
    };
    try {
      yield { inFull, ...(await wholeAfter(storage.description, read)) };
    } catch (error) {
      yield problemOf(key, error);
    }
  }
}

function problemOf(key: string, error: unknown): string {
  if (!(error instanceof ProviderError)) throw error;
  if (error.code !== "INTEGRITY") throw error;
  return error instanceof DamagedObjectError && error.key === key ? error.message : `${key}: ${error.message}`;
}

async function record(
  options: VerifyOptions,
  found: Pick<VerificationRecord, "outcome" | "after" | "problems">,
): Promise<void> {
  const common = { format: 1, id: options.id, program: PROGRAM, ...found, ...listable(found.problems) } as const;
  await writeRecord(options, (at): VerificationRecord => ({ ...common, checkedAt: at.toISOString() }));
}
