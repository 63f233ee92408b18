/**
 * The provider that `test/providers/three-steps.test.ts` adds to a copy of this tree, as somebody would by docs/extending.md's
 * three steps: objects in the memory of a small service, behind a token. There it stands in `providers/storage/memory.ts`.
 */
import { Readable } from "node:stream";
import { z } from "zod";
import { ProviderError } from "../../../providers/errors.ts";
import { SecretRef } from "../../../providers/fields/secret-ref.ts";
import { keySegments } from "../../../providers/transfer/keys.ts";
import { defineStorage, storageFields, type StorageProvider } from "../../../providers/storage/storage.ts";
import type { StoredObject, UploadOptions } from "../../../providers/transfer/object.ts";
import { watchedUpload } from "../../../providers/transfer/watched-transfer.ts";

const schema = z.strictObject({
  kind: z.literal("memory").describe("The memory of a service."),
  url: z.url().describe("The service's address."),
  token: SecretRef.describe("What lets this program in."),
  ...storageFields,
});

/** Objects in the memory of a service. */
class MemoryStorageProvider implements StorageProvider {
  readonly kind = "memory";
  readonly description: string;
  readonly #config: z.output<typeof schema>;
  readonly #token: string;

  constructor(config: z.output<typeof schema>, token: string) {
    this.description = `memory of ${config.url}`;
    this.#config = config;
    this.#token = token;
  }

  upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    return watchedUpload(key, source, this.#config.stallTimeoutSeconds, options, async ({ signal }) => {
      const body = Readable.toWeb(source) as ReadableStream<Uint8Array>;
      return this.#facts(key, await this.#ask("PUT", key, { body, duplex: "half", signal }));
    });
  }

  async download(key: string): Promise<Readable> {
    const { body } = await this.#ask("GET", key);
    return body ? Readable.fromWeb(body) : Readable.from([]);
  }

  async stat(key: string): Promise<StoredObject> {
    return this.#facts(key, await this.#ask("HEAD", key));
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const response = await this.#ask("GET", "", {}, `?below=${encodeURIComponent(prefix)}`);
    for (const [key, size] of (await response.json()) as [string, number][]) {
      yield { key, size, modified: new Date() };
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.#ask("DELETE", key);
  }

  removeUnfinished(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #ask(method: string, key: string, init: RequestInit & { duplex?: "half" } = {}, query = ""): Promise<Response> {
    const path = key === "" ? "" : keySegments(key).map(encodeURIComponent).join("/");
    const headers = { authorization: `Bearer ${this.#token}` };
    const response = await fetch(`${this.#config.url}/${path}${query}`, { ...init, method, headers });
    if (response.ok) return response;
    const code = response.status === 404 ? "NOT_FOUND" : response.status === 409 ? "CONFLICT" : "TRANSIENT";
    throw new ProviderError(code, `${this.description} answers ${response.status} to ${method} ${key}.`);
  }

  #facts(key: string, { headers }: Response): StoredObject {
    return { key, size: Number(headers.get("x-size")), modified: new Date() };
  }
}

/** `kind: memory` */
export const memory = defineStorage({
  schema,
  secrets: ["token"],
  create: (config, { secrets }) => Promise.resolve(new MemoryStorageProvider(config, secrets.token ?? "")),
});
