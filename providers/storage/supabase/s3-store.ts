import type { Readable } from "node:stream";
import { ProviderError, toProviderError } from "../../errors.ts";
import { createClient } from "../s3/client.ts";
import { s3Schema } from "../s3/config.ts";
import { S3Service } from "../s3/service.ts";
import { S3StorageProvider } from "../s3/store.ts";
import type { RequestOptions, StoredObject, UploadOptions } from "../../transfer/object.ts";
import { storageUrl } from "../../supabase/client.ts";
import type { NamedStore } from "./rest-store.ts";

/** Where the bucket is, and who asks. */
export interface S3Access {
  readonly url: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
}

/** What to do about errors of the S3 protocol, where that is another thing than at Amazon. */
const fixes: readonly [error: (error: ProviderError) => boolean, fix: string][] = [
  [
    ({ code }) => code === "AUTH",
    "Make access keys in the dashboard (Storage > S3), where the protocol must be enabled too, set the secrets that " +
      "s3.accessKeyId and s3.secretAccessKey refer to, and set s3.region to the region that is shown there.",
  ],
  [
    ({ cause }) => cause instanceof Error && cause.name === "NoSuchBucket",
    "Create it, private, in the dashboard (Storage > New bucket), or correct bucket and url of the destination.",
  ],
  [
    ({ code }) => code === "QUOTA",
    "Raise the bucket's file size limit (Storage > the bucket > Edit) and the project's (Storage > Settings), or keep fewer " +
      "backups.",
  ],
];

/** A bucket, by the S3 protocol of the project. */
export class S3Store implements NamedStore {
  readonly refusesToOverwrite = false;
  readonly heldBytes: number;
  readonly #s3: S3StorageProvider;

  private constructor(s3: S3StorageProvider) {
    this.#s3 = s3;
    this.heldBytes = s3.heldBytes;
  }

  /** Loads the SDK. */
  static async open(access: S3Access): Promise<S3Store> {
    const { url, bucket, region, accessKeyId, secretAccessKey, retrySeconds, stallTimeoutSeconds } = access;
    const client = await createClient({
      region,
      endpoint: `${storageUrl(url)}/s3`,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    const config = s3Schema.parse({ kind: "s3", retrySeconds, stallTimeoutSeconds });
    // Supabase's service reads no If-None-Match, and hands checksums of parts on to where they are not known.
    return new S3Store(new S3StorageProvider(new S3Service(client, bucket, config), config, true));
  }

  upload(name: string, source: Readable, options: UploadOptions): Promise<StoredObject> {
    return explained(this.#s3.upload(name, source, options));
  }

  download(name: string, options: RequestOptions): Promise<Readable> {
    return explained(this.#s3.download(name, options));
  }

  stat(name: string, options: RequestOptions): Promise<StoredObject> {
    return explained(this.#s3.stat(name, options));
  }

  async *list(folder: string, options: RequestOptions): AsyncIterable<StoredObject> {
    try {
      yield* this.#s3.list(folder, options);
    } catch (error) {
      throw explanation(error);
    }
  }

  /** Of an object that does not exist the service says that its removal is not permitted. */
  async remove(names: readonly string[], options: RequestOptions): Promise<void> {
    try {
      await this.#s3.remove(names, options);
    } catch (error) {
      const failure = explanation(error);
      if (failure.code !== "AUTH" || (await this.#someExist(names, options))) throw failure;
    }
  }

  removeUnfinished(folder: string, begunBefore: Date): Promise<number> {
    return explained(this.#s3.removeUnfinished(folder, begunBefore));
  }

  close(): Promise<void> {
    return this.#s3.close();
  }

  async #someExist(names: readonly string[], options: RequestOptions): Promise<boolean> {
    for (const name of names) {
      const found = await this.#s3.stat(name, options).catch((error: unknown) => toProviderError(error));
      if (!(found instanceof ProviderError) || found.code !== "NOT_FOUND") return true;
    }
    return false;
  }
}

async function explained<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw explanation(error);
  }
}

function explanation(error: unknown): ProviderError {
  const failure = toProviderError(error);
  const fix = fixes.find(([concerns]) => concerns(failure))?.[1];
  return fix === undefined ? failure : new ProviderError(failure.code, failure.message, { cause: failure, fix });
}
