import type { Readable } from "node:stream";
import { ProviderError } from "../../errors.ts";
import { CONTENT_TYPE } from "../../supabase/bucket.ts";
import { chunksOf, type Chunk } from "../../transfer/chunker.ts";
import type { SupabaseClient } from "../../supabase/client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { CHUNK_BYTES, ResumableUpload } from "../../supabase/resumable.ts";
import { StallWatchdog } from "../../transfer/watchdog.ts";
import type { FileFacts } from "../files.ts";
import type { Contents } from "../../supabase/contents.ts";
import { inUrl } from "./paths.ts";

/** How long the tidying up after a failure may take, in milliseconds. */
const TIDY_MS = 4_000;

/**
 * Writes a file with its attributes. Never over another one; but a row without a content, such as a restored database has for
 * each of its files, is no file: the content is put in its place.
 */
export async function writeFile(
  client: SupabaseClient,
  contents: Contents,
  facts: FileFacts,
  source: Readable,
  options: CallOptions,
): Promise<string[]> {
  const watchdog = new StallWatchdog(options.action, client.stallTimeoutSeconds, options.signal);
  const moved = () => {
    watchdog.moved();
  };
  const call = { ...options, signal: watchdog.signal, moved };
  try {
    const replaces = await isRowAlone(client, contents, facts, call);
    const write = new FileWrite(client, facts, replaces, call);
    const altered = await write.send(chunksOf(source, { size: CHUNK_BYTES, signal: watchdog.signal, moved }));
    if (facts.size > 0) contents.remember(facts);
    return altered;
  } finally {
    source.destroy();
    watchdog.stop();
  }
}

/** Whether there is a row and no content. `CONFLICT` where there is a file. */
async function isRowAlone(
  client: SupabaseClient,
  contents: Contents,
  facts: FileFacts,
  options: CallOptions,
): Promise<boolean> {
  const { bucket, path, contentType = CONTENT_TYPE } = facts;
  try {
    await client.call((storage) => storage.from(bucket).info(inUrl(path)), options);
  } catch (error) {
    if (error instanceof ProviderError && error.code === "NOT_FOUND") return false;
    throw error;
  }
  const content = await contents.open(facts, options, contentType);
  if (typeof content === "string") return true;
  content.destroy();
  throw new ProviderError("CONFLICT", `${bucket}/${path} exists already; files are never overwritten.`, {
    fix: "Remove it first, or restore into another project.",
  });
}

class FileWrite {
  readonly #client: SupabaseClient;
  readonly #facts: FileFacts;
  readonly #replaces: boolean;
  readonly #options: CallOptions;

  constructor(client: SupabaseClient, facts: FileFacts, replaces: boolean, options: CallOptions) {
    this.#client = client;
    this.#facts = facts;
    this.#replaces = replaces;
    this.#options = options;
  }

  /** Gives what of the attributes is not as it was. */
  async send(chunks: AsyncIterable<Chunk>): Promise<string[]> {
    let upload: ResumableUpload | undefined;
    let size = 0;
    try {
      for await (const { bytes, last } of chunks) {
        size += bytes.length;
        if (!last) {
          upload ??= await this.#begin();
          await upload.append(bytes);
        } else if (upload === undefined) await this.#sendWhole(bytes);
        else await this.#finish(upload, bytes, size);
      }
    } catch (error) {
      // The error that led here is the one to report, even where the upload cannot be ended.
      await upload?.end(AbortSignal.timeout(TIDY_MS)).catch(() => undefined);
      throw error;
    }
    return upload === undefined ? [] : alterations(this.#facts);
  }

  #begin(): Promise<ResumableUpload> {
    const { bucket, path, contentType, metadata = {} } = this.#facts;
    return ResumableUpload.begin(
      this.#client,
      {
        bucket,
        name: path,
        contentType,
        cacheControl: resumable(this.#facts.cacheControl),
        metadata,
        replaces: this.#replaces,
      },
      this.#options,
    );
  }

  /** Not through the SDK: that makes `max-age=` of whatever Cache-Control it is given, and takes empty segments out of names. */
  async #sendWhole(bytes: Buffer): Promise<void> {
    const { bucket, path, contentType, cacheControl, metadata } = this.#facts;
    const headers = {
      "x-upsert": String(this.#replaces),
      ...(contentType === undefined ? {} : { "content-type": contentType }),
      ...(cacheControl === undefined ? {} : { "cache-control": cacheControl }),
      ...(metadata === undefined ? {} : { "x-metadata": Buffer.from(JSON.stringify(metadata)).toString("base64") }),
    };
    const send = async () => {
      const outgoing = { method: "POST", headers, body: bytes };
      const response = await this.#client.send(`/object/${bucket}/${inUrl(path)}`, outgoing, [200], this.#options);
      response.resume();
    };
    await this.#client.retry((attempt) => this.#unlessDone(attempt, bytes.length, send), this.#options);
  }

  async #finish(upload: ResumableUpload, bytes: Buffer, size: number): Promise<void> {
    const refusal = await this.#client.retry(
      (attempt) => this.#unlessDone(attempt, size, () => upload.finish(bytes, size, attempt > 1, this.#options)),
      this.#options,
    );
    if (refusal !== undefined) throw refusal;
  }

  /** The last try may have been done and its answer lost: then the next is refused, for the file is there. */
  async #unlessDone<Result>(attempt: number, size: number, send: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await send();
    } catch (error) {
      if (attempt === 1 || !(error instanceof ProviderError) || error.code !== "CONFLICT") throw error;
      const { bucket, path } = this.#facts;
      const found = await this.#client.call((storage) => storage.from(bucket).info(inUrl(path)), this.#options);
      if (found.size !== size) throw error;
      return undefined;
    }
  }
}

/** What a resumable upload is given for a Cache-Control: the service takes whole seconds, and makes `no-cache` of all else. */
function resumable(cacheControl = ""): string {
  return /(?:^|[\s,])max-age=(\d+)/.exec(cacheControl)?.[1] ?? "no-cache";
}

/** What a resumable upload does not keep. */
function alterations({ cacheControl }: FileFacts): string[] {
  const seconds = resumable(cacheControl);
  const kept = seconds === "no-cache" ? seconds : `max-age=${seconds}`;
  if (cacheControl === undefined || cacheControl === kept) return [];
  return [
    `Its Cache-Control is ${kept}, and was ${cacheControl}: the service takes no other for files of more than 6 MiB.`,
  ];
}
