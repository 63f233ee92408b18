import type { Readable } from "node:stream";
import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { ProviderError, toProviderError } from "../../errors.ts";
import { chunksOf } from "../../transfer/chunker.ts";
import { PartsUnderWay } from "../../transfer/parts-under-way.ts";
import { MultipartUpload } from "./multipart.ts";
import { OwnObject } from "./own-object.ts";
import { partSize } from "./part-size.ts";
import { Checksums, Tags, type Proof } from "./proof.ts";
import { bodyOf, TIDY_MS, type UploadPlan } from "./upload-plan.ts";

/** Bytes of all buffers of an upload together, unless two parts are larger. */
const BUFFER_BYTES = 64 * 1024 ** 2;

/** Buffers at most: three parts under way, and one that is being filled. */
const MAX_BUFFERS = 4;

/** How many buffers there are of parts of a size. */
function buffersOf(size: number): number {
  return Math.max(2, Math.min(MAX_BUFFERS, Math.floor(BUFFER_BYTES / size)));
}

/** Bytes that an upload holds of parts of a size. */
export function heldBytes(size: number): number {
  return buffersOf(size) * size;
}

/** The upload of one object: a small one in one request, others in parts. */
export class S3Upload {
  readonly #plan: UploadPlan;
  readonly #proof: Proof;
  readonly #object: OwnObject;
  /** Undefined for an object that is sent in one request. */
  #multipart: MultipartUpload | undefined;

  constructor(plan: UploadPlan) {
    this.#plan = plan;
    this.#proof = plan.basic ? new Tags() : new Checksums();
    this.#object = new OwnObject(plan, this.#proof);
  }

  /** Stores the stream, and returns what the store reports of it. Where that fails, nothing is left. */
  async store(source: Readable): Promise<HeadObjectCommandOutput> {
    try {
      await this.#send(source);
      // The object is visible: a caller that gives up only now gets it, or an error and nothing.
      const head = await this.#object.head({ lastCall: this.#plan.watchdog.signal, retried: this.#plan.retried });
      await this.#object.check(head);
      return head;
    } catch (error) {
      throw await this.#tidy(toProviderError(error));
    } finally {
      await this.#multipart?.endTwins().catch(() => undefined);
    }
  }

  /** Removes the object if this upload made it. */
  async discard(): Promise<void> {
    await this.#object.discard(AbortSignal.timeout(TIDY_MS));
  }

  /** Sends all bytes, and commits. */
  async #send(source: Readable): Promise<void> {
    const { watchdog, sizeEstimate, partBytes } = this.#plan;
    const parts = new PartsUnderWay(watchdog);
    try {
      const chunks = chunksOf(source, {
        size: (offset) => partSize(offset, sizeEstimate, partBytes),
        buffers: buffersOf,
        signal: watchdog.signal,
        moved: watchdog.moved,
      });
      for await (const chunk of chunks) {
        const { bytes, last } = chunk;
        if (last && this.#multipart === undefined) {
          await this.#put(bytes);
          return;
        }
        const multipart = this.#multipart ?? (await this.#begin());
        parts.begin(chunk, () => multipart.send(bytes));
      }
    } finally {
      // A part that arrives after the upload was ended would stay.
      await parts.settle();
    }
    watchdog.check();
    await this.#multipart?.complete();
  }

  async #begin(): Promise<MultipartUpload> {
    this.#multipart = new MultipartUpload(this.#plan, this.#object, this.#proof);
    await this.#multipart.begin();
    return this.#multipart;
  }

  /** Sends the whole object in one request, which commits it. */
  #put(bytes: Buffer): Promise<void> {
    const { watchdog } = this.#plan;
    const input = {
      ...this.#object.headers,
      ...this.#proof.whole(bytes),
      IfNoneMatch: "*",
      ContentLength: bytes.length,
    };
    return this.#object.commit("request", (s3, { abortSignal, moved }) =>
      s3.putObject({ ...input, Body: bodyOf(bytes, moved, watchdog) }, { abortSignal }),
    );
  }

  /**
   * Leaves nothing behind: neither parts nor, where a commit's outcome is unknown or wrong, the object.
   *
   * @returns the error, which also says what could not be removed
   */
  async #tidy(error: ProviderError): Promise<ProviderError> {
    const outcomes: string[] = [];
    const because = (failure: unknown) => toProviderError(failure).message;
    if (!this.#object.isCommitted) {
      await this.#multipart?.end().catch((failure: unknown) => {
        outcomes.push(`Its parts stay until a prune removes them: ${because(failure)}`);
      });
    }
    if (this.#object.mayBeVisible && error.code !== "CONFLICT") {
      try {
        const removed = await this.#object.discard(AbortSignal.timeout(TIDY_MS));
        if (removed) outcomes.push("The object was removed again.");
      } catch (failure) {
        const { Bucket, Key } = this.#object.target;
        outcomes.push(`s3://${Bucket}/${Key} could not be removed: ${because(failure)}`);
      }
    }
    if (outcomes.length === 0) return error;
    return new ProviderError(error.code, [error.message, ...outcomes].join(" "), {
      cause: error,
      ...(error.fix !== undefined && { fix: error.fix }),
    });
  }
}
