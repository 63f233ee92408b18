import { Readable } from "node:stream";
import type { Reader } from "../../providers/database/database.ts";
import { abortedError, ProviderError, toProviderError } from "../../providers/errors.ts";
import { backupKey, COPIED, jobFolder, MANIFEST, VERIFICATION } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { StoredObject } from "../../providers/transfer/object.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { JobName } from "../backups/catalogue/backup-folder.ts";
import { openManifest, provenRecords, readDocument, readManifest } from "../backups/catalogue/catalogue.ts";
import type { CopyRecord, Manifest, ManifestObject } from "../backups/documents/manifest.ts";
import { copyContents } from "./files/copy-contents.ts";
import { checkStored, explain, openStored } from "../backups/open-plain.ts";
import { PROGRAM } from "../version.ts";
import { recordName, recordsOf, timeIn } from "../backups/documents/records.ts";
import { flakyTransfer, readTwice } from "../backups/second-read.ts";
import { seal } from "../backups/documents/sealed-json.ts";
import { bytesToRead, Tally, weightOf, type OnProgress } from "../backups/tally.ts";
import type { Telemetry } from "../run/telemetry.ts";
import { verify, type Verification } from "./verify.ts";
import { writeDocument } from "../backups/documents/write-document.ts";

/** A job's backups in a store. */
interface Place {
  readonly storage: StorageProvider;
  readonly job: JobName;
}

/** What is copied, and how. */
export interface CopyOptions {
  readonly from: Place;
  readonly to: Place;
  readonly id: string;
  /** Reads the copy back; undefined leaves that out, and with it the records of what was read elsewhere. */
  readonly verify: { readonly programs: Reader; readonly identity: FileKeySource | undefined } | undefined;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/** What a copy did. */
export interface CopyReport {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** `present`: it was there already, and at most a record was added. */
  readonly status: "copied" | "present";
  /** Objects that were copied, and objects of an earlier attempt that were read back and kept. */
  readonly copied: number;
  readonly kept: number;
  /** Bytes of the objects that were copied. */
  readonly bytes: number;
  /** What arrived damaged and was whole when it was read again, one entry an object. */
  readonly warnings: readonly string[];
  /** Undefined where verification was left out, or nothing was done. */
  readonly verification?: Verification;
}

/**
 * Copies a backup from one store to another as it is stored, encrypted or not. Each object is compared with the manifest
 * while it passes; the manifest is written last, the copy is read back, and then the records of earlier verifications and
 * drills follow, which hold for the same bytes. Only where the job or the stack has another name there, the manifest of the copy
 * names that. Called again, it goes on where it was interrupted.
 *
 * @throws ProviderError `INTEGRITY` where the backup is damaged in the store that it comes from; nothing is visible then.
 */
export async function copyBackup(options: CopyOptions): Promise<CopyReport> {
  const { from, to, id, telemetry } = options;
  const about = { backup: id, from: from.storage.description, destination: to.storage.description };
  return telemetry.measure("copy", { ...about, provider: to.storage.kind }, async (span) => {
    const report = await new Copy(options, (bytes, total) => {
      span.progress(bytes, total);
    }).go();
    span.set({ bytes: report.bytes, objects: report.copied, kept: report.kept, status: report.status });
    return report;
  });
}

class Copy {
  readonly #options: CopyOptions;
  readonly #progress: OnProgress;
  #copied = 0;
  #kept = 0;
  #bytes = 0;
  readonly #warnings: string[] = [];

  constructor(options: CopyOptions, progress: OnProgress) {
    this.#options = options;
    this.#progress = progress;
  }

  async go(): Promise<CopyReport> {
    const { from, to, id, signal } = this.#options;
    const original = await readDocument(from.storage, backupKey(from.job, id, MANIFEST), signal);
    const { manifest, signed } = openManifest(from.job, id, original);
    // What was not proven before must not become so by a signature of today.
    const keys = signed ? to.job.keys : undefined;
    const document = isSameJob(from.job, to.job) ? original : renamed(manifest, to.job, keys);
    const there = await this.#filesOf(to);
    const found = recordsOf((await this.#filesOf(from)).keys()).filter((name) => !there.has(name));
    const records = await provenRecords(from.storage, from.job, id, found, signal);
    const known = await provenRecords(to.storage, to.job, id, recordsOf(there.keys()), signal);
    const whole = there.has(MANIFEST);
    if (whole) {
      await this.#requireSame(manifest, there);
    } else {
      const tally = new Tally(bytesToRead(manifest), this.#progress);
      await this.#copyObjects(manifest, there, tally);
      await this.#copyContents(manifest, tally);
      // A prune that began before this may have taken what it found: without a manifest, that was nobody's.
      this.#requireAll(manifest, await this.#filesOf(to));
      await this.#store(MANIFEST, document);
    }
    const has = (outcome: string, names: Iterable<string>) => [...names].some((name) => timeIn(name, outcome));
    // What was found damaged elsewhere may be damaged here, too, unless these bytes are read after that.
    const proven = whole && has(VERIFICATION.good, known) && !has(VERIFICATION.bad, records);
    const verification = proven || (whole && records.length === 0) ? undefined : await this.#verify(records);
    // What was found elsewhere holds here for bytes that were read here.
    if (proven || (verification && verification.outcome !== "damaged")) {
      for (const name of records) await this.#copyRecord(name);
    }
    return this.#report(whole && !verification ? "present" : "copied", verification);
  }

  /** The files of the backup in a store, by their names. */
  async #filesOf({ storage, job }: Place): Promise<Map<string, StoredObject>> {
    const { id, signal } = this.#options;
    const folder = `${jobFolder(job)}/${id}`;
    const files = new Map<string, StoredObject>();
    for await (const object of storage.list(folder, { signal })) files.set(object.key.slice(folder.length + 1), object);
    return files;
  }

  /** The manifests of one run differ from store to store in when they were written; what they name does not. */
  async #requireSame(manifest: Manifest, there: ReadonlyMap<string, StoredObject>): Promise<void> {
    const { from, to, id, signal } = this.#options;
    const other = await readManifest(to.storage, to.job, id, signal);
    if (JSON.stringify(other.objects) !== JSON.stringify(manifest.objects)) {
      throw new ProviderError(
        "CONFLICT",
        `${to.storage.description} has a backup ${id} already, which is not that of ${from.storage.description}.`,
        { fix: "Check both with `provision verify`, and copy into another folder (prefix) if you need both." },
      );
    }
    this.#requireAll(manifest, there);
  }

  #requireAll(manifest: Manifest, there: ReadonlyMap<string, StoredObject>): void {
    const { to, id } = this.#options;
    const missing = manifest.objects.filter(({ file, stored }) => there.get(file)?.size !== stored.size);
    if (missing.length === 0) return;
    const names = missing.map(({ file }) => file).join(", ");
    const where = to.storage.description;
    if (!there.has(MANIFEST)) {
      throw new ProviderError("TRANSIENT", `Somebody removed ${names} of ${id} from ${where} while it was copied.`, {
        fix: "Copy it again; what is still there is kept.",
      });
    }
    throw new ProviderError("INTEGRITY", `${where} has ${id} already, but not whole: ${names} is missing or cut.`, {
      fix: `Remove ${backupKey(to.job, id, MANIFEST)} there, and copy it again: without a manifest it is no backup.`,
    });
  }

  async #copyObjects(manifest: Manifest, there: ReadonlyMap<string, StoredObject>, tally: Tally): Promise<void> {
    const { from, to, id, signal } = this.#options;
    const copiedAt = new Date();
    const record: CopyRecord = {
      format: 1,
      id,
      program: PROGRAM,
      copiedAt: copiedAt.toISOString(),
      from: from.storage.description,
    };
    const key = ({ file }: { readonly file: string }) => backupKey(to.job, id, file);
    await writeDocument(to, key({ file: recordName(COPIED, copiedAt) }), record, signal).catch(exceptConflict);
    for (const object of manifest.objects) {
      const existing = there.get(object.file);
      if (existing && (await this.#isRight(object, existing))) {
        this.#kept += 1;
        tally.skip(object.stored.size);
        continue;
      }
      if (existing) await to.storage.remove([existing.key], { signal });
      await this.#copyBytes(object, backupKey(from.job, id, object.file), key(object), tally.object());
      this.#copied += 1;
    }
  }

  /** What the backup's files are: objects that it may share with other backups. */
  async #copyContents(manifest: Manifest, tally: Tally): Promise<void> {
    const { from, to, signal } = this.#options;
    const { copied, kept } = await copyContents({
      from,
      to,
      manifest,
      copyBytes: (entry, fromKey, toKey) => this.#copyBytes(entry, fromKey, toKey, tally.object(weightOf(entry))),
      keep: (entry) => {
        tally.skip(entry.plain.size);
      },
      signal,
    });
    this.#copied += copied;
    this.#kept += kept;
  }

  async #isRight(object: ManifestObject, existing: StoredObject): Promise<boolean> {
    const { to, signal } = this.#options;
    if (existing.size !== object.stored.size) return false;
    try {
      await checkStored({ storage: to.storage, key: existing.key, object }, signal);
      return true;
    } catch (error) {
      if (error instanceof ProviderError && error.code === "INTEGRITY") return false;
      throw error;
    }
  }

  readonly #warn = (problem: ProviderError): void => {
    this.#warnings.push(flakyTransfer(this.#options.from.storage.description, problem));
  };

  /** @param count called with the bytes so far */
  async #copyBytes(
    object: Pick<ManifestObject, "stored">,
    fromKey: string,
    toKey: string,
    count: (bytes: number) => void,
  ): Promise<void> {
    await readTwice(() => this.#copyOnce(object, fromKey, toKey, count), this.#warn);
  }

  async #copyOnce(
    object: Pick<ManifestObject, "stored">,
    fromKey: string,
    toKey: string,
    count: (bytes: number) => void,
  ): Promise<void> {
    const { from, to, signal } = this.#options;
    const ofSource = (error: unknown) => {
      const { code, message, fix } = explain(fromKey, error);
      throw new ProviderError(code, `${from.storage.description}: ${message}`, {
        cause: error,
        ...(fix !== undefined && { fix }),
      });
    };
    const source = { storage: from.storage, key: fromKey, object, passed: count };
    const bytes = await openStored(source, signal).catch(ofSource);
    try {
      await to.storage.upload(toKey, bytes, { signal, sizeEstimate: object.stored.size });
      this.#bytes += object.stored.size;
    } catch (error) {
      if (signal.aborted) throw abortedError(signal);
      if (bytes.errored) ofSource(bytes.errored);
      throw error;
    }
  }

  /** @param records the names of those that are copied afterwards: they were there before. */
  async #verify(records: readonly string[]): Promise<Verification | undefined> {
    const { to, id, signal, telemetry, verify: how } = this.#options;
    if (!how) return undefined;
    const { programs, identity } = how;
    const about = { backup: id, destination: to.storage.description, provider: to.storage.kind };
    return telemetry.measure("verify", about, (span) => {
      const progress: OnProgress = (bytes, total) => {
        span.progress(bytes, total);
      };
      return verify({ ...to, id, programs, fileKeyOf: () => identity, alsoAfter: records, progress, signal });
    });
  }

  async #copyRecord(name: string): Promise<void> {
    const { from, id, signal } = this.#options;
    await this.#store(name, await readDocument(from.storage, backupKey(from.job, id, name), signal));
  }

  /** Stores a document as it is. One of the same name is the same, written by somebody else who copies this backup. */
  async #store(name: string, document: Buffer): Promise<void> {
    const { to, id, signal } = this.#options;
    const options = { signal, sizeEstimate: document.length };
    await to.storage.upload(backupKey(to.job, id, name), Readable.from([document]), options).catch(exceptConflict);
  }

  #report(status: CopyReport["status"], verification?: Verification): CopyReport {
    const { from, to, id } = this.#options;
    return {
      id,
      from: from.storage.description,
      to: to.storage.description,
      status,
      copied: this.#copied,
      kept: this.#kept,
      bytes: this.#bytes,
      warnings: this.#warnings,
      ...(verification && { verification }),
    };
  }
}

function isSameJob(one: JobName, other: JobName): boolean {
  return one.stack === other.stack && one.name === other.name;
}

/** The manifest for a job or a stack that has another name now. A manifest that names another job makes no backup of this one. */
function renamed(manifest: Manifest, { stack, name }: JobName, keys: JobName["keys"]): Buffer {
  return Buffer.from(seal({ ...manifest, stack, job: name }, keys));
}

function exceptConflict(error: unknown): void {
  if (toProviderError(error).code !== "CONFLICT") throw error;
}
