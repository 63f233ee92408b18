import type { Readable } from "node:stream";
import { z } from "zod";
import type { ProviderContext, ProviderDefinition } from "../definition.ts";
import type { DownloadOptions, RequestOptions, StoredObject, UploadOptions } from "../transfer/object.ts";

/**
 * A place that keeps objects under keys. Every error is a `ProviderError`.
 *
 * Keys are segments joined by `/`. A provider stores them under its configured prefix and reports them without it; it
 * refuses (`CONFIG`) keys that are empty, absolute, or hold `.`/`..` segments, empty segments or NUL.
 */
export interface StorageProvider {
  readonly kind: string;
  /** Where the objects are, for people: kind and place, never a secret. */
  readonly description: string;
  /**
   * Bytes that an upload of a large object holds at most at a time, up to tens of gigabytes. A copy of many objects begins no more
   * of them than fit its memory. Left out: little.
   */
  readonly heldBytes?: number;

  /**
   * False where the store itself may not refuse to overwrite: of several uploads of one key at the same moment more than one can
   * succeed, and the last one stays. Left out: exactly one succeeds.
   */
  readonly refusesToOverwrite?: boolean;

  /**
   * Whether a large object that was to come from the medium may have come from this machine's memory all the same. Left out:
   * never.
   */
  readonly readsMemory?: boolean;

  /**
   * Stores the stream under the key. The object becomes visible whole, when the returned promise resolves, or not at all:
   * a source that fails, stalls (see `stallTimeoutSeconds`) or is aborted leaves nothing that `list` or `stat` show.
   * Whatever happens, the source is consumed or destroyed before the promise settles. What the store reports afterwards
   * (size, and a checksum where it has one) is compared with what was sent: `INTEGRITY` where they differ.
   *
   * Never overwrites: `CONFLICT` when the key exists.
   */
  upload(key: string, source: Readable, options?: UploadOptions): Promise<StoredObject>;

  /** The object's bytes. `NOT_FOUND` when there is none. The stream fails if the connection ends early or stalls. */
  download(key: string, options?: DownloadOptions): Promise<Readable>;

  /** The object's facts. `NOT_FOUND` when there is none. */
  stat(key: string, options?: RequestOptions): Promise<StoredObject>;

  /**
   * All objects below a folder, in the order of their keys' UTF-16 code units. `prefix` is a whole folder: `a/b` lists
   * `a/b/c` and not `a/bc`; the empty string lists everything. A folder that does not exist is empty.
   */
  list(prefix: string, options?: RequestOptions): AsyncIterable<StoredObject>;

  /** Removes objects; keys that do not exist are no error. All are tried; one error tells what stayed. */
  remove(keys: readonly string[], options?: RequestOptions): Promise<void>;

  /**
   * Puts a lock without an end on objects, or takes it off. Gives false, and does nothing, where the place has no such locks.
   * Left out by stores that have none.
   *
   * @throws ProviderError `NOT_FOUND` where there is no such object
   */
  setHold?(keys: readonly string[], held: boolean, options?: RequestOptions): Promise<boolean>;

  /**
   * Until when the store itself refuses to remove an object; undefined where it does not, or does not say. Left out by stores that
   * have no such locks.
   *
   * @throws ProviderError `NOT_FOUND` where there is no such object
   */
  lockedUntil?(key: string, options?: RequestOptions): Promise<Date | undefined>;

  /**
   * Removes what interrupted uploads below a folder left behind (partial files, multipart uploads) if it was begun before
   * the given moment, and says how many there were.
   */
  removeUnfinished(prefix: string, begunBefore: Date): Promise<number>;

  /** Frees connections. May be called more than once. */
  close(): Promise<void>;
}

/** The configuration fields that every kind of storage has. */
export const storageFields = {
  prefix: z
    .string()
    .regex(/^(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/, {
      error: "expected folder names of letters, digits, '.', '_' and '-', joined by '/'",
    })
    .optional()
    .describe("Folder inside the store, under which everything is kept. Default: the store's root.")
    .meta({ examples: ["backups/team-a"] }),
  stallTimeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(900)
    .describe(
      "Seconds without a single byte moving after which a transfer is given up. Default 900: pg_dump may be silent for " +
        "minutes while it reads a large catalogue.",
    )
    .meta({ examples: [1800] }),
};

/** What the configuration of every kind of storage says; see {@link storageFields}. */
interface StorageSettings {
  readonly prefix?: string | undefined;
  readonly stallTimeoutSeconds: number;
}

/** A bucket that the deployment makes for the destinations that name none. */
export interface StackBucket {
  readonly name: string;
  /** ARN of the KMS key that objects are encrypted with. Left out: the bucket's own default. */
  readonly keyArn?: string | undefined;
}

/** What a destination that names no bucket asks of the one that the deployment makes. */
export interface BucketRequest {
  /** The fields that are set and mean nothing for such a bucket. */
  readonly meaningless: readonly string[];
  /** How objects are to be encrypted. Left out: as the bucket says. */
  readonly sse?: string | object | undefined;
  /** Whether removing an object also removes its versions. */
  readonly removeVersions: boolean;
  /** How each object is to be locked. Left out: as the bucket says. */
  readonly objectLock?: { readonly mode: "governance" | "compliance" } | undefined;
}

/** One kind of storage. */
export interface StorageDefinition<Schema extends z.ZodObject & z.ZodType<StorageSettings>> extends ProviderDefinition<
  Schema,
  StorageProvider,
  ProviderContext
> {
  /**
   * Where the objects would be, so that nobody takes one place for two: how it is reached, and with which credentials, does
   * not count. Left out: any difference makes another place.
   */
  place?(config: z.output<Schema>): readonly (string | undefined)[];
  /** Of a store that is a bucket of a project, whose files a job may back up: the project's URL, and the bucket. */
  projectBucket?(config: z.output<Schema>): { readonly url: string; readonly bucket: string };
  /** Of a store that is a folder on the runner's machine: its path, which the deployment can choose. */
  readonly folder?: {
    /** The absolute path; undefined where the configuration leaves it to the deployment. */
    path(config: z.output<Schema>): string | undefined;
    /** The configuration, with this path where it has none. */
    at(config: z.output<Schema>, path: string): z.output<Schema>;
  };
  /** Days for which what is written stays stored, no matter who removes it. Left out, or undefined: until it is removed. */
  lockDays?(config: z.output<Schema>): number | undefined;
  /** Of a store whose bucket the target `aws` can make. */
  readonly stackBucket?: {
    /** What the configuration asks of that bucket; undefined where it names a bucket. */
    request(config: z.output<Schema>): BucketRequest | undefined;
    /** The configuration with that bucket. */
    use(config: z.output<Schema>, bucket: StackBucket): z.output<Schema>;
  };
  /**
   * For `doctor`: what it means that a new object could be removed at once, in words. Undefined: nothing special.
   *
   * @throws ProviderError `CONFIG` where the configuration asks the store to refuse that.
   */
  removedAtOnce?(config: z.output<Schema>): string | undefined;
}

/** Checks a definition's types and returns it. */
export function defineStorage<Schema extends z.ZodObject & z.ZodType<StorageSettings>>(
  definition: StorageDefinition<Schema>,
) {
  return definition;
}
