import pMap from "p-map";
import { ProviderError, toProviderError } from "../../providers/errors.ts";
import type { FilesProvider } from "../../providers/files/files.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { FileKeySource } from "../age/decrypt.ts";
import { readManifest, type JobName } from "../catalogue.ts";
import { chooseBackup } from "../choose-backup.ts";
import type { Manifest } from "../manifest.ts";
import { openPlain } from "../open-plain.ts";
import { encryptionOf, type FileEntry } from "./file-entry.ts";
import { fileIndexOf, readFileIndex, type IndexPlace } from "./file-index.ts";
import { contentKey } from "./file-pool.ts";
import { factsOf, remembered } from "./sealed-facts.ts";

/** Files that are written at the same time. */
const PARALLEL = 8;

/** Where files can be restored to. */
export type FilesTarget = Pick<FilesProvider, "description" | "makeBucket" | "write" | "close">;

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
  readonly signal: AbortSignal;
}

/** What a restore of files did. */
export interface RestoredFiles {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly bytes: number;
  /** Files that were there already and were left as they are. */
  readonly existing: number;
  /** Files and buckets that could not be restored. */
  readonly failed: readonly { readonly file: string; readonly code: string; readonly message: string }[];
  readonly seconds: number;
}

/**
 * Restores the files of a backup with their attributes, several at a time. What exists already is left as it is, so that a
 * restore which was interrupted can be done again; what fails is told at the end and does not stop the rest.
 *
 * @throws ProviderError if the backup has no files, they cannot be decrypted, or its index is damaged.
 */
export async function restoreFiles(request: RestoreFilesRequest): Promise<RestoredFiles> {
  const { storage, job, target, buckets, signal } = request;
  const begun = performance.now();
  const backup = await chooseBackup(storage, job, request.id, signal);
  const manifest = await readManifest(storage, job, backup.id, signal);
  const fileKey = request.identity && remembered(request.identity);
  check(manifest, fileKey === undefined);
  await survey({ storage, job, manifest }, fileKey, signal);
  const failed: { file: string; code: string; message: string }[] = [];
  const fail = (file: string, error: unknown): void => {
    if (signal.aborted) throw error;
    const { code, message } = toProviderError(error);
    failed.push({ file, code, message });
  };
  for (const bucket of manifest.files?.buckets ?? []) {
    if (buckets !== undefined && !buckets.includes(bucket.name)) continue;
    try {
      await target.makeBucket(bucket, { signal });
    } catch (error) {
      if (!(error instanceof ProviderError && error.code === "CONFLICT")) fail(bucket.name, error);
    }
  }
  const done = { files: 0, bytes: 0, existing: 0 };
  const one = async (entry: FileEntry): Promise<void> => {
    let place = entry.object;
    try {
      const facts = await factsOf(entry, fileKey);
      if (buckets !== undefined && !buckets.includes(facts.bucket)) return;
      place = `${facts.bucket}/${facts.path}`;
      const object = { ...entry, encryption: encryptionOf(entry) };
      const bytes = openPlain({ storage, key: contentKey(job, entry.object), object, fileKey }, signal);
      await target.write(facts, bytes, { signal });
      done.files += 1;
      done.bytes += facts.size;
    } catch (error) {
      if (error instanceof ProviderError && error.code === "CONFLICT") done.existing += 1;
      else fail(place, error);
    }
  };
  await pMap(readFileIndex({ storage, job, manifest }, signal), one, { concurrency: PARALLEL });
  return {
    id: backup.id,
    from: storage.description,
    to: target.description,
    ...done,
    failed,
    seconds: Math.round(performance.now() - begun) / 1000,
  };
}

/**
 * Reads the index to its end before anything of it is used.
 *
 * @throws ProviderError `INTEGRITY` where it is damaged, `CONFIG` where the key reads none of it.
 */
async function survey(place: IndexPlace, fileKey: FileKeySource | undefined, signal: AbortSignal): Promise<void> {
  let readable = 0;
  let unreadable: ProviderError | undefined;
  for await (const entry of readFileIndex(place, signal)) {
    try {
      await factsOf(entry, fileKey);
      readable += 1;
    } catch (error) {
      unreadable ??= toProviderError(error);
    }
  }
  if (readable === 0 && unreadable !== undefined) throw unreadable;
}

function check(manifest: Manifest, keyIsMissing: boolean): void {
  if (fileIndexOf(manifest) === undefined) {
    throw new ProviderError("CONFIG", `The backup ${manifest.id} has no files.`, {
      fix: "Choose one that was made while the job had `files`; `provision list --json` tells.",
    });
  }
  if (keyIsMissing && manifest.recipients.length > 0) {
    throw new ProviderError("CONFIG", `The files of ${manifest.id} are encrypted, and there is no identity.`, {
      fix: "Give the private key of one of its recipients: encryption.identity in the job, or --identity.",
    });
  }
}
