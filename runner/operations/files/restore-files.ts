import pMap from "p-map";
import { ProviderError, toProviderError } from "../../../providers/errors.ts";
import type { FileFacts, FilesProvider } from "../../../providers/files/files.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { counted } from "../../../providers/fields/sizes.ts";
import type { FileKeySource } from "../../stream/age/decrypt.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import { readManifest } from "../../backups/catalogue/catalogue.ts";
import { chooseBackup } from "../../backups/catalogue/choose-backup.ts";
import type { Manifest } from "../../backups/documents/manifest.ts";
import { openPlain } from "../../backups/open-plain.ts";
import { encryptionOf, type FileEntry } from "./file-entry.ts";
import { fileIndexOf, readFileIndex } from "./file-index.ts";
import { contentKey, listContents } from "./file-pool.ts";
import { flakyTransfer, readTwice } from "../../backups/second-read.ts";
import { Tally, weightOf, type OnProgress } from "../../backups/tally.ts";
import { factsOf, remembered } from "./sealed-facts.ts";

/** Files that are written at the same time. */
const PARALLEL = 8;

/** Where files can be restored to. */
export interface FilesTarget extends Pick<FilesProvider, "description" | "buckets" | "makeBucket" | "write" | "close"> {
  /** Called with every file before any is written. */
  readonly foresee?: (file: FileFacts) => void;
}

/** What is restored, and where to. */
interface RestoreFilesRequest {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** A backup's id, or `latest`. */
  readonly id: string;
  readonly target: FilesTarget;
  /** Only these buckets; undefined for all. */
  readonly buckets: readonly string[] | undefined;
  readonly identity: FileKeySource | undefined;
  /** Only checks everything, and reports what would be done. */
  readonly dryRun: boolean;
  /** Hears how much of the files has been read. */
  readonly progress?: OnProgress;
  readonly signal: AbortSignal;
}

/** A file or a bucket that could not be restored. */
interface FailedFile {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

/** What a restore of files did, or would do. */
export interface RestoredFiles {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly bytes: number;
  /** Files that were there already and were left as they are. */
  readonly existing: number;
  /** Files and buckets that could not be restored. */
  readonly failed: readonly FailedFile[];
  /** What of the files is not as it was, in words: names that a folder cannot have, attributes that a service does not take. */
  readonly altered: readonly { readonly file: string; readonly how: string }[];
  /** What arrived damaged and was whole when it was read again, one entry a file. */
  readonly warnings: readonly string[];
  /** What would be done, in words; of a dry run alone. */
  readonly plan?: readonly string[];
  readonly seconds: number;
}

/**
 * Restores the files of a backup with their attributes, several at a time. What exists already is left as it is, so that a
 * restore which was interrupted can be done again; what fails is reported at the end and does not stop the rest.
 *
 * @throws ProviderError if the backup has no files or not the buckets that are asked for, its files cannot be decrypted, or
 * its index is damaged.
 */
export async function restoreFiles(request: RestoreFilesRequest): Promise<RestoredFiles> {
  const { storage, job, target, buckets, dryRun, signal } = request;
  const begun = performance.now();
  const backup = await chooseBackup(storage, job, request.id, signal);
  const manifest = await readManifest(storage, job, backup.id, signal);
  check(manifest, buckets, request.identity === undefined);
  const restore = new FilesRestore(request, manifest);
  const planned = await restore.survey();
  const plan = dryRun ? await restore.plan() : undefined;
  const done = dryRun ? { ...planned, existing: 0 } : await restore.write(new Tally(planned.bytes, request.progress));
  return {
    id: backup.id,
    from: storage.description,
    to: target.description,
    ...done,
    failed: restore.failed,
    altered: restore.altered,
    warnings: restore.warnings,
    ...(plan && { plan }),
    seconds: Math.round(performance.now() - begun) / 1000,
  };
}

class FilesRestore {
  readonly failed: FailedFile[] = [];
  readonly altered: { file: string; how: string }[] = [];
  readonly warnings: string[] = [];
  readonly #request: RestoreFilesRequest;
  readonly #manifest: Manifest;
  readonly #fileKey: FileKeySource | undefined;

  constructor(request: RestoreFilesRequest, manifest: Manifest) {
    this.#request = request;
    this.#manifest = manifest;
    this.#fileKey = request.identity && remembered(request.identity);
  }

  /**
   * Reads the index to its end before anything of it is used, and tells the target of the files.
   *
   * @throws ProviderError `INTEGRITY` where it is damaged, `CONFIG` where the key reads none of it.
   */
  async survey(): Promise<{ files: number; bytes: number }> {
    const { target } = this.#request;
    const found = { files: 0, bytes: 0 };
    let readable = 0;
    let unreadable: ProviderError | undefined;
    for await (const entry of this.#entries()) {
      try {
        const facts = await factsOf(entry, this.#fileKey);
        readable += 1;
        if (!this.#isChosen(facts.bucket)) continue;
        target.foresee?.(facts);
        found.files += 1;
        found.bytes += facts.size;
      } catch (error) {
        unreadable ??= toProviderError(error);
      }
    }
    if (readable === 0 && unreadable !== undefined) throw unreadable;
    return found;
  }

  /** What would be done, in words. Contents that the store does not have are reported as failed; the others are not read. */
  async plan(): Promise<string[]> {
    const { storage, job, target, signal } = this.#request;
    const present = new Set((await target.buckets({ signal })).map(({ name }) => name));
    const sizes = new Map<string, number>();
    for await (const { object, size } of listContents(storage, job, signal)) sizes.set(object, size);
    for await (const entry of this.#entries()) {
      let place = entry.object;
      try {
        const facts = await factsOf(entry, this.#fileKey);
        if (!this.#isChosen(facts.bucket)) continue;
        place = `${facts.bucket}/${facts.path}`;
        if (sizes.get(entry.object) === entry.stored.size) continue;
        throw new ProviderError("INTEGRITY", `${contentKey(job, entry.object)}: it is missing, or cut.`);
      } catch (error) {
        this.#fail(place, error);
      }
    }
    return this.#buckets().map(({ name, files, bytes }) => {
      const bucket = present.has(name) ? "which exists" : "which is made if it does not exist";
      return `${counted(files, "file")} (${bytes} bytes) of the bucket ${name}, ${bucket}; files that exist stay as they are`;
    });
  }

  async write(tally: Tally): Promise<{ files: number; bytes: number; existing: number }> {
    const { storage, job, target, signal } = this.#request;
    for (const bucket of this.#buckets()) {
      try {
        await target.makeBucket(bucket, { signal });
      } catch (error) {
        if (!(error instanceof ProviderError && error.code === "CONFLICT")) this.#fail(bucket.name, error);
      }
    }
    const done = { files: 0, bytes: 0, existing: 0 };
    const one = async (entry: FileEntry): Promise<void> => {
      let place = entry.object;
      const passed = tally.object(weightOf(entry));
      try {
        const facts = await factsOf(entry, this.#fileKey);
        if (!this.#isChosen(facts.bucket)) return;
        place = `${facts.bucket}/${facts.path}`;
        const object = { ...entry, encryption: encryptionOf(entry) };
        const key = contentKey(job, entry.object);
        const source = { storage, key, object, fileKey: this.#fileKey, passed };
        const altered = await readTwice(
          () => target.write(facts, openPlain(source, signal), { signal }),
          (problem) => this.warnings.push(flakyTransfer(storage.description, problem)),
        );
        for (const how of altered) this.altered.push({ file: place, how });
        done.files += 1;
        done.bytes += facts.size;
      } catch (error) {
        passed(0);
        tally.skip(entry.plain.size);
        if (error instanceof ProviderError && error.code === "CONFLICT") done.existing += 1;
        else this.#fail(place, error);
      }
    };
    await pMap(this.#entries(), one, { concurrency: PARALLEL });
    return done;
  }

  #entries(): AsyncGenerator<FileEntry> {
    const { storage, job, signal } = this.#request;
    return readFileIndex({ storage, job, manifest: this.#manifest }, signal);
  }

  #buckets() {
    return (this.#manifest.files?.buckets ?? []).filter(({ name }) => this.#isChosen(name));
  }

  #isChosen(bucket: string): boolean {
    return this.#request.buckets?.includes(bucket) ?? true;
  }

  #fail(file: string, error: unknown): void {
    if (this.#request.signal.aborted) throw error;
    const { code, message } = toProviderError(error);
    this.failed.push({ file, code, message });
  }
}

function check(manifest: Manifest, buckets: readonly string[] | undefined, keyIsMissing: boolean): void {
  if (fileIndexOf(manifest) === undefined) {
    throw new ProviderError("CONFIG", `The backup ${manifest.id} has no files.`, {
      fix: "Choose one that was made while the job had `files`; `provision list --json` tells.",
    });
  }
  const names = (manifest.files?.buckets ?? []).map(({ name }) => name);
  const unknown = (buckets ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new ProviderError("CONFIG", `The backup ${manifest.id} has no files of the bucket ${unknown.join(", ")}.`, {
      fix: `It has those of ${names.join(", ")}: correct --bucket.`,
    });
  }
  if (keyIsMissing && manifest.recipients.length > 0) {
    throw new ProviderError("CONFIG", `The files of ${manifest.id} are encrypted, and there is no identity.`, {
      fix: "Give the private key of one of its recipients: encryption.identity in the job, or --identity.",
    });
  }
}
