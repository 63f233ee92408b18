import type { Readable } from "node:stream";
import type { ProviderContext } from "../../definition.ts";
import { ProviderError } from "../../errors.ts";
import { SupabaseClient } from "../../supabase/client.ts";
import { checkKey } from "../../supabase/key.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import type { StorageProvider } from "../storage.ts";
import type { RequestOptions, StoredObject, UploadOptions } from "../../transfer/object.ts";
import type { SupabaseStorageConfig } from "./config.ts";
import { Names } from "./names.ts";
import { RestStore } from "./rest-store.ts";
import type { NamedStore } from "./rest-store.ts";

/** A bucket of Supabase Storage, by the project's own protocol or by its S3 protocol. */
class SupabaseStorageProvider implements StorageProvider {
  readonly kind = "supabase";
  readonly description: string;
  readonly #store: NamedStore;
  readonly #names: Names;

  constructor(store: NamedStore, names: Names, place: string) {
    this.description = place;
    this.#store = store;
    this.#names = names;
  }

  get heldBytes(): number {
    return this.#store.heldBytes;
  }

  get refusesToOverwrite(): boolean {
    return this.#store.refusesToOverwrite ?? true;
  }

  async upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    let name: string;
    try {
      name = this.#names.of(key);
    } catch (error) {
      source.on("error", () => undefined).destroy();
      throw error;
    }
    return { ...(await this.#store.upload(name, source, options)), key };
  }

  async download(key: string, options: RequestOptions = {}): Promise<Readable> {
    return this.#store.download(this.#names.of(key), options);
  }

  async stat(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    return { ...(await this.#store.stat(this.#names.of(key), options)), key };
  }

  /** The order of names is not that of keys: all of the listing is kept to be sorted. */
  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<StoredObject> {
    const found: StoredObject[] = [];
    for await (const { key: name, size, modified } of this.#store.list(this.#names.ofFolder(prefix), options)) {
      const key = this.#names.keyOf(name);
      if (key !== undefined) found.push({ key, size, modified });
    }
    found.sort((one, other) => (one.key < other.key ? -1 : 1));
    for (const object of found) {
      checkSignal(options.signal);
      yield object;
    }
  }

  async remove(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const names = [...new Set(keys.map((key) => this.#names.of(key)))];
    checkSignal(options.signal);
    await this.#store.remove(names, options);
  }

  async removeUnfinished(prefix: string, begunBefore: Date): Promise<number> {
    return this.#store.removeUnfinished(this.#names.ofFolder(prefix), begunBefore);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/**
 * Opens a bucket of Supabase Storage as a store.
 *
 * @throws ProviderError `CONFIG` where the configuration cannot work.
 */
export async function openSupabaseStorage(
  config: SupabaseStorageConfig,
  secrets: ProviderContext["secrets"],
): Promise<StorageProvider> {
  const { bucket, prefix, s3, retrySeconds, stallTimeoutSeconds } = config;
  const url = config.url.replace(/\/$/, "");
  const place = `supabase ${[bucket, prefix].filter((part) => part !== undefined).join("/")} at ${url}`;
  const settings = { url, retrySeconds, stallTimeoutSeconds };
  const names = new Names(prefix);
  if (s3 !== undefined) {
    const { "s3.accessKeyId": accessKeyId = "", "s3.secretAccessKey": secretAccessKey = "" } = secrets;
    if (accessKeyId === "" || secretAccessKey === "") {
      throw new ProviderError("CONFIG", "The S3 access key of the storage of kind supabase is empty.", {
        fix: "Set the secrets that s3.accessKeyId and s3.secretAccessKey refer to.",
      });
    }
    const { S3Store } = await import("./s3-store.ts");
    const store = await S3Store.open({ ...settings, bucket, region: s3.region, accessKeyId, secretAccessKey });
    return new SupabaseStorageProvider(store, names, `${place} (S3)`);
  }
  const { key = "" } = secrets;
  checkKey(key, url);
  const client = await SupabaseClient.open({ ...settings, key });
  return new SupabaseStorageProvider(new RestStore(client, bucket, place, names.uploads), names, place);
}
