import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import type { Readable } from "node:stream";
import type { ProviderContext } from "../../definition.ts";
import { ProviderError } from "../../errors.ts";
import { stallSeconds } from "../../http/watched-request.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import { DownloadStream } from "../../transfer/download.ts";
import { keySegments, refused } from "../../transfer/keys.ts";
import { exists } from "../../transfer/object-errors.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { watchedDownload, watchedUpload } from "../../transfer/watched-transfer.ts";
import type { StorageProvider } from "../storage.ts";
import type { RequestOptions, StoredObject, UploadOptions } from "../../transfer/object.ts";
import { RunningChecksum, wholeChecksum } from "./checksum.ts";
import { createClient } from "./client.ts";
import { objectHeaders, type S3Config } from "./config.ts";
import { fromS3, isBare } from "./errors.ts";
import { retainedUntil, setLegalHold } from "./hold.ts";
import { objects, uploads, versions } from "./listing.ts";
import type { ObjectVersion } from "./listing.ts";
import { byCodeUnits } from "./order.ts";
import { removeAll } from "./remove.ts";
import { S3Service } from "./service.ts";
import type { CallOptions } from "./service.ts";
import { heldBytes, S3Upload } from "./upload.ts";

const MiB = 1024 ** 2;

/** Bytes that a key may have in UTF-8. */
const MAX_KEY_BYTES = 1024;

/** Characters that XML 1.0 cannot carry, and so neither can a listing. */
const NOT_IN_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;

/** A bucket of Amazon S3, or of any service that speaks its protocol. */
export class S3StorageProvider implements StorageProvider {
  readonly kind = "s3";
  readonly description: string;
  readonly #service: S3Service;
  readonly heldBytes: number;
  readonly refusesToOverwrite: boolean;
  readonly #config: S3Config;
  /** What stands before every key: nothing, or a folder and a slash. */
  readonly #prefix: string;
  readonly #basic: boolean;

  /** @param basic the service neither honours `If-None-Match` nor keeps checksums */
  constructor(service: S3Service, config: S3Config, basic = false) {
    const at = config.endpoint === undefined ? "" : ` at ${config.endpoint}`;
    this.description = `s3 ${[service.bucket, config.prefix].filter((part) => part !== undefined).join("/")}${at}`;
    this.#service = service;
    this.#config = config;
    this.heldBytes = heldBytes(config.partSizeMiB * MiB);
    this.#prefix = config.prefix === undefined ? "" : `${config.prefix}/`;
    this.#basic = basic;
    // Of services other than Amazon's, some take no notice of If-None-Match, and do not say so.
    this.refusesToOverwrite = !basic && config.endpoint === undefined;
  }

  upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    return watchedUpload(key, source, this.#config.stallTimeoutSeconds, options, (watchdog) =>
      this.#upload(key, source, watchdog, options),
    );
  }

  download(key: string, options: RequestOptions = {}): Promise<Readable> {
    return watchedDownload(key, this.#config.stallTimeoutSeconds, options, async (watchdog) => {
      const path = this.#path(key);
      const first = await this.#get(path, watchdog.signal);
      const checksum = wholeChecksum(first);
      return new DownloadStream({
        name: `${key} in ${this.description}`,
        size: sizeOf(first, path, first.Body as Readable),
        first: first.Body as Readable,
        open: async (offset, signal) => {
          const range = { Range: `bytes=${offset}-`, ...(first.ETag !== undefined && { IfMatch: first.ETag }) };
          const rest = await this.#get(path, signal, range);
          return restOf(rest, path, offset);
        },
        broken: (error) => fromS3(error, this.#operation("read", "s3:GetObject", path)),
        watchdog,
        retrySeconds: this.#config.retrySeconds,
        stallSeconds: stallSeconds(this.#config.stallTimeoutSeconds),
        ...(checksum !== undefined && { checksum: new RunningChecksum(checksum) }),
      });
    });
  }

  async stat(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    const path = this.#path(key);
    const head = await this.#head(path, options);
    return { key, size: sizeOf(head, path), modified: head.LastModified ?? new Date(0) };
  }

  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<StoredObject> {
    checkSignal(options.signal);
    for await (const object of byCodeUnits(objects(this.#service, this.#folder(prefix), options.signal))) {
      // A folder that somebody made in a console is an object whose key ends with a slash.
      if (!object.key.endsWith("/")) yield { ...object, key: object.key.slice(this.#prefix.length) };
    }
  }

  async remove(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const paths = [...new Set(keys.map((key) => this.#path(key)))];
    checkSignal(options.signal);
    const doomed = this.#config.removeVersions
      ? await this.#versionsOf(paths, options.signal)
      : paths.map((key) => ({ key, version: undefined }));
    await removeAll(this.#service, doomed, options.signal);
  }

  async setHold(keys: readonly string[], held: boolean, { signal }: RequestOptions = {}): Promise<boolean> {
    const paths = [...new Set(keys.map((key) => this.#path(key)))];
    checkSignal(signal);
    return setLegalHold(this.#service, paths, held, signal);
  }

  /** S3 says it to those who may `s3:GetObjectRetention`, whether they may read the object or not. */
  async lockedUntil(key: string, options: RequestOptions = {}): Promise<Date | undefined> {
    const path = this.#path(key);
    try {
      return (await this.#head(path, options)).ObjectLockRetainUntilDate;
    } catch (error) {
      if (!(error instanceof ProviderError) || error.code !== "AUTH") throw error;
      return retainedUntil(this.#service, path, options.signal);
    }
  }

  /** Ends multipart uploads. An upload that is still going fails then. */
  async removeUnfinished(prefix: string, begunBefore: Date): Promise<number> {
    let removed = 0;
    for await (const { key, uploadId, begun } of uploads(this.#service, this.#folder(prefix))) {
      if (begun >= begunBefore) continue;
      try {
        await this.#service.request(
          this.#operation("end the upload of", "s3:AbortMultipartUpload", key),
          (s3, { abortSignal }) =>
            s3.abortMultipartUpload({ Bucket: this.#service.bucket, Key: key, UploadId: uploadId }, { abortSignal }),
        );
        removed += 1;
      } catch (error) {
        // It has ended since the listing.
        if (!(error instanceof ProviderError) || error.code !== "NOT_FOUND") throw error;
      }
    }
    return removed;
  }

  close(): Promise<void> {
    this.#service.close();
    return Promise.resolve();
  }

  async #upload(
    key: string,
    source: Readable,
    watchdog: StallWatchdog,
    { sizeEstimate = 0, retried }: UploadOptions,
  ): Promise<StoredObject> {
    const path = this.#path(key);
    watchdog.check();
    // Early, so that a large upload is not refused only at its end.
    if (await this.#exists(path, watchdog.signal)) throw exists(key, this.description);
    const { partSizeMiB } = this.#config;
    const upload = new S3Upload({
      service: this.#service,
      key: path,
      headers: objectHeaders(this.#config),
      sizeEstimate,
      partBytes: partSizeMiB * MiB,
      basic: this.#basic,
      watchdog,
      retried,
    });
    const work = upload.store(source);
    try {
      const { ContentLength = 0, LastModified } = await watchdog.settle(work);
      const time = LastModified && { storeTime: LastModified };
      return { key, size: ContentLength, modified: LastModified ?? new Date(), ...time };
    } catch (error) {
      // An upload that hung was left behind. If it succeeds after all, nobody expects the object any more.
      work.then(
        () => upload.discard().catch(() => undefined),
        () => undefined,
      );
      throw error;
    }
  }

  async #exists(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#head(path, { signal });
      return true;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (error.code === "NOT_FOUND") return false;
      if (error.code === "AUTH" && (await this.#isUnlisted(path, signal))) return false;
      throw error;
    }
  }

  /**
   * Whether a listing shows that there is no such object. AWS refuses to say that one is missing to a role that may list its
   * own folder alone: it asks for the permission to list the whole bucket.
   */
  async #isUnlisted(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      // It is the first of those that start with its key.
      const first = await objects(this.#service, path, signal).next();
      return first.done === true || first.value.key !== path;
    } catch {
      return false;
    }
  }

  #head(path: string, options: CallOptions) {
    const object = { Bucket: this.#service.bucket, Key: path };
    return this.#service.request(
      this.#operation("check", "s3:GetObject", path),
      async (s3, { abortSignal }) => {
        try {
          return await s3.headObject(object, { abortSignal });
        } catch (error) {
          if (!isBare(error)) throw error;
          // An answer to HEAD has no body that tells what is wrong; the one to GET has.
          const { Body, ...head } = await s3.getObject(object, { abortSignal });
          (Body as Readable).on("error", () => undefined).destroy();
          return head;
        }
      },
      options,
    );
  }

  async #get(
    path: string,
    signal: AbortSignal,
    range: { Range?: string; IfMatch?: string } = {},
  ): Promise<GetObjectCommandOutput> {
    return this.#service.request(
      this.#operation("read", "s3:GetObject", path),
      (s3, { abortSignal }) => s3.getObject({ Bucket: this.#service.bucket, Key: path, ...range }, { abortSignal }),
      { signal },
    );
  }

  /** The versions of some objects, and their delete markers. */
  async #versionsOf(paths: readonly string[], signal: AbortSignal | undefined): Promise<ObjectVersion[]> {
    const wanted = new Set(paths);
    const folders = new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/") + 1)));
    const found: ObjectVersion[] = [];
    for (const folder of folders) {
      for await (const version of versions(this.#service, folder, signal)) {
        if (wanted.has(version.key)) found.push(version);
      }
    }
    return found;
  }

  /** The whole key in the bucket. `CONFIG` for keys that are refused. */
  #path(key: string): string {
    keySegments(key);
    const path = this.#prefix + key;
    if (NOT_IN_XML.test(key)) throw refused(key, "it has a character that XML cannot carry");
    if (Buffer.byteLength(path) > MAX_KEY_BYTES) {
      throw refused(key, `with the prefix it is longer than ${MAX_KEY_BYTES} bytes`);
    }
    return path;
  }

  /** What the keys below a folder start with. */
  #folder(prefix: string): string {
    return prefix === "" ? this.#prefix : `${this.#path(prefix)}/`;
  }

  #operation(verb: string, permission: string, path: string) {
    return { verb, permission, target: `s3://${this.#service.bucket}/${path}` };
  }
}

/** The size that an answer gives. Throws `CONFIG` where it gives none: a size of 0 would hide the object's bytes. */
function sizeOf(
  { ContentLength }: { readonly ContentLength?: number | undefined },
  path: string,
  body?: Readable,
): number {
  if (ContentLength !== undefined) return ContentLength;
  body?.on("error", () => undefined).destroy();
  throw new ProviderError("CONFIG", `The answer for ${path} has no Content-Length, so its size is unknown.`, {
    fix: "Find out which proxy or cache stands before the S3 service, and have it pass answers unchanged.",
  });
}

/** The bytes from an offset on. Throws `CONFIG` where the answer holds others: going on with those would never end. */
function restOf({ Body, ContentRange = "" }: GetObjectCommandOutput, path: string, offset: number): Readable {
  const body = Body as Readable;
  if (offset === 0 || ContentRange.startsWith(`bytes ${offset}-`)) return body;
  body.on("error", () => undefined).destroy();
  throw new ProviderError("CONFIG", `The answer for ${path} does not begin at byte ${offset}, as was asked for.`, {
    fix: "A proxy or cache before the S3 service ignores the header Range: have it pass requests unchanged, or read without it.",
  });
}

/**
 * Opens a bucket as a store.
 *
 * @throws ProviderError `CONFIG` where the configuration cannot work.
 */
export async function openS3(config: S3Config, secrets: ProviderContext["secrets"]): Promise<StorageProvider> {
  const { bucket, region, endpoint, forcePathStyle } = config;
  if (bucket === undefined) {
    throw new ProviderError("CONFIG", "The storage of kind s3 has no bucket.", {
      fix: "Set bucket to the name of a bucket; only the target aws makes one of its own.",
    });
  }
  const { accessKeyId, secretAccessKey } = secrets;
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  const client = await createClient({ region, endpoint, forcePathStyle, credentials });
  return new S3StorageProvider(new S3Service(client, bucket, config), config);
}
