import { randomUUID } from "node:crypto";
import { crc32 } from "node:zlib";
import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { ProviderError, toProviderError } from "../../errors.ts";
import { sendCommit } from "../../transfer/commit-request.ts";
import { exists } from "../../transfer/object-errors.ts";
import { checksumHeader, wholeChecksum } from "./checksum.ts";
import type { Operation } from "./errors.ts";
import type { Proof } from "./proof.ts";
import type { CallOptions, SdkRequest } from "./service.ts";
import type { UploadPlan } from "./upload-plan.ts";

/** The name of the metadata by which an upload recognises its own object when the response to its commit was lost. */
const UPLOAD_ID = "provision-upload";

/** What is known of an object that was made visible. */
interface Committed {
  /** Where the bucket has versions. */
  readonly VersionId?: string | undefined;
}

/** The object of one upload: makes it visible, recognises it, compares it with what was sent and removes it. */
export class OwnObject {
  readonly target: { Bucket: string; Key: string };
  readonly #id = randomUUID();
  readonly #plan: UploadPlan;
  readonly #proof: Proof;
  #mayBeVisible = false;
  #committed: Committed | undefined;

  constructor(plan: UploadPlan, proof: Proof) {
    this.target = { Bucket: plan.service.bucket, Key: plan.key };
    this.#plan = plan;
    this.#proof = proof;
  }

  /** Sent with the request that makes the object, or begins an upload of it. */
  get headers() {
    return { ...this.target, ...this.#plan.headers, Metadata: { [UPLOAD_ID]: this.#id } };
  }

  /** Whether a request that makes the object visible was sent. */
  get mayBeVisible(): boolean {
    return this.#mayBeVisible;
  }

  /** Whether the store confirmed that the object is visible. */
  get isCommitted(): boolean {
    return this.#committed !== undefined;
  }

  /**
   * Makes the object visible. Where a response was lost, the next try finds the object there, or the upload gone: then the
   * object's metadata says whose it is.
   *
   * @param kind `commit` for an object in parts; see {@link CallOptions}
   * @param final the error for a failure after which another try is of no use
   */
  async commit(
    kind: "request" | "commit",
    call: SdkRequest<Committed>,
    final: (failure: ProviderError) => ProviderError | undefined = () => undefined,
  ): Promise<void> {
    const { service, watchdog, basic, retried } = this.#plan;
    watchdog.check();
    const request = {
      name: this.operation("", "").target,
      signal: watchdog.signal,
      retried,
      find: async (signal: AbortSignal) => {
        const found = await this.#find(signal);
        return found !== undefined && this.#isOwn(found) ? found : undefined;
      },
      remove: (own: Committed, signal: AbortSignal) => this.#remove(own, signal),
    };
    this.#committed = await sendCommit<Committed>(request, service.retrySeconds, async (one) => {
      // A service that would overwrite is asked as late as possible.
      const found = basic ? await this.#find(one.signal) : undefined;
      if (found !== undefined) {
        return one.doubtful && this.#isOwn(found) ? found : exists(this.#plan.key, service.bucket);
      }
      this.#mayBeVisible = true;
      try {
        const operation = this.operation("write", "s3:PutObject");
        return await service.once(operation, call, { signal: one.signal, kind }, one.attempt);
      } catch (error) {
        const failure = toProviderError(error);
        const last = final(failure);
        if (last === undefined) throw failure;
        return last;
      }
    });
  }

  /** What the store reports of the object. */
  head(options: CallOptions): Promise<HeadObjectCommandOutput> {
    return this.#plan.service.request(
      this.operation("check", "s3:GetObject"),
      (s3, { abortSignal }) => s3.headObject({ ...this.target, ChecksumMode: "ENABLED" }, { abortSignal }),
      options,
    );
  }

  /** Compares what the store reports with what was sent. `INTEGRITY` where they differ. */
  async check(head: HeadObjectCommandOutput): Promise<void> {
    const { service, key } = this.#plan;
    const { size, crc } = this.#proof;
    const id = head.Metadata?.[UPLOAD_ID];
    if (id !== undefined && id !== this.#id) {
      throw new ProviderError("CONFLICT", `Another upload has replaced ${key} in ${service.bucket}.`, {
        fix: "This store does not refuse to overwrite. Find out which two runs write to the same folder.",
      });
    }
    const wrong = (problem: string) =>
      new ProviderError("INTEGRITY", `${key} in ${service.bucket} has ${problem}.`, {
        fix: "Check the store, and any proxy between it and this machine; then start the backup again.",
      });
    if (head.ContentLength !== size) throw wrong(`${head.ContentLength ?? "no"} bytes, but ${size} were sent`);
    const found = wholeChecksum(head);
    if (found !== undefined && crc !== undefined && found !== checksumHeader(crc)) {
      throw wrong(`the CRC-32 ${found}, but what was sent has ${checksumHeader(crc)}`);
    }
    const verdict = this.#proof.compare(head.ETag);
    if (verdict === "different" || (verdict === "unknown" && (await this.#readBack()) !== crc)) {
      throw wrong(`other bytes than were sent (its tag is ${head.ETag ?? "(none)"})`);
    }
  }

  /** Removes the object if this upload made it, and says whether it did. */
  async discard(signal: AbortSignal): Promise<boolean> {
    let own = this.#committed;
    if (own === undefined) {
      const found = await this.#find(signal);
      if (found === undefined || !this.#isOwn(found)) return false;
      own = found;
    }
    await this.#remove(own, signal);
    return true;
  }

  /** A request that concerns the object, for messages. */
  operation(verb: string, permission: string): Operation {
    return { verb, permission, target: `s3://${this.target.Bucket}/${this.target.Key}` };
  }

  /** By the upload's own metadata; where a store keeps none, by size and checksum. */
  #isOwn(head: HeadObjectCommandOutput): boolean {
    const id = head.Metadata?.[UPLOAD_ID];
    if (id !== undefined) return id === this.#id;
    const { size, crc } = this.#proof;
    return head.ContentLength === size && crc !== undefined && wholeChecksum(head) === checksumHeader(crc);
  }

  /** The object at the key, ours or not. */
  async #find(signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.head({ signal });
    } catch (error) {
      if (error instanceof ProviderError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** Removes its version. Where the right to that is missing, the object is only hidden. */
  async #remove({ VersionId }: Committed, signal: AbortSignal): Promise<void> {
    const remove = (permission: string, version: Committed) =>
      this.#plan.service.request(
        this.operation("remove", permission),
        (s3, { abortSignal }) => s3.deleteObject({ ...this.target, ...version }, { abortSignal }),
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
        ...(failure.fix !== undefined && { fix: failure.fix }),
      });
    }
  }

  /** The CRC-32 of what the store gives back. */
  #readBack(): Promise<number> {
    return this.#plan.service.request(
      this.operation("read", "s3:GetObject"),
      async (s3, { abortSignal, moved }) => {
        const { Body } = await s3.getObject(this.target, { abortSignal });
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
}
