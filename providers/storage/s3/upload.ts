import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import type { CompletedPart, HeadObjectCommandOutput, PutObjectCommandInput } from "@aws-sdk/client-s3";
import { ProviderError, toProviderError } from "../../errors.ts";
import { chunksOf } from "../../transfer/chunker.ts";
import { slices } from "../../http/http.ts";
import { fits, md5, PartTags } from "../../transfer/part-tags.ts";
import { PartsUnderWay } from "../../transfer/parts-under-way.ts";
import { settled } from "../../transfer/settlement.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { checksumHeader, wholeChecksum } from "./checksum.ts";
import { uploads } from "./listing.ts";
import { partSize } from "./part-size.ts";
import type { CallOptions, S3Service, SdkRequest } from "./service.ts";

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

/** What is known of an object that was made visible. */
interface Committed {
  /** Where the bucket has versions. */
  readonly VersionId?: string | undefined;
}

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
  /** The answer to a request for an upload in parts may have been lost: then there is one more than is known. */
  #mayHaveTwin = false;
  /** From when on the object may be visible. */
  #committing = false;
  /** What the store answered to the commit, if its answer came. */
  #committed: Committed | undefined;
  /** What is compared where the service keeps no checksums. */
  readonly #tags = new PartTags();
  #small: Buffer | undefined;
  #size = 0;
  /** Of all bytes; of those in parts only where the service keeps checksums. */
  #crc = 0;

  constructor(plan: UploadPlan) {
    this.#plan = plan;
    this.#target = { Bucket: plan.service.bucket, Key: plan.key };
  }

  /** Stores the stream, and gives what the store reports of it. Whatever fails, nothing is left. */
  async store(source: Readable): Promise<HeadObjectCommandOutput> {
    try {
      await this.#send(source);
      // It is there: whoever gives up only now gets it, or an error and nothing.
      const head = await this.#head({ lastCall: this.#plan.watchdog.signal });
      await this.#check(head);
      return head;
    } catch (error) {
      throw await this.#tidy(toProviderError(error));
    } finally {
      // What stays all the same, `removeUnfinished` finds.
      if (this.#mayHaveTwin) await this.#removeTwins().catch(() => undefined);
    }
  }

  /** Removes the object if it is this upload's, and says whether it was. */
  async discard(): Promise<boolean> {
    const signal = AbortSignal.timeout(TIDY_MS);
    const own = this.#committed ?? (await this.#findOwn(signal));
    if (own === undefined) return false;
    await this.#remove(own, signal);
    return true;
  }

  /** Without its version, an object of a bucket with versions is only hidden: that is all where the right to more is missing. */
  async #remove({ VersionId }: Committed, signal: AbortSignal): Promise<void> {
    const remove = (permission: string, version: { VersionId?: string }) =>
      this.#plan.service.request(
        this.#operation("remove", permission),
        (s3, { abortSignal }) => s3.deleteObject({ ...this.#target, ...version }, { abortSignal }),
        { signal },
      );
    if (VersionId === undefined) {
      await remove("s3:DeleteObject", {});
      return;
    }
    try {
      await remove("s3:DeleteObjectVersion", { VersionId });
    } catch (error) {
      const failure = toProviderError(error);
      if (failure.code !== "AUTH") throw failure;
      await remove("s3:DeleteObject", {});
      throw new ProviderError("AUTH", `It is hidden, but its version ${VersionId} stays: ${failure.message}`, {
        cause: failure,
        ...(failure.fix === undefined ? {} : { fix: failure.fix }),
      });
    }
  }

  /** Sends all bytes, and commits. */
  async #send(source: Readable): Promise<void> {
    const { watchdog, sizeEstimate, partBytes, basic } = this.#plan;
    const parts = new PartsUnderWay(watchdog.signal);
    const { signal } = parts;
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
        if (last && this.#uploadId === undefined) {
          await this.#put(bytes);
          return;
        }
        if (!basic) this.#crc = crc32(bytes, this.#crc);
        const uploadId = (this.#uploadId ??= await this.#begin(signal));
        parts.begin(chunk, () => this.#sendPart(uploadId, bytes, signal));
      }
    } finally {
      // A part that arrives after the upload was ended would stay.
      await parts.settle();
    }
    parts.check();
    await this.#complete();
  }

  /** The whole object in one request. */
  async #put(bytes: Buffer): Promise<void> {
    const { headers } = this.#plan;
    this.#small = bytes;
    this.#crc = crc32(bytes);
    await this.#commit((s3, { abortSignal, moved }) =>
      s3.putObject(
        {
          ...this.#target,
          ...headers,
          Metadata: { [UPLOAD_ID]: this.#id },
          IfNoneMatch: "*",
          Body: this.#body(bytes, moved),
          ContentLength: bytes.length,
          ...this.#checksum(() => this.#crc),
          // Where the bucket locks what is new, S3 asks for the algorithm beside the checksum.
          ...(this.#plan.basic ? {} : { ChecksumAlgorithm: "CRC32" }),
        },
        { abortSignal },
      ),
    );
  }

  async #begin(signal: AbortSignal): Promise<string> {
    const { service, headers, basic } = this.#plan;
    let tries = 0;
    const request = service.request(
      this.#operation("write", "s3:PutObject"),
      (s3, { abortSignal, attempt }) => {
        tries = attempt;
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
    const { UploadId } = await request.catch((error: unknown) => {
      this.#mayHaveTwin = tries > 1 || ["TRANSIENT", "ABORTED"].includes(toProviderError(error).code);
      throw error;
    });
    this.#mayHaveTwin = tries > 1;
    if (UploadId === undefined) throw new ProviderError("INTERNAL", "The store began an upload without a name for it.");
    return UploadId;
  }

  async #sendPart(uploadId: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    const number = this.#parts.length + 1;
    const sent = { PartNumber: number, ...this.#checksum(() => crc32(bytes)) };
    const part: CompletedPart = { ...sent };
    this.#parts.push(part);
    const input = { ...this.#target, ...sent, UploadId: uploadId, ContentLength: bytes.length };
    const { service, basic } = this.#plan;
    if (basic) this.#tags.sent(number, bytes);
    const { ETag } = await service
      .request(
        this.#operation("write", "s3:PutObject"),
        async (s3, { abortSignal, moved }) => {
          const answer = await s3.uploadPart({ ...input, Body: this.#body(bytes, moved) }, { abortSignal });
          if (basic && this.#tags.ofPart(number, answer.ETag) === "different") throw this.#changed(number);
          return answer;
        },
        { signal },
      )
      .catch((error: unknown) => {
        throw this.#orExpired(error);
      });
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
          ...(this.#plan.basic ? {} : { ChecksumType: "FULL_OBJECT", ...this.#checksum(() => this.#crc) }),
          MpuObjectSize: this.#size,
        },
        { abortSignal },
      ),
    );
  }

  /**
   * Makes the object visible. Where an answer was lost, the next try finds the object there, or the upload gone: then it is
   * looked whose object it is.
   */
  async #commit(call: SdkRequest<Committed>): Promise<void> {
    const { service, watchdog, basic } = this.#plan;
    const deed = {
      name: `s3://${this.#target.Bucket}/${this.#target.Key}`,
      signal: watchdog.signal,
      find: (signal: AbortSignal) => this.#findOwn(signal),
      remove: (own: Committed, signal: AbortSignal) => this.#remove(own, signal),
    };
    const kind = this.#uploadId === undefined ? "request" : "commit";
    watchdog.check();
    this.#committed = await settled<Committed>(deed, service.retrySeconds, async ({ attempt, signal, doubtful }) => {
      // A service that would overwrite is asked as late as can be.
      const found = basic ? await this.#at(signal) : undefined;
      if (found !== undefined) return doubtful && this.#isOwn(found) ? found : this.#taken();
      this.#committing = true;
      try {
        return await service.once(this.#operation("write", "s3:PutObject"), call, { signal, kind }, attempt);
      } catch (error) {
        const failure = this.#orExpired(error);
        if (failure === error) throw failure;
        // Trying again is of no use.
        return failure;
      }
    });
  }

  /** What goes along with bytes; not even computed for a service that keeps none. */
  #checksum(crc: () => number): { ChecksumCRC32?: string } {
    return this.#plan.basic ? {} : { ChecksumCRC32: checksumHeader(crc()) };
  }

  /** Of what a store says that there is none of an upload, the explanation; any other error as it is. */
  #orExpired(error: unknown): ProviderError {
    const failure = toProviderError(error);
    if (failure.code !== "NOT_FOUND") return failure;
    const sent = `${this.#parts.length} parts of it had been sent`;
    return new ProviderError("TRANSIENT", `${failure.message.replace(/\.$/, "")}: ${sent} when somebody ended it.`, {
      cause: failure,
      fix:
        "Start the backup again. Look who ends unfinished uploads so early: a lifecycle rule of the bucket " +
        "(AbortIncompleteMultipartUpload), or another job's prune of the same folder.",
    });
  }

  #taken(): ProviderError {
    const { service, key } = this.#plan;
    return new ProviderError("CONFLICT", `${key} exists already in ${service.bucket}; objects are never overwritten.`, {
      fix: "Use another key, or remove the object first.",
    });
  }

  /** The object at the key if this upload made it. */
  async #findOwn(signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    const found = await this.#at(signal);
    return found !== undefined && this.#isOwn(found) ? found : undefined;
  }

  /** By the upload's own mark; where a store keeps none, by size and checksum. */
  #isOwn(head: HeadObjectCommandOutput): boolean {
    const id = head.Metadata?.[UPLOAD_ID];
    if (id !== undefined) return id === this.#id;
    return head.ContentLength === this.#size && wholeChecksum(head) === checksumHeader(this.#crc);
  }

  /** What is at the key, if there is anything. */
  async #at(signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#head({ signal });
    } catch (error) {
      if (error instanceof ProviderError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  #head(options: CallOptions): Promise<HeadObjectCommandOutput> {
    return this.#plan.service.request(
      this.#operation("look at", "s3:GetObject"),
      (s3, { abortSignal }) => s3.headObject({ ...this.#target, ChecksumMode: "ENABLED" }, { abortSignal }),
      options,
    );
  }

  #changed(part: number): ProviderError {
    const { verb, target } = this.#operation("write", "s3:PutObject");
    const problem = `Cannot ${verb} ${target}: the bytes of part ${part} changed on their way.`;
    return new ProviderError("TRANSIENT", problem, {
      fix: "Look for a proxy that changes what it forwards, and check this machine's memory.",
    });
  }

  /** Whether what the store has is what was sent, as far as it can be told where there are no checksums. */
  async #isRight({ ETag }: HeadObjectCommandOutput): Promise<boolean> {
    // A large object that cannot be compared is not read here: whoever stores it reads it back.
    if (this.#small === undefined) return this.#tags.ofWhole(ETag) !== "different";
    return fits(ETag, md5(this.#small)) || (await this.#readBack()) === this.#crc;
  }

  /** The CRC-32 of what the store gives back. */
  async #readBack(): Promise<number> {
    return this.#plan.service.request(
      this.#operation("read", "s3:GetObject"),
      async (s3, { abortSignal, moved }) => {
        const { Body } = await s3.getObject(this.#target, { abortSignal });
        let crc = 0;
        for await (const piece of Body as AsyncIterable<Buffer>) {
          moved();
          crc = crc32(piece, crc);
        }
        return crc;
      },
      { lastCall: this.#plan.watchdog.signal },
    );
  }

  /** Compares what the store reports with what was sent. */
  async #check(head: HeadObjectCommandOutput): Promise<void> {
    const { service, key, basic } = this.#plan;
    const id = head.Metadata?.[UPLOAD_ID];
    if (id !== undefined && id !== this.#id) {
      throw new ProviderError("CONFLICT", `Another upload has replaced ${key} in ${service.bucket}.`, {
        fix: "This store does not refuse to overwrite. Look which two runs write to the same place.",
      });
    }
    const fix = "Look what stands between here and the store, and at the store itself; then start the backup again.";
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
    if (basic && !(await this.#isRight(head))) {
      const tag = `its tag is ${head.ETag ?? "(none)"}`;
      throw new ProviderError("INTEGRITY", `${key} in ${service.bucket} has other bytes than were sent (${tag}).`, {
        fix,
      });
    }
  }

  /**
   * Leaves nothing behind: neither parts nor, where a commit's outcome is unknown or wrong, the object.
   *
   * @returns the error that led here, which also says what stays all the same
   */
  async #tidy(error: ProviderError): Promise<ProviderError> {
    const outcomes: string[] = [];
    const { Bucket, Key } = this.#target;
    const because = (failure: unknown) => toProviderError(failure).message;
    if (this.#uploadId !== undefined && this.#committed === undefined) {
      await this.#end(this.#uploadId).catch((failure: unknown) => {
        outcomes.push(`Its parts stay until a prune removes them: ${because(failure)}`);
      });
    }
    if (this.#committing && error.code !== "CONFLICT") {
      await this.discard().then(
        (removed) => {
          if (removed) outcomes.push("The object was removed again.");
        },
        (failure: unknown) => {
          outcomes.push(`s3://${Bucket}/${Key} could not be removed: ${because(failure)}`);
        },
      );
    }
    if (outcomes.length === 0) return error;
    return new ProviderError(error.code, [error.message, ...outcomes].join(" "), {
      cause: error,
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    });
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
    const { Key } = this.#target;
    for await (const { key, uploadId } of uploads(this.#plan.service, Key, AbortSignal.timeout(TIDY_MS))) {
      if (key === Key && uploadId !== this.#uploadId) await this.#end(uploadId);
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
