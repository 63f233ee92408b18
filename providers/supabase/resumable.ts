import type { IncomingMessage } from "node:http";
import { ProviderError, toProviderError } from "../errors.ts";
import { withGrace } from "../fields/grace.ts";
import { CONTENT_TYPE } from "./bucket.ts";
import type { SizeLimit } from "./bucket.ts";
import type { SupabaseClient } from "./client.ts";
import type { CallOptions } from "../http/service-client.ts";
import { objectAt } from "./commit.ts";
import { taken } from "./errors.ts";

/** Bytes of every request but the last: the service takes no others. */
export const CHUNK_BYTES = 6 * 1024 * 1024;

/** Every request becomes a part of the object behind the service, and S3 takes so many of them. */
const MAX_CHUNKS = 10_000;

const PATH = "/upload/resumable";
const VERSION = { "tus-resumable": "1.0.0" };
const CHUNK_TYPE = { "content-type": "application/offset+octet-stream" };

const useS3 =
  "Give the destination the project's S3 access keys (s3): that protocol takes up to 5 TiB, or keep less in one object.";

/** What is uploaded, where to. */
export interface Target {
  readonly bucket: string;
  readonly name: string;
  /** Kept with the object; it is how an upload knows its own object again. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Default: that of all our own objects. */
  readonly contentType?: string | undefined;
  /** For how many seconds it may be cached. Default: not at all. */
  readonly cacheControl?: string | undefined;
  /** Puts it in the place of what is there. Default false. */
  readonly replaces?: boolean;
}

/** What the service's resumable uploads take: the protocol's own limit, and the project's where the service tells it. */
export async function resumableLimits(client: SupabaseClient, options: CallOptions): Promise<SizeLimit[]> {
  const protocol = { bytes: MAX_CHUNKS * CHUNK_BYTES, of: "a resumable upload", fix: useS3 };
  let response: IncomingMessage;
  try {
    response = await client.retry(
      () => client.send(PATH, { method: "OPTIONS", headers: VERSION }, [200, 204], options),
      options,
    );
  } catch (error) {
    // A gateway may not let the question through.
    const { code } = toProviderError(error);
    if (["AUTH", "NOT_FOUND", "CONFIG", "INTERNAL"].includes(code)) return [protocol];
    throw error;
  }
  response.resume();
  const { "tus-max-size": most, "tus-extension": extensions } = response.headers;
  if (typeof extensions === "string" && !extensions.split(",").includes("creation-defer-length")) {
    throw new ProviderError("CONFIG", `Cannot ${options.action}: the service takes no uploads of unknown length.`, {
      fix: "Update the service (storage-api), or give the destination the project's S3 access keys (s3).",
    });
  }
  const bytes = Number(most);
  if (!Number.isInteger(bytes) || bytes <= 0) return [protocol];
  const fix = "Raise the project's file size limit (Storage > Settings); the free plan takes 50 MB at most.";
  return [protocol, { bytes, of: "the project", fix }];
}

/**
 * Ends an upload that nobody continues, by a single try; what was sent goes. One that is finished stays, since its content is an
 * object's.
 *
 * @returns whether there was such an upload
 */
export async function endUpload(client: SupabaseClient, id: string, options: CallOptions): Promise<boolean> {
  const path = `${PATH}/${id}`;
  const { offset = 0, length, expired } = await stateOf(client, path, options);
  if (offset > 0 && offset === length) return false;
  if (length === undefined && offset % CHUNK_BYTES !== 0) await fill(client, path, offset, options);
  return terminate(client, path, expired, options);
}

/**
 * Sends zeros after a chunk that was cut off. A Storage on S3 keeps the piece of it as an object of its own, which it does not
 * remove with the upload; what follows makes a part of both. Only tidiness: a failure changes nothing.
 */
async function fill(client: SupabaseClient, path: string, offset: number, options: CallOptions): Promise<void> {
  const headers = { ...VERSION, ...CHUNK_TYPE, "upload-offset": String(offset), "x-upsert": "true" };
  const outgoing = { method: "PATCH", headers, body: Buffer.alloc(CHUNK_BYTES) };
  const response = await client.send(path, outgoing, [204], options).catch(() => undefined);
  response?.resume();
}

/** What the service says of an upload: the bytes that it has, and its length where that is known. */
async function stateOf(
  client: SupabaseClient,
  path: string,
  options: CallOptions,
): Promise<{ readonly offset?: number; readonly length?: number; readonly expired: boolean }> {
  const response = await client.send(path, { method: "HEAD", headers: VERSION }, [200, 204, 404, 410], options);
  response.resume();
  const { "upload-offset": offset, "upload-length": length } = response.headers;
  return {
    expired: response.statusCode === 410,
    ...(offset !== undefined && { offset: Number(offset) }),
    ...(length !== undefined && { length: Number(length) }),
  };
}

/**
 * Ends an upload by a single try. The service refuses it, without `x-upsert`, where the object exists by now.
 *
 * @param expired the service does not say any more whether it is finished; it then answers 400 to one that is
 * @returns whether there was such an upload
 */
async function terminate(
  client: SupabaseClient,
  path: string,
  expired: boolean,
  options: CallOptions,
): Promise<boolean> {
  const outgoing = { method: "DELETE", headers: { ...VERSION, "x-upsert": "true" } };
  const response = await client.send(path, outgoing, [204, 404, 410, ...(expired ? [400] : [])], options);
  response.resume();
  return response.statusCode === 204;
}

/**
 * An upload in several requests, of a length that only the last one tells (TUS 1.0, creation-defer-length). Nothing is
 * visible before it. Hosted Storage removes one that is left behind after a day; a self-hosted server keeps it.
 */
export class ResumableUpload {
  /** By which {@link endUpload} ends it, from another process too. */
  readonly id: string;
  readonly #client: SupabaseClient;
  readonly #options: CallOptions;
  readonly #path: string;
  readonly #target: Target;
  /** Bytes that the service has. */
  #offset = 0;
  /** The service knows the length. */
  #declared = false;

  private constructor(client: SupabaseClient, target: Target, options: CallOptions, id: string) {
    this.#client = client;
    this.#target = target;
    this.#options = options;
    this.id = id;
    this.#path = `${PATH}/${id}`;
  }

  /**
   * Begins an upload. Should the answer be lost, beginning another does no harm. An abort ends it only after a grace: till then
   * it may give an upload all the same, which is to be ended.
   */
  static async begin(client: SupabaseClient, target: Target, options: CallOptions): Promise<ResumableUpload> {
    const metadata = {
      bucketName: target.bucket,
      objectName: target.name,
      contentType: target.contentType ?? CONTENT_TYPE,
      cacheControl: target.cacheControl ?? "0",
      metadata: JSON.stringify(target.metadata),
    };
    const pairs = Object.entries(metadata).map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`);
    const headers = {
      ...VERSION,
      "upload-defer-length": "1",
      "upload-metadata": pairs.join(","),
      "x-upsert": String(target.replaces ?? false),
    };
    // An upload whose response was cut off could not be ended: its address would not be known.
    const response = await withGrace(options.signal, (late) =>
      client.retry(() => client.send(PATH, { method: "POST", headers }, [201], { ...options, signal: late }), options),
    );
    response.resume();
    // Of its address only the id is used: a gateway may have given the service a wrong host, and the key goes to none but ours.
    const id = /([^/?#]+)\/?$/.exec(response.headers.location ?? "")?.[1];
    if (id === undefined) {
      throw new ProviderError("INTERNAL", `Cannot ${options.action}: the service began an upload without an address.`);
    }
    return new ResumableUpload(client, target, options, id);
  }

  /** Sends the next bytes, {@link CHUNK_BYTES} of them. Where an answer was lost, asks how many arrived, and sends the rest. */
  async append(bytes: Buffer): Promise<void> {
    const end = this.#offset + bytes.length;
    const outcome = await this.#client.retry(async (attempt) => {
      if (attempt > 1) {
        // A refusal before all bytes have gone may not arrive: the connection is closed, and this is all that is seen of it.
        await this.#expectFree();
        if ((await this.#lookAgain(end - bytes.length, end)) === "gone") return "gone";
      }
      return this.#offset < end ? this.#patch(bytes.subarray(this.#offset - end)) : "sent";
    }, this.#options);
    if (outcome === "gone") throw this.#gone();
  }

  /**
   * A single try to send the last bytes, which makes the object visible.
   *
   * @param again it is not the first
   * @param options those of this request, which may outlive the upload's own signal
   * @returns an error where the service does not know the upload any more: trying again is of no use then
   */
  async finish(bytes: Buffer, size: number, again: boolean, options: CallOptions): Promise<ProviderError | undefined> {
    if (again && (await this.#lookAgain(size - bytes.length, size, options)) === "gone") return this.#gone();
    const rest = bytes.subarray(bytes.length - (size - this.#offset));
    return (await this.#patch(rest, size, options)) === "gone" ? this.#gone() : undefined;
  }

  /** Ends the upload; what was sent goes. */
  async end(signal: AbortSignal): Promise<void> {
    await endUpload(this.#client, this.id, { action: `end the ${this.#options.action}`, signal });
  }

  async #patch(bytes: Buffer, size?: number, options = this.#options): Promise<"gone" | "sent"> {
    const headers = {
      ...VERSION,
      ...CHUNK_TYPE,
      "upload-offset": String(this.#offset),
      "x-upsert": String(this.#target.replaces ?? false),
      ...(size !== undefined && !this.#declared && { "upload-length": String(size) }),
    };
    const end = this.#offset + bytes.length;
    const outgoing = { method: "PATCH", headers, body: bytes };
    const response = await this.#client.send(this.#path, outgoing, [204, 404, 410], options);
    response.resume();
    if (response.statusCode !== 204) return "gone";
    const held = Number(response.headers["upload-offset"]);
    if (held !== end) {
      throw new ProviderError(
        "TRANSIENT",
        `Cannot ${options.action}: the service took ${held - this.#offset} of ${bytes.length} bytes.`,
      );
    }
    this.#offset = end;
    return "sent";
  }

  async #expectFree(): Promise<void> {
    const { bucket, name, replaces = false } = this.#target;
    if (replaces) return;
    if ((await objectAt(this.#client, bucket, name, this.#options)) !== undefined) throw taken(this.#options.action);
  }

  /** Asks the service how many bytes it has: never fewer than those that cannot be sent again. */
  async #lookAgain(start: number, end: number, options = this.#options): Promise<"gone" | "there"> {
    const { offset: held, length } = await stateOf(this.#client, this.#path, options);
    if (held === undefined) return "gone";
    if (!(held >= start && held <= end)) {
      throw new ProviderError(
        "INTEGRITY",
        `Cannot ${options.action}: the service holds ${held} bytes of it, where it had ${start}.`,
        {
          fix: "Start the backup again; its source cannot be read twice.",
        },
      );
    }
    this.#offset = held;
    this.#declared = length !== undefined;
    return "there";
  }

  #gone(): ProviderError {
    const problem = `Cannot ${this.#options.action}: the service does not know the upload any more`;
    return new ProviderError("TRANSIENT", `${problem}, of which it had ${this.#offset} bytes.`, {
      fix: "Start the backup again. An upload lives for a day at most: one that takes longer needs a faster connection, or s3.",
    });
  }
}
