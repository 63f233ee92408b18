import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ProviderContext, ProviderDefinition } from "../definition.ts";
import type { SecretRef } from "../fields/secret-ref.ts";

/** A bucket, with what is needed to make it again. */
export interface FileBucket {
  readonly name: string;
  /** Whether everybody may read its files. */
  readonly public: boolean;
  /** Bytes that one file may have; null where the bucket has no limit of its own. */
  readonly fileSizeLimit: number | null;
  /** MIME types that it takes; null for all. */
  readonly allowedMimeTypes: readonly string[] | null;
}

/** A file as a listing shows it. Where any of this is the same as before, so is the content. */
export interface ListedFile {
  readonly bucket: string;
  /** Path in its bucket. */
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
  /** The service's tag of the content. */
  readonly etag: string;
  /** When it was last written, in ISO 8601. */
  readonly modified: string;
}

/** A file with all that is needed to write it again. */
export interface FileFacts extends ListedFile {
  readonly contentType?: string | undefined;
  readonly cacheControl?: string | undefined;
  /** What its owner keeps with it. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** A file that is being read. */
export interface OpenFile {
  readonly facts: FileFacts;
  /** Its bytes; errors if the connection ends early, or the file is replaced during the read. */
  readonly source: Readable;
}

/** Options of the methods that reach the service. */
interface RequestOptions {
  readonly signal: AbortSignal;
}

/** A place where a project keeps files, in buckets: what a job backs up beside its database. Every error is a `ProviderError`. */
export interface FilesProvider {
  readonly kind: string;
  /** The place, for people; never a secret. */
  readonly description: string;

  /** The buckets that there are, by name. */
  buckets(options: RequestOptions): Promise<FileBucket[]>;

  /** All files of a bucket, at any depth. `NOT_FOUND` or `CONFIG` where there is no such bucket. */
  list(bucket: string, options: RequestOptions): AsyncIterable<ListedFile>;

  /** Opens a file as it is now, which may be newer than its listing. `NOT_FOUND` when there is none. */
  read(file: ListedFile, options: RequestOptions): Promise<OpenFile>;

  /** Makes a bucket. `CONFLICT` where it exists. */
  makeBucket(bucket: FileBucket, options: RequestOptions): Promise<void>;

  /**
   * Writes a file with its attributes; whole or not at all. `CONFLICT` where it exists. The source is consumed or destroyed.
   * Gives what of its attributes the place does not take as they are, one sentence each.
   */
  write(facts: FileFacts, source: Readable, options: RequestOptions): Promise<string[]>;

  /** Frees connections. May be called more than once. */
  close(): Promise<void>;
}

/** What the configuration of every kind of file source says. */
interface FilesSettings {
  /** Address of the place: `restore --files` puts another one here. */
  readonly url: string;
  /** What lets Provision in there. */
  readonly key: SecretRef;
  /** The buckets to back up. Left out: all. */
  readonly buckets?: readonly string[] | undefined;
  /** Files that are copied at the same time. */
  readonly parallel: number;
}

/** One kind of file source. */
export interface FilesDefinition<Schema extends z.ZodObject & z.ZodType<FilesSettings>> extends ProviderDefinition<
  Schema,
  FilesProvider,
  ProviderContext
> {
  /** Whether `restore --files` takes a URL for one of this kind where the job has no files. One kind alone. Default false. */
  readonly assumed?: boolean;
}

/** Checks a definition's types and returns it. */
export function defineFiles<Schema extends z.ZodObject & z.ZodType<FilesSettings>>(
  definition: FilesDefinition<Schema>,
) {
  return definition;
}
