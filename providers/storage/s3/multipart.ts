import { setTimeout as sleep } from "node:timers/promises";
import type { CompletedPart } from "@aws-sdk/client-s3";
import { ProviderError, toProviderError } from "../../errors.ts";
import { withGrace } from "../../fields/grace.ts";
import { uploads } from "./listing.ts";
import type { OwnObject } from "./own-object.ts";
import type { Proof } from "./proof.ts";
import { bodyOf, TIDY_MS, type UploadPlan } from "./upload-plan.ts";

/** Milliseconds to wait before each request that ends an upload. */
const END_WAITS_MS = [0, 100, 300, 900];

/** An object that is sent in parts, several at once. */
export class MultipartUpload {
  readonly #plan: UploadPlan;
  readonly #object: OwnObject;
  readonly #proof: Proof;
  readonly #parts: CompletedPart[] = [];
  #id: string | undefined;
  /** A response to the request that begins the upload may have been lost: then the store has another one. */
  #mayHaveTwin = false;

  constructor(plan: UploadPlan, object: OwnObject, proof: Proof) {
    this.#plan = plan;
    this.#object = object;
    this.#proof = proof;
  }

  /** Begins the upload. */
  async begin(): Promise<void> {
    const { service, watchdog, retried } = this.#plan;
    let tries = 0;
    // With the grace, a transfer that ends now still learns the upload's name, and can end it.
    const request = withGrace(watchdog.signal, (signal) =>
      service.request(
        this.#object.operation("write", "s3:PutObject"),
        (s3, { abortSignal, attempt }) => {
          tries = attempt;
          return s3.createMultipartUpload({ ...this.#object.headers, ...this.#proof.begin }, { abortSignal });
        },
        { signal, retried },
      ),
    );
    const { UploadId } = await request.catch((error: unknown) => {
      this.#mayHaveTwin = tries > 1 || ["TRANSIENT", "ABORTED"].includes(toProviderError(error).code);
      throw error;
    });
    this.#mayHaveTwin = tries > 1;
    if (UploadId === undefined) throw new ProviderError("INTERNAL", "The store began an upload without a name for it.");
    this.#id = UploadId;
  }

  /** Sends the next part. */
  async send(bytes: Buffer): Promise<void> {
    const { service, watchdog, retried } = this.#plan;
    const number = this.#parts.length + 1;
    const sent = { PartNumber: number, ...this.#proof.part(number, bytes) };
    const part: CompletedPart = { ...sent };
    this.#parts.push(part);
    const input = { ...this.#object.target, ...sent, UploadId: this.#id, ContentLength: bytes.length };
    const operation = this.#object.operation("write", "s3:PutObject");
    const request = service.request(
      operation,
      async (s3, { abortSignal, moved }) => {
        const answer = await s3.uploadPart({ ...input, Body: bodyOf(bytes, moved, watchdog) }, { abortSignal });
        if (!this.#proof.contradicts(number, answer.ETag)) return answer;
        const problem = `Cannot ${operation.verb} ${operation.target}: the bytes of part ${number} changed on their way.`;
        throw new ProviderError("TRANSIENT", problem, {
          fix: "Look for a proxy that changes what it forwards, and check this machine's memory.",
        });
      },
      { signal: watchdog.signal, retried },
    );
    const { ETag } = await request.catch((error: unknown) => {
      const failure = toProviderError(error);
      throw this.#expired(failure) ?? failure;
    });
    part.ETag = ETag;
  }

  /** Makes the object of the parts. */
  complete(): Promise<void> {
    return this.#object.commit(
      "commit",
      (s3, { abortSignal }) =>
        s3.completeMultipartUpload(
          {
            ...this.#object.target,
            UploadId: this.#id,
            MultipartUpload: { Parts: this.#parts },
            IfNoneMatch: "*",
            ...this.#proof.complete,
            MpuObjectSize: this.#proof.size,
          },
          { abortSignal },
        ),
      (failure) => this.#expired(failure),
    );
  }

  /** Ends the upload, and removes its parts. */
  async end(): Promise<void> {
    if (this.#id !== undefined) await this.#end(this.#id);
  }

  /** Ends other uploads of the same key that this one may have begun. What is left, `removeUnfinished` ends. */
  async endTwins(): Promise<void> {
    if (!this.#mayHaveTwin) return;
    const { Key } = this.#object.target;
    for await (const { key, uploadId } of uploads(this.#plan.service, Key, AbortSignal.timeout(TIDY_MS))) {
      if (key === Key && uploadId !== this.#id) await this.#end(uploadId);
    }
  }

  /** Repeats the request until the upload is gone: a part whose connection was cut may still arrive, and would stay. */
  async #end(UploadId: string): Promise<void> {
    for (const waitMs of END_WAITS_MS) {
      await sleep(waitMs);
      try {
        await this.#plan.service.request(
          this.#object.operation("end the upload of", "s3:AbortMultipartUpload"),
          (s3, { abortSignal }) => s3.abortMultipartUpload({ ...this.#object.target, UploadId }, { abortSignal }),
          { signal: AbortSignal.timeout(TIDY_MS) },
        );
      } catch (error) {
        if (error instanceof ProviderError && error.code === "NOT_FOUND") return;
        throw error;
      }
    }
  }

  /** Explains a NOT_FOUND for this upload: somebody ended it. Undefined for other errors. */
  #expired(failure: ProviderError): ProviderError | undefined {
    if (failure.code !== "NOT_FOUND") return undefined;
    const sent = `${this.#parts.length} parts of it had been sent`;
    return new ProviderError("TRANSIENT", `${failure.message.replace(/\.$/, "")}: ${sent} when somebody ended it.`, {
      cause: failure,
      fix:
        "Start the backup again. Find out what ends unfinished uploads so early: a lifecycle rule of the bucket " +
        "(AbortIncompleteMultipartUpload), or another job's prune of the same folder.",
    });
  }
}
