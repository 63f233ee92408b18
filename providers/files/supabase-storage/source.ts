import type { Readable } from "node:stream";
import type { ProviderContext } from "../../definition.ts";
import { ProviderError } from "../../errors.ts";
import { SupabaseClient } from "../../supabase/client.ts";
import { Contents } from "../../supabase/contents.ts";
import { openDownload } from "../../supabase/download.ts";
import { checkKey } from "../../supabase/key.ts";
import { listObjects } from "../../supabase/listing.ts";
import { StallWatchdog } from "../../transfer/watchdog.ts";
import type { FileBucket, FileFacts, FilesProvider, ListedFile, OpenFile } from "../files.ts";
import type { SupabaseFilesConfig } from "./config.ts";
import { inUrl } from "./paths.ts";
import { writeFile } from "./write.ts";

/** How long files are tried again while no content at all can be read, in milliseconds; after it, each fails at once. */
const PATIENCE_MS = 60_000;

/** Files in the Storage of a Supabase project. */
class SupabaseStorageFilesProvider implements FilesProvider {
  readonly kind = "supabase-storage";
  readonly description: string;
  readonly #client: SupabaseClient;
  readonly #contents: Contents;

  constructor(client: SupabaseClient, url: string) {
    this.description = `supabase-storage at ${url}`;
    this.#client = client;
    this.#contents = new Contents(client, { inUrl, patienceMs: PATIENCE_MS });
  }

  async buckets({ signal }: { signal: AbortSignal }): Promise<FileBucket[]> {
    const found = await this.#client.call((storage) => storage.listBuckets(), { action: "list the buckets", signal });
    return found
      .map(({ name, public: open, file_size_limit: limit, allowed_mime_types: types }) => ({
        name,
        public: open,
        fileSizeLimit: limit ?? null,
        allowedMimeTypes: types ?? null,
      }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  async *list(bucket: string, { signal }: { signal: AbortSignal }): AsyncIterable<ListedFile> {
    // The listing of a bucket that does not exist is empty.
    await this.#client.call((storage) => storage.getBucket(bucket), { action: `check the bucket ${bucket}`, signal });
    const objects = listObjects(this.#client, bucket, "", { action: `list the bucket ${bucket}`, signal });
    for await (const { key: path, size, etag, modified } of objects) {
      if (size > 0) this.#contents.remember({ bucket, path });
      yield { bucket, path, size, etag, modified: modified.toISOString() };
    }
  }

  async read(file: ListedFile, { signal }: { signal: AbortSignal }): Promise<OpenFile> {
    const { bucket, path } = file;
    const name = inUrl(path);
    const where = `${bucket}/${path} in ${this.description}`;
    const look = () =>
      this.#client.call((storage) => storage.from(bucket).info(name), { action: `check ${where}`, signal });
    const info = await look();
    // A proxy that joins slashes asks for another file.
    if (typeof info.name === "string" && info.name !== path) {
      throw new ProviderError("INTERNAL", `Cannot check ${where}: the service tells of ${info.name} instead.`);
    }
    const size = info.size ?? file.size;
    const etag = (info.etag ?? file.etag).replaceAll(/^W\/|"/g, "");
    const same = size === file.size && etag === file.etag;
    const facts: FileFacts = {
      ...file,
      // A file that was replaced since it was listed is another one, and the next run will find it changed.
      ...(same ? {} : { size, etag, modified: new Date(info.lastModified ?? info.createdAt).toISOString() }),
      ...attributesOf(info),
    };
    const watchdog = new StallWatchdog(`download of ${where}`, this.#client.stallTimeoutSeconds, signal);
    try {
      const action = `download ${where}`;
      const opened = await this.#contents.open(file, { action, signal: watchdog.signal });
      // Where the file was removed since, this says so.
      if (opened === "absent") await look();
      if (typeof opened === "string") throw lost(where);
      const source = await openDownload(this.#client, { bucket, name }, watchdog, where, action, opened);
      return { facts, source };
    } catch (error) {
      watchdog.stop();
      throw error;
    }
  }

  async makeBucket(bucket: FileBucket, { signal }: { signal: AbortSignal }): Promise<void> {
    const { name, public: open, fileSizeLimit, allowedMimeTypes } = bucket;
    const settings = { public: open, fileSizeLimit, allowedMimeTypes: allowedMimeTypes && [...allowedMimeTypes] };
    await this.#client.call((storage) => storage.createBucket(name, settings), {
      action: `make the bucket ${name}`,
      signal,
    });
  }

  write(facts: FileFacts, source: Readable, { signal }: { signal: AbortSignal }): Promise<string[]> {
    return writeFile(this.#client, this.#contents, facts, source, {
      action: `write ${facts.bucket}/${facts.path}`,
      signal,
    });
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }
}

function lost(where: string): ProviderError {
  return new ProviderError("NOT_FOUND", `The content of ${where} is missing in Storage, which has only its row.`, {
    fix: "Upload the file again, or put its content back with `provision restore --files` from a backup that has it; or remove it in Storage.",
  });
}

/** What the service tells of a file beside its content: null where nobody has set it, whatever the SDK's types say. */
function attributesOf(info: {
  readonly contentType?: unknown;
  readonly cacheControl?: unknown;
  readonly metadata?: unknown;
}): Pick<FileFacts, "contentType" | "cacheControl" | "metadata"> {
  const { contentType, cacheControl, metadata } = info;
  const hasMetadata = typeof metadata === "object" && metadata !== null && Object.keys(metadata).length > 0;
  return {
    ...(typeof contentType === "string" ? { contentType } : {}),
    ...(typeof cacheControl === "string" ? { cacheControl } : {}),
    ...(hasMetadata && !Array.isArray(metadata) ? { metadata: { ...metadata } } : {}),
  };
}

/**
 * Opens the Storage of a project as a source of files.
 *
 * @throws ProviderError `CONFIG` where the configuration cannot work.
 */
export async function openSupabaseFiles(
  config: SupabaseFilesConfig,
  secrets: ProviderContext["secrets"],
): Promise<FilesProvider> {
  const { retrySeconds, stallTimeoutSeconds } = config;
  const url = config.url.replace(/\/$/, "");
  const { key = "" } = secrets;
  checkKey(key, url);
  const client = await SupabaseClient.open({ url, key, retrySeconds, stallTimeoutSeconds });
  return new SupabaseStorageFilesProvider(client, url);
}
