import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import type { CompletedPart, HeadObjectCommandOutput, PutObjectCommandInput, S3 } from "@aws-sdk/client-s3";
import { abortedError, ProviderError, toProviderError } from "../../errors.ts";
import { chunksOf } from "../chunker.ts";
import { slices } from "../http.ts";
import type { StallWatchdog } from "../watchdog.ts";
import { checksumHeader, wholeChecksum } from "./checksum.ts";
import { partSize } from "./part-size.ts";
import type { S3Call, S3Service } from "./service.ts";

const MiB = 1024 ** 2;

/** What all buffers of an upload may hold together, as long as two parts are not more than that. */
const BUFFER_BYTES = 64 * MiB;

/** Buffers at most: three parts under way, and one that is being filled. */
const MAX_BUFFERS = 4;

/** How long the tidying up after a failure may take, in milliseconds. */
const TIDY_MS = 10_000;

/** When the end of a failed upload is asked for, and asked for again, in milliseconds after the time before. */
const END_AGAIN_MS = [0, 100, 300, 900];

/** The name of the metadata by which an upload knows its own object again when the answer to its commit was lost. */
const UPLOAD_ID = "provision-upload";

/** How objects are stored: encryption, storage class, lock. */
export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  "ServerSideEncryption" | "SSEKMSKeyId" | "StorageClass" | "ObjectLockMode" | "ObjectLockRetainUntilDate"
>;

/** What is stored, where and how. */
export interface UploadPlan {
  readonly service: S3Service;
  /** The whole key in the bucket. */
  readonly key: string;
  readonly headers: ObjectHeaders;
  /** A guess at the size in bytes; 0 where there is none. */
  readonly sizeEstimate: number;
  /** Bytes of a part at least. */
  readonly partBytes: number;
  /** The service neither honours `If-None-Match` nor keeps checksums: it is looked once more before a commit. */
  readonly basic: boolean;
  readonly watchdog: StallWatchdog;
}

/** One object on its way: small ones in one request, others in parts, several at once. */
export class S3Upload {
  readonly #plan: UploadPlan;
  readonly #target: { Bucket: string; Key: string };
  readonly #id = randomUUID();
  readonly #parts: CompletedPart[] = [];
  #uploadId: string | undefined;
  /** The answer to the first request for an upload in parts may have been lost: then there are two. */
  #mayHaveTwin = false;
  /** From when on the object may be visible. */
  #committing = false;
  /** What the store answered to the commit, if its answer came. */
  #committed: { VersionId?: string | undefined } | undefined;
  #size = 0;
  #crc = 0;

  constructor(plan: UploadPlan) {
    this.#plan = plan;
    this.#target = { Bucket: plan.service.bucket, Key: plan.key };
  }

  /** Stores the stream, and gives what the store reports of it. Whatever fails, nothing is left. */
  async store(source: Readable): Promise<HeadObjectCommandOutput> {
    try {
      await this.#send(source);
      const head = await this.#head();
      this.#check(head);
      return head;
    } catch (error) {
      await this.#tidy(error);
      throw error;
    } finally {
      if (this.#mayHaveTwin) await this.#removeTwins().catch(() => undefined);
    }
  }

  /** Removes the object if it is this upload's. */
  async discard(): Promise<void> {
    const { service } = this.#plan;
    const signal = AbortSignal.timeout(TIDY_MS);
    let mine = this.#committed;
    if (mine === undefined) {
      const head = await this.#head(signal);
      if (head.Metadata?.[UPLOAD_ID] !== this.#id) return;
      mine = head;
    }
    // Without its version, an object of a bucket with versions would only be hidden.
    const version = mine.VersionId === undefined ? {} : { VersionId: mine.VersionId };
    await service.request(
      this.#operation("remove", "s3:DeleteObject"),
      (s3, { abortSignal }) => s3.deleteObject({ ...this.#target, ...version }, { abortSignal }),
      { signal },
    );
  }

  /** Sends all bytes, and commits. */
  async #send(source: Readable): Promise<void> {
    const { watchdog, sizeEstimate, partBytes } = this.#plan;
    const failed = new AbortController();
    const signal = AbortSignal.any([watchdog.signal, failed.signal]);
    const underWay = new Set<Promise<void>>();
    try {
      const chunks = chunksOf(source, {
        size: (offset) => partSize(offset, sizeEstimate, partBytes),
        buffers: (size) => Math.max(2, Math.min(MAX_BUFFERS, Math.floor(BUFFER_BYTES / size))),
        signal,
        moved: () => {
          watchdog.moved();
        },
      });
      for await (const chunk of chunks) {
        const { bytes, last } = chunk;
        this.#size += bytes.length;
        this.#crc = crc32(bytes, this.#crc);
        if (last && this.#uploadId === undefined) {
          await this.#put(bytes);
          return;
        }
        this.#uploadId ??= await this.#begin(signal);
        const release = chunk.keep();
        const part: Promise<void> = this.#sendPart(this.#uploadId, bytes, signal)
          .catch((error: unknown) => {
            failed.abort(toProviderError(error));
          })
          .finally(() => {
            release();
            underWay.delete(part);
          });
        underWay.add(part);
      }
    } finally {
      // A part that arrives after the upload was ended would stay.
      await Promise.all(underWay);
    }
    if (signal.aborted) throw abortedError(signal);
    await this.#complete();
  }

  /** The whole object in one request. */
  async #put(bytes: Buffer): Promise<void> {
    const { headers } = this.#plan;
    await this.#commit((s3, { abortSignal, moved }) =>
      s3.putObject(
        {
          ...this.#target,
          ...headers,
          Metadata: { [UPLOAD_ID]: this.#id },
          IfNoneMatch: "*",
          Body: this.#body(bytes, moved),
          ContentLength: bytes.length,
          ...this.#checksum(this.#crc),
          // Where the bucket locks what is new, S3 asks for the algorithm beside the checksum.
          ...(this.#plan.basic ? {} : { ChecksumAlgorithm: "CRC32" }),
        },
        { abortSignal },
      ),
    );
  }

  async #begin(signal: AbortSignal): Promise<string> {
    const { service, headers, basic } = this.#plan;
    const { UploadId } = await service.request(
      this.#operation("write", "s3:PutObject"),
      (s3, { abortSignal, attempt }) => {
        this.#mayHaveTwin = attempt > 1;
        return s3.createMultipartUpload(
          {
            ...this.#target,
            ...headers,
            Metadata: { [UPLOAD_ID]: this.#id },
            ...(basic ? {} : { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" }),
          },
          { abortSignal },
        );
      },
      { signal },
    );
    if (UploadId === undefined) throw new ProviderError("INTERNAL", "The store began an upload without a name for it.");
    return UploadId;
  }

  async #sendPart(uploadId: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    const number = this.#parts.length + 1;
    const sent = { PartNumber: number, ...this.#checksum(crc32(bytes)) };
    const part: CompletedPart = { ...sent };
    this.#parts.push(part);
    const { ETag } = await this.#plan.service.request(
      this.#operation("write", "s3:PutObject"),
      (s3, { abortSignal, moved }) =>
        s3.uploadPart(
          {
            ...this.#target,
            ...sent,
            UploadId: uploadId,
            Body: this.#body(bytes, moved),
            ContentLength: bytes.length,
          },
          { abortSignal },
        ),
      { signal },
    );
    part.ETag = ETag;
  }

  async #complete(): Promise<void> {
    await this.#commit((s3, { abortSignal }) =>
      s3.completeMultipartUpload(
        {
          ...this.#target,
          UploadId: this.#uploadId,
          MultipartUpload: { Parts: this.#parts },
          IfNoneMatch: "*",
          ...(this.#plan.basic ? {} : { ChecksumType: "FULL_OBJECT", ...this.#checksum(this.#crc) }),
          MpuObjectSize: this.#size,
        },
        { abortSignal },
      ),
    );
  }

  /**
   * Makes the object visible. From here on an abort is not listened to while a request is under way: its outcome would be
   * unknown. Where an answer was lost, the next try finds the object there, and it is looked whose it is.
   */
  async #commit(call: (s3: S3, call: S3Call) => Promise<{ VersionId?: string | undefined }>): Promise<void> {
    const { service, watchdog, basic } = this.#plan;
    watchdog.check();
    if (basic) await this.#expectFree();
    this.#committing = true;
    try {
      const operation = this.#operation("write", "s3:PutObject");
      const kind = this.#uploadId === undefined ? "request" : "commit";
      this.#committed = await service.request(operation, call, { lastCall: watchdog.signal, kind });
    } catch (error) {
      if (!(error instanceof ProviderError) || !["CONFLICT", "NOT_FOUND"].includes(error.code)) throw error;
      const found = await this.#head().catch(() => undefined);
      if (found?.Metadata?.[UPLOAD_ID] !== this.#id) {
        this.#committing = false;
        throw error;
      }
      this.#committed = found;
    }
  }

  #checksum(crc: number): { ChecksumCRC32?: string } {
    return this.#plan.basic ? {} : { ChecksumCRC32: checksumHeader(crc) };
  }

  /** Looks once more, as late as can be: the service would not refuse to overwrite. */
  async #expectFree(): Promise<void> {
    try {
      await this.#head();
    } catch (error) {
      if (error instanceof ProviderError && error.code === "NOT_FOUND") return;
      throw error;
    }
    const { service, key } = this.#plan;
    throw new ProviderError("CONFLICT", `${key} exists already in ${service.bucket}; objects are never overwritten.`, {
      fix: "Use another key, or remove the object first.",
    });
  }

  #head(signal = this.#plan.watchdog.signal): Promise<HeadObjectCommandOutput> {
    const { service } = this.#plan;
    return service.request(
      this.#operation("look at", "s3:GetObject"),
      (s3, { abortSignal }) => s3.headObject({ ...this.#target, ChecksumMode: "ENABLED" }, { abortSignal }),
      { lastCall: signal },
    );
  }

  /** Compares what the store reports with what was sent. */
  #check(head: HeadObjectCommandOutput): void {
    const { service, key } = this.#plan;
    const id = head.Metadata?.[UPLOAD_ID];
    if (id !== undefined && id !== this.#id) {
      throw new ProviderError("CONFLICT", `Another upload has replaced ${key} in ${service.bucket}.`, {
        fix: "This store does not refuse to overwrite. Look which two runs write to the same place.",
      });
    }
    const fix = "Look what stands between here and the store, and at the store itself. The object was removed.";
    if (head.ContentLength !== this.#size) {
      const sizes = `${head.ContentLength ?? "no"} bytes, but ${this.#size} were sent`;
      throw new ProviderError("INTEGRITY", `${key} in ${service.bucket} has ${sizes}.`, { fix });
    }
    const expected = checksumHeader(this.#crc);
    const found = wholeChecksum(head);
    if (found !== undefined && found !== expected) {
      const sums = `the CRC-32 ${found}, but what was sent has ${expected}`;
      throw new ProviderError("INTEGRITY", `${key} in ${service.bucket} has ${sums}.`, { fix });
    }
  }

  /** Leaves nothing behind: neither parts nor, where a commit's outcome is unknown or wrong, the object. */
  async #tidy(error: unknown): Promise<void> {
    // What cannot be removed now, `removeUnfinished` finds. The error that led here is the one to report.
    if (this.#uploadId !== undefined) await this.#end(this.#uploadId).catch(() => undefined);
    const conflict = error instanceof ProviderError && error.code === "CONFLICT";
    if (this.#committing && !conflict) await this.discard().catch(() => undefined);
  }

  /** Ends the upload until it is gone: a part whose connection was cut may still be arriving, and would stay. */
  async #end(uploadId: string): Promise<void> {
    for (const waitMs of END_AGAIN_MS) {
      await sleep(waitMs);
      try {
        await this.#abort(uploadId);
      } catch (error) {
        if (error instanceof ProviderError && error.code === "NOT_FOUND") return;
        throw error;
      }
    }
  }

  async #abort(UploadId: string): Promise<void> {
    await this.#plan.service.request(
      this.#operation("end the upload of", "s3:AbortMultipartUpload"),
      (s3, { abortSignal }) => s3.abortMultipartUpload({ ...this.#target, UploadId }, { abortSignal }),
      { signal: AbortSignal.timeout(TIDY_MS) },
    );
  }

  /** Ends the other uploads of the same key. */
  async #removeTwins(): Promise<void> {
    const { Bucket, Key } = this.#target;
    const { Uploads = [] } = await this.#plan.service.request(
      this.#operation("list the uploads of", "s3:ListBucketMultipartUploads"),
      (s3, { abortSignal }) => s3.listMultipartUploads({ Bucket, Prefix: Key }, { abortSignal }),
      { signal: AbortSignal.timeout(TIDY_MS) },
    );
    for (const { Key: key, UploadId } of Uploads) {
      if (key === Key && UploadId !== undefined && UploadId !== this.#uploadId) await this.#abort(UploadId);
    }
  }

  /** The bytes as a stream, which the SDK neither copies nor hashes, and whose progress can be seen. */
  #body(bytes: Buffer, moved: () => void): Readable {
    const { watchdog } = this.#plan;
    const both = () => {
      moved();
      watchdog.moved();
    };
    return Readable.from(slices(bytes, both), { objectMode: false });
  }

  #operation(verb: string, permission: string) {
    return { verb, permission, target: `s3://${this.#target.Bucket}/${this.#target.Key}` };
  }
}
