/** The source of files that `test/providers/three-steps.test.ts` adds to a copy of this tree: files in the memory of a service. */
import { Readable } from "node:stream";
import { z } from "zod";
import { abortedError, ProviderError } from "../../../providers/errors.ts";
import {
  defineFiles,
  type FileBucket,
  type FileFacts,
  type FilesProvider,
  type ListedFile,
  type OpenFile,
} from "../../../providers/files/files.ts";
import { SecretRef } from "../../../providers/fields/secret-ref.ts";

const schema = z.strictObject({
  kind: z.literal("memory-files").describe("Files in the memory of a service."),
  url: z.url().describe("The service's address."),
  key: SecretRef.describe("What lets this program in."),
  buckets: z.array(z.string()).optional().describe("The buckets to back up. Left out: all."),
  parallel: z.int().min(1).default(4).describe("Files that are copied at the same time. Default 4."),
});

interface Options {
  readonly signal: AbortSignal;
}

/** Files in the memory of a service: `bucket/<name>` has a bucket's settings, `files/<bucket>/<path>` a file. */
class MemoryFilesFilesProvider implements FilesProvider {
  readonly kind = "memory-files";
  readonly description: string;
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.description = `files in the memory of ${url}`;
    this.#url = url;
    this.#key = key;
  }

  async buckets(options: Options): Promise<FileBucket[]> {
    const found = await this.#below("bucket", options);
    return Promise.all(found.map(async ([key]) => (await (await this.#ask("GET", key, options)).json()) as FileBucket));
  }

  async *list(bucket: string, options: Options): AsyncIterable<ListedFile> {
    await this.#ask("HEAD", `bucket/${bucket}`, options);
    const start = `files/${bucket}/`.length;
    for (const [key, size, etag, modified] of await this.#below(`files/${bucket}`, options)) {
      yield { bucket, path: key.slice(start), size, etag, modified };
    }
  }

  async read({ bucket, path }: ListedFile, options: Options): Promise<OpenFile> {
    const { headers, body } = await this.#ask("GET", `files/${bucket}/${path}`, options);
    const facts: FileFacts = {
      ...(JSON.parse(headers.get("x-about") ?? "{}") as object),
      ...{ bucket, path, size: Number(headers.get("x-size")) },
      ...{ etag: headers.get("etag") ?? "", modified: headers.get("x-modified") ?? "" },
    };
    return { facts, source: body ? Readable.fromWeb(body) : Readable.from([]) };
  }

  async makeBucket(bucket: FileBucket, options: Options): Promise<void> {
    await this.#ask("PUT", `bucket/${bucket.name}`, options, { body: JSON.stringify(bucket) });
  }

  async write(facts: FileFacts, source: Readable, options: Options): Promise<string[]> {
    const { bucket, path, contentType, cacheControl, metadata } = facts;
    try {
      const body = Readable.toWeb(source) as ReadableStream<Uint8Array>;
      const about = JSON.stringify({ contentType, cacheControl, metadata });
      await this.#ask("PUT", `files/${bucket}/${path}`, options, { body, duplex: "half" }, { "x-about": about });
      return [];
    } finally {
      source.on("error", () => undefined).destroy();
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #below(folder: string, options: Options): Promise<[key: string, size: number, etag: string, time: string][]> {
    const response = await this.#ask("GET", "", options, {}, {}, `?below=${encodeURIComponent(folder)}`);
    return (await response.json()) as [string, number, string, string][];
  }

  async #ask(
    method: string,
    key: string,
    { signal }: Options,
    init: RequestInit & { duplex?: "half" } = {},
    more: Record<string, string> = {},
    query = "",
  ): Promise<Response> {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const headers = { authorization: `Bearer ${this.#key}`, ...more };
    const response = await fetch(`${this.#url}/${path}${query}`, { ...init, method, headers, signal }).catch(
      (error: unknown) => {
        throw signal.aborted ? abortedError(signal) : error;
      },
    );
    if (response.ok) return response;
    const code = response.status === 404 ? "NOT_FOUND" : response.status === 409 ? "CONFLICT" : "TRANSIENT";
    throw new ProviderError(code, `${this.description} answers ${response.status} to ${method} ${key}.`);
  }
}

/** `kind: memory-files` */
export const memoryFiles = defineFiles({
  schema,
  secrets: ["key"],
  create: ({ url }, { secrets }) => Promise.resolve(new MemoryFilesFilesProvider(url, secrets.key ?? "")),
});
