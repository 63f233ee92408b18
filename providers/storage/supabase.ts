import type { Readable } from "node:stream";
import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { retryFields } from "../retry.ts";
import { SecretRef } from "../secret-ref.ts";
import { checkSignal } from "../transfer/check-signal.ts";
import { defineStorage, storageFields } from "./storage.ts";
import type { RequestOptions, StorageProvider, StoredObject, UploadOptions } from "./storage.ts";
import { SupabaseClient } from "../supabase/client.ts";
import { checkKey } from "../supabase/key.ts";
import { Names } from "./supabase/names.ts";
import { RestStore } from "./supabase/rest-store.ts";
import type { NamedStore } from "./supabase/rest-store.ts";
import { S3Store } from "./supabase/s3-store.ts";

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

const schema = z
  .strictObject({
    kind: z.literal("supabase").describe("A bucket of a Supabase project's Storage."),
    url: z
      .string()
      .regex(/^https?:\/\/[^\s/?#@]+\/?$/, {
        error: "expected the project's URL: https:// and a host, without a path, a user or a password",
      })
      .describe("URL of the project, as Project Settings > API in the dashboard shows it, or of a service of your own.")
      .meta({ examples: ["https://abcdefghijklmnopqrst.supabase.co"] }),
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
        error: "expected a bucket's name: 1 to 63 letters, digits, '.', '_' and '-', a letter or a digit first",
      })
      .describe("Name of the bucket. It must exist, and should be private.")
      .meta({ examples: ["backups"] }),
    key: SecretRef.optional().describe(
      "The project's secret key (sb_secret_…) or its legacy service_role key. Large objects go by the resumable protocol, in " +
        "which the service takes up to 58 GiB. Left out: `s3` is set.",
    ),
    s3: z
      .strictObject({
        region: z
          .string()
          .regex(/^[a-z0-9-]+$/, { error: "expected the name of a region, such as eu-central-1" })
          .describe("The project's region, as the dashboard (Storage > S3) shows it.")
          .meta({ examples: ["eu-central-1"] }),
        accessKeyId: SecretRef.describe("Id of an S3 access key of the project, made in the dashboard (Storage > S3)."),
        secretAccessKey: SecretRef.describe("The access key's secret."),
      })
      .optional()
      .describe(
        "Use the project's S3 protocol, in place of `key`: faster, and for objects up to 5 TiB. It does not refuse to " +
          "overwrite: it is looked before each object whether one exists, which two writers at the same moment can miss.",
      ),
    ...storageFields,
    ...retryFields,
  })
  .refine(({ key, s3 }) => (key === undefined) !== (s3 === undefined), {
    error: "expected either key or s3, and not both",
  });

/** Keeps objects in a bucket of Supabase Storage. */
export const supabase = defineStorage({
  schema,
  secrets: ["key", "s3.accessKeyId", "s3.secretAccessKey"],
  place: ({ url, bucket, prefix }) => [url.replace(/\/$/, ""), bucket, prefix],
  projectBucket: ({ url, bucket }) => ({ url, bucket }),
  async create(config, { secrets }) {
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
      const store = await S3Store.open({ ...settings, bucket, region: s3.region, accessKeyId, secretAccessKey });
      return new SupabaseStorageProvider(store, names, `${place} (S3)`);
    }
    const { key = "" } = secrets;
    checkKey(key, url);
    const client = await SupabaseClient.open({ ...settings, key });
    return new SupabaseStorageProvider(new RestStore(client, bucket, place, names.uploads), names, place);
  },
});
