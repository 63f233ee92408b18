import { randomBytes } from "node:crypto";
import pMap from "p-map";
import { ProviderError, toProviderError, type ErrorCode } from "../../../providers/errors.ts";
import type { FileBucket, FilesProvider, ListedFile } from "../../../providers/files/files.ts";
import { contentObject } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { FileKeySource } from "../../stream/age/decrypt.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import { storeStream, type DumpOptions } from "../../backups/dump.ts";
import { beyondBounds, fileId, type FileEntry } from "./file-entry.ts";
import { contentKey } from "./file-pool.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { FactsSealer } from "./sealed-facts.ts";

/** What {@link copyFiles} works on. */
export interface CopyFilesOptions {
  readonly source: FilesProvider;
  readonly job: JobName;
  /** The buckets to copy; undefined for all that there are but {@link CopyFilesOptions.except}. */
  readonly buckets: readonly string[] | undefined;
  readonly except: readonly string[];
  /** How many files are under way at the same time. */
  readonly parallel: number;
  /** Files that need not be copied again, by their id. */
  readonly known: ReadonlyMap<string, FileEntry>;
  /** The stores that are still there, in the order of their places; asked before each file. */
  readonly stores: () => readonly StorageProvider[];
  /** Called when a store failed; it must not be among {@link stores} any more. */
  readonly dropStore: (storage: StorageProvider, error: ProviderError) => void;
  /** Called with each file that is listed. */
  readonly seen: (file: ListedFile) => void;
  /** Called with a bucket or a file that is left out. */
  readonly leftOut: (problem: LeftOut) => void;
  readonly dump: DumpOptions<"sha256">;
}

/** Failures of a store itself, which the next file would meet as well. Any other is a refusal of one file. */
const OF_THE_STORE: readonly string[] = ["TRANSIENT", "RATE_LIMITED", "AUTH", "ABORTED"] satisfies ErrorCode[];

/** A bucket, or a file of it, that is not in the backup. */
export interface LeftOut {
  readonly bucket: string;
  /** Undefined for the whole bucket. */
  readonly path?: string;
  /** The only store whose backup leaves it out; undefined for all. */
  readonly storage?: StorageProvider;
  readonly error: ProviderError;
}

/** The entries whose contents a store does not have although others do, by store. */
export type Lacking = ReadonlyMap<StorageProvider, ReadonlySet<FileEntry>>;

/** What became of a bucket. */
export interface CopiedBucket {
  readonly bucket: FileBucket;
  /** Of the files that the backup has of it, one each. */
  readonly entries: readonly FileEntry[];
  /** Files that could not be copied; -1 where the bucket could not even be listed to its end. */
  readonly leftOut: number;
}

/** What {@link copyFiles} did. */
export interface CopiedFiles {
  readonly buckets: readonly CopiedBucket[];
  /** Files that were copied now; the others were there already. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Entries whose contents a store refused. */
  readonly refused: readonly Refusal[];
  /** The keys of what this run encrypted, by the content's object. */
  readonly fileKeys: ReadonlyMap<string, FileKeySource>;
}

/** A content that one store refused, and another took. */
interface Refusal {
  readonly storage: StorageProvider;
  readonly entry: FileEntry;
}

/**
 * Copies the files that the stores do not have yet, several at a time, each read once for all stores. A file or a bucket that
 * fails is left out, everywhere or where a store refuses it, and a store that fails is dropped; the rest goes on.
 *
 * @throws ProviderError if the source does not even tell its buckets.
 */
export async function copyFiles(options: CopyFilesOptions): Promise<CopiedFiles> {
  return (await FilesCopy.begin(options)).copy();
}

class FilesCopy {
  readonly #options: CopyFilesOptions;
  readonly #sealer: FactsSealer | undefined;
  readonly #memory: MemoryBudget;
  readonly #refused: Refusal[] = [];
  readonly #fileKeys = new Map<string, FileKeySource>();
  #copied = 0;
  #copiedBytes = 0;

  private constructor(options: CopyFilesOptions, sealer: FactsSealer | undefined) {
    this.#options = options;
    this.#sealer = sealer;
    this.#memory = new MemoryBudget(options.parallel);
  }

  static async begin(options: CopyFilesOptions): Promise<FilesCopy> {
    const { recipients } = options.dump;
    return new FilesCopy(options, recipients.length > 0 ? await FactsSealer.for(recipients) : undefined);
  }

  async copy(): Promise<CopiedFiles> {
    const { source, buckets: wanted, except, dump } = this.#options;
    const present = await source.buckets(dump);
    const chosen = present.filter(({ name }) => wanted?.includes(name) ?? !except.includes(name));
    for (const bucket of wanted ?? []) {
      if (!present.some(({ name }) => name === bucket)) this.#leaveOut({ bucket, error: noBucket(bucket, present) });
    }
    const buckets: CopiedBucket[] = [];
    for (const bucket of chosen) buckets.push(await this.#copyBucket(bucket));
    return {
      buckets,
      copied: this.#copied,
      copiedBytes: this.#copiedBytes,
      refused: this.#refused,
      fileKeys: this.#fileKeys,
    };
  }

  async #copyBucket(bucket: FileBucket): Promise<CopiedBucket> {
    const { source, parallel, dump } = this.#options;
    const entries: FileEntry[] = [];
    let leftOut = 0;
    const one = async (file: ListedFile): Promise<void> => {
      this.#options.seen(file);
      const entry =
        this.#options.known.get(fileId(file)) ??
        (await this.#memory.use(file.size, this.#options.stores(), () => this.#tryToCopy(file)));
      if (entry === undefined) leftOut += 1;
      else entries.push(entry);
    };
    let unlisted: ProviderError | undefined;
    // A listing that fails ends early, so that the files that it listed are waited for.
    const listed = async function* (): AsyncGenerator<ListedFile> {
      try {
        yield* source.list(bucket.name, dump);
      } catch (error) {
        unlisted = toProviderError(error);
      }
    };
    await pMap(listed(), one, { concurrency: parallel });
    dump.signal.throwIfAborted();
    if (unlisted !== undefined) this.#leaveOut({ bucket: bucket.name, error: unlisted });
    return { bucket, entries, leftOut: unlisted === undefined ? leftOut : -1 };
  }

  async #tryToCopy(file: ListedFile): Promise<FileEntry | undefined> {
    try {
      return await this.#copyFile(file);
    } catch (error) {
      if (this.#options.dump.signal.aborted || this.#options.stores().length === 0) throw error;
      this.#leaveOut({ bucket: file.bucket, path: file.path, error: toProviderError(error) });
      return undefined;
    }
  }

  async #copyFile(file: ListedFile): Promise<FileEntry> {
    const { source, job, dump, stores: live } = this.#options;
    const { facts, source: bytes } = await source.read(file, dump);
    const excess = beyondBounds(facts);
    if (excess) {
      bytes.destroy();
      throw excess;
    }
    const id = fileId(facts);
    const object = contentObject(id, randomBytes(3).toString("hex"), dump.recipients.length > 0);
    const stores = live();
    const from = { sizeEstimate: facts.size, open: () => bytes };
    const { content, fileKey, failures } = await storeStream(from, stores, contentKey(job, object), dump);
    const refusals = new Map<StorageProvider, ProviderError>();
    for (const [index, failure] of failures.entries()) {
      const storage = stores[index];
      if (failure === undefined || storage === undefined) continue;
      if (OF_THE_STORE.includes(failure.code)) this.#options.dropStore(storage, failure);
      else refusals.set(storage, failure);
    }
    if (content === undefined || failures.every((failure) => failure !== undefined)) {
      throw failures.find((failure) => failure) ?? new RangeError("there is no store");
    }
    if (content.plain.size !== facts.size) {
      throw new ProviderError("INTEGRITY", `It has ${content.plain.size} bytes, and the service says ${facts.size}.`, {
        fix: "Check whether the file can be opened in the project's dashboard, and upload it again where it cannot.",
      });
    }
    if (fileKey) this.#fileKeys.set(object, fileKey);
    this.#copied += 1;
    this.#copiedBytes += content.plain.size;
    const name = this.#sealer ? { sealed: this.#sealer.seal(facts) } : { file: { ...facts } };
    const entry = { id, object, ...content, ...name };
    for (const [storage, error] of refusals) {
      this.#refused.push({ storage, entry });
      this.#leaveOut({ bucket: file.bucket, path: file.path, storage, error });
    }
    return entry;
  }

  #leaveOut(problem: LeftOut): void {
    this.#options.leftOut(problem);
  }
}

function noBucket(name: string, present: readonly FileBucket[]): ProviderError {
  const names = present.map((bucket) => bucket.name).join(", ");
  return new ProviderError(
    "NOT_FOUND",
    `There is no bucket ${name}; there ${names === "" ? "is none" : `are ${names}`}.`,
    {
      fix: "Correct buckets in the job's files, or leave it out to have all of them.",
    },
  );
}
