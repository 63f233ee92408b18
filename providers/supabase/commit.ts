import { crc32 } from "node:zlib";
import { ProviderError, toProviderError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { fits, md5, PartTags } from "../transfer/part-tags.ts";
import { sendCommit } from "../transfer/commit-request.ts";
import type { Try } from "../transfer/commit-request.ts";
import { StallWatchdog } from "../transfer/watchdog.ts";
import type { SupabaseClient } from "./client.ts";
import type { CallOptions } from "../http/service-client.ts";
import { openDownload } from "./download.ts";
import { taken } from "./errors.ts";

/** The name of the metadata by which an upload knows its own object again. */
const UPLOAD_ID = "provisionUpload";

/** An object as the service reports it. */
export interface ObjectFacts {
  readonly size: number;
  readonly etag: string;
  readonly modified: Date;
  /** The upload that made it, if it was one of ours. */
  readonly uploadId: string | undefined;
}

/** What an object holds. */
interface Content {
  /** The MD5s of its parts: one of an object that is sent as a whole. */
  readonly sums: readonly Buffer[];
  readonly inParts: boolean;
  readonly crc: number;
}

/** An object that is about to become visible. */
export interface Commit {
  readonly bucket: string;
  readonly name: string;
  readonly size: number;
  /** A random id of the upload. */
  readonly id: string;
  /** What to compare with. */
  readonly content: Content;
}

/** What is kept with an object: by it, its upload knows it again. */
export function metadataOf(id: string): Record<string, string> {
  return { [UPLOAD_ID]: id };
}

/** The facts of an object; nothing where there is none. */
export async function objectAt(
  client: SupabaseClient,
  bucket: string,
  name: string,
  options: CallOptions,
): Promise<ObjectFacts | undefined> {
  try {
    const info = await client.call((storage) => storage.from(bucket).info(name), options);
    const { size, etag, lastModified, createdAt, metadata } = info;
    const id: unknown = metadata?.[UPLOAD_ID];
    return {
      size: size ?? 0,
      etag: (etag ?? "").replaceAll(/^W\/|"/g, ""),
      modified: new Date(lastModified ?? createdAt),
      uploadId: typeof id === "string" ? id : undefined,
    };
  } catch (error) {
    if (error instanceof ProviderError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/**
 * Makes the object visible, and compares what the service says of it with what was sent.
 *
 * Where an answer was lost, or was a failure that may have come after the effect, the object is looked for: one that bears our
 * id means that the commit was done, although the service calls the next try a conflict.
 *
 * @param send one try; gives an error where another try is of no use
 */
export async function commit(
  client: SupabaseClient,
  object: Commit,
  send: (one: Try) => Promise<ProviderError | undefined>,
  options: CallOptions,
): Promise<ObjectFacts> {
  const find = async (signal: AbortSignal) => {
    const found = await objectAt(client, object.bucket, object.name, { ...options, signal });
    return found?.uploadId === object.id ? found : undefined;
  };
  const remove = (_made: ObjectFacts | undefined, signal: AbortSignal) =>
    discard(client, object, { ...options, signal });
  const request = { name: object.name, signal: options.signal, retried: options.retried, find, remove };
  await sendCommit<ObjectFacts | undefined>(request, client.retrySeconds, async (one) => {
    if (one.doubtful) {
      const found = await objectAt(client, object.bucket, object.name, { ...options, signal: one.signal });
      if (found !== undefined) return found.uploadId === object.id ? found : taken(options.action);
    }
    return send(one);
  });
  return checked(client, object, options);
}

/** What the service says of the object. Where that is not right, or cannot be learnt, the object is removed again. */
async function checked(client: SupabaseClient, object: Commit, { action }: CallOptions): Promise<ObjectFacts> {
  // The object is there: a caller that gives up only now gets it, or an error and nothing.
  const options = { action, signal: undefined };
  let code: ErrorCode = "INTEGRITY";
  let problem: string;
  try {
    const facts = await objectAt(client, object.bucket, object.name, options);
    const found = await difference(client, object, facts, options);
    if (facts !== undefined && found === undefined) return facts;
    problem = found ?? "the service does not show it";
  } catch (error) {
    const failure = toProviderError(error);
    code = failure.code;
    problem = `what was stored cannot be looked at: ${failure.message.replace(/\.$/, "")}`;
  }
  const fix = "Check the network, and look for a proxy that changes what it forwards; then start the backup again.";
  try {
    await discard(client, object, options);
  } catch (error) {
    const stays = `${object.name} could not be removed: ${toProviderError(error).message}`;
    throw new ProviderError(code, `Cannot ${action}: ${problem}. ${stays}`, {
      cause: error,
      fix: `Remove that object. ${fix}`,
    });
  }
  throw new ProviderError(code, `Cannot ${action}: ${problem}. The object was removed again.`, { fix });
}

/** How what the service has differs from what was sent. */
async function difference(
  client: SupabaseClient,
  { bucket, name, size, content }: Commit,
  facts: ObjectFacts | undefined,
  options: CallOptions,
): Promise<string | undefined> {
  if (facts === undefined) return undefined;
  if (facts.size !== size) return `the service has ${facts.size} bytes, but was sent ${size}`;
  // The tag is no MD5 where the service encrypts with keys of its own, or is configured to use the time. Only the bytes themselves tell.
  // Where the tag of a large object is of no known kind, they are not read here: the run's verification reads it.
  const { sums, inParts, crc } = content;
  const [sum = md5(Buffer.alloc(0))] = sums;
  if (inParts ? new PartTags(sums).ofWhole(facts.etag) !== "unlike" : fits(facts.etag, sum)) return undefined;
  const watchdog = new StallWatchdog(`download of ${name}`, client.stallTimeoutSeconds, options.signal);
  let found = 0;
  try {
    const stored = await openDownload(client, { bucket, name }, watchdog, name, options.action);
    for await (const piece of stored as AsyncIterable<Buffer>) found = crc32(piece, found);
  } finally {
    watchdog.stop();
  }
  return found === crc ? undefined : `the service has other bytes than it was sent (its tag is ${facts.etag})`;
}

/** Removes the object if this upload made it. */
export async function discard(
  client: SupabaseClient,
  object: Pick<Commit, "bucket" | "name" | "id">,
  options: CallOptions,
): Promise<void> {
  if ((await objectAt(client, object.bucket, object.name, options))?.uploadId !== object.id) return;
  await client.call((storage) => storage.from(object.bucket).remove([object.name]), options);
}
