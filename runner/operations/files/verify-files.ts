import { pipeline } from "node:stream/promises";
import { Writable } from "node:stream";
import { pMapIterable } from "p-map";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { FileKeySource } from "../../stream/age/decrypt.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import type { Manifest } from "../../backups/documents/manifest.ts";
import { checkStored, openPlain } from "../../backups/open-plain.ts";
import { flakyTransfer, isDamage, wholeAfter } from "../../backups/second-read.ts";
import { weightOf, type Tally } from "../../backups/tally.ts";
import { encryptionOf, type FileEntry } from "./file-entry.ts";
import { readFileIndex } from "./file-index.ts";
import { contentKey } from "./file-pool.ts";

/** Contents that are read at the same time. */
const PARALLEL = 8;

/** What is wrong with an object; or whether it could be read in full, and a warning. */
export type Found = string | { readonly inFull: boolean; readonly warning?: string };

/** What {@link verifyFiles} reads. */
interface VerifyFilesOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly manifest: Manifest;
  readonly fileKeyOf: (file: string) => FileKeySource | undefined;
  readonly skipContent?: (object: string) => boolean;
  /** Counts what is read of the contents. */
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/**
 * Reads the index of a backup's files and their contents: for each what is wrong with it, or whether it could be read in full.
 *
 * @param problemOf what is wrong with the object under a key, or throws an error that says nothing of it.
 */
export async function* verifyFiles(
  options: VerifyFilesOptions,
  problemOf: (key: string, error: unknown) => string,
): AsyncGenerator<Found> {
  const { storage, job, manifest, tally, signal } = options;
  const check = async (entry: FileEntry): Promise<Found> => {
    if (options.skipContent?.(entry.object) === true) {
      tally.skip(entry.plain.size);
      return { inFull: true };
    }
    const key = contentKey(job, entry.object);
    const fileKey = options.fileKeyOf(entry.object);
    const encryption = encryptionOf(entry);
    const inFull = encryption === null || fileKey !== undefined;
    const object = { ...entry, encryption };
    const source = { storage, key, object, fileKey, passed: tally.object(weightOf(entry)), fromMedium: true };
    const read = () => (inFull ? readOut(openPlain(source, signal)) : checkStored(source, signal));
    try {
      return { inFull, ...(await wholeAfter(storage.description, read)) };
    } catch (error) {
      return problemOf(key, error);
    }
  };
  try {
    yield* pMapIterable(readFileIndex({ storage, job, manifest }, signal), check, { concurrency: PARALLEL });
  } catch (error) {
    if (!isDamage(error)) throw error;
    // The contents that the first reading named were read; of those that the second names, all are.
    let again: string | undefined;
    try {
      yield* pMapIterable(readFileIndex({ storage, job, manifest }, signal), check, { concurrency: PARALLEL });
      again = flakyTransfer(storage.description, error);
    } catch (second) {
      yield problemOf(`${manifest.id}: the index of files`, second);
    }
    if (again !== undefined) yield { inFull: true, warning: again };
  }
}

async function readOut(bytes: NodeJS.ReadableStream): Promise<void> {
  await pipeline(
    bytes,
    new Writable({
      write(_chunk, _encoding, callback) {
        callback();
      },
    }),
  );
}
