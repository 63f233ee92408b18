import type { Readable } from "node:stream";
import type { ProviderContext } from "../../definition.ts";
import { ProviderError, toProviderError } from "../../errors.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { ServiceStore, type Reading } from "../../http/service-store.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import { chunksOf } from "../../transfer/chunker.ts";
import { exists } from "../../transfer/object-errors.ts";
import { PartsUnderWay } from "../../transfer/parts-under-way.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import type { StorageProvider } from "../storage.ts";
import type { RequestOptions, StoredObject } from "../../transfer/object.ts";
import { DropboxClient } from "./client.ts";
import { commit, commitInfo, fileAt, type FileFacts } from "./commit.ts";
import type { DropboxConfig } from "./config.ts";
import { BLOCK_BYTES, ContentHasher } from "./content-hash.ts";
import { listFiles } from "./listing.ts";
import { DropboxPaths } from "./paths.ts";
import { removeFiles, type Removal } from "./removal.ts";
import { UploadSession } from "./session.ts";
import { unreachable } from "./errors.ts";

/**
 * How a file is read, and compared with its content hash. It is asked for by its revision, so that what comes after a break is
 * of the same file.
 */
function readingOf(client: DropboxClient, facts: FileFacts, action: string): Reading {
  const hasher = new ContentHasher();
  return {
    size: facts.size,
    open: (offset, signal) => client.download(`rev:${facts.rev}`, offset, { action, signal }),
    broken: (error) => unreachable(error, action),
    checksum: {
      update: (bytes) => {
        hasher.update(bytes);
      },
      matches: () => hasher.digest() === facts.content_hash,
    },
  };
}

/** Bytes a request: 16 MiB, a multiple of 4 MiB as Dropbox asks of all parts of a session but the last. It takes 150 MiB. */
const CHUNK_BYTES = 4 * BLOCK_BYTES;

/** Three parts under way, and one that is being filled. */
const BUFFERS = 4;

/** Questions about single files that are under way at the same time. */
const PARALLEL = 4;

/** A folder of a Dropbox, or of a team's space. Folders are never removed: Dropbox would remove what is in them, too. */
class DropboxStorageProvider extends ServiceStore<DropboxClient, FileFacts> implements StorageProvider {
  readonly kind = "dropbox";
  readonly heldBytes = BUFFERS * CHUNK_BYTES;
  protected readonly toCheck = "the destination's folder, prefix and namespace";
  readonly #paths: DropboxPaths;

  constructor(client: DropboxClient, paths: DropboxPaths, place: string) {
    super(client, `dropbox ${place}`);
    this.#paths = paths;
  }

  /** The service gives no order: all of the listing is kept to be sorted. */
  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<StoredObject> {
    const { signal } = options;
    const folder = this.#paths.ofFolder(prefix);
    const found = await listFiles(this.client, folder, { action: `list ${folder === "" ? "/" : folder}`, signal });
    // The folder's own names may be written in another case than they were asked for.
    const asked = prefix === "" ? [] : prefix.split("/");
    const objects = found.map(({ path, size, modified }) => {
      const names = this.#paths.below(path);
      return { key: [...asked, ...names.slice(asked.length)].join("/"), size, modified };
    });
    objects.sort((one, other) => (one.key < other.key ? -1 : 1));
    for (const object of objects) {
      checkSignal(signal);
      yield object;
    }
  }

  async remove(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const { signal } = options;
    checkSignal(signal);
    // All keys are checked before anything is removed.
    for (const key of keys) this.#paths.of(key);
    const failures = new Map<string, ProviderError>();
    const removals: Removal[] = [];
    const left = [...new Set(keys)];
    const find = async () => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        try {
          const found = await this.find(key, { action: `remove ${key}`, signal });
          if (found !== undefined) removals.push({ key, path: this.#paths.of(key), rev: found.rev });
        } catch (error) {
          failures.set(key, error as ProviderError);
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, find));
    for (const [key, failure] of await removeFiles(this.client, removals, signal)) failures.set(key, failure);
    if (failures.size > 0) checkSignal(signal);
    reportRemaining(failures, keys.length);
  }

  /** Upload sessions can neither be listed nor ended; Dropbox drops them after 7 days, and they take no room till then. */
  removeUnfinished(prefix: string): Promise<number> {
    this.#paths.ofFolder(prefix);
    return Promise.resolve(0);
  }

  protected async store(
    key: string,
    source: Readable,
    watchdog: StallWatchdog,
    options: CallOptions,
  ): Promise<StoredObject> {
    const path = this.#paths.of(key);
    const parts = new PartsUnderWay(watchdog);
    const { signal, moved } = watchdog;
    const hasher = new ContentHasher();
    const hashed = (piece: Buffer) => {
      moved();
      hasher.update(piece);
    };
    watchdog.check();
    const chunks = chunksOf(source, { size: CHUNK_BYTES, buffers: () => BUFFERS, signal, moved: hashed });
    let session: UploadSession | undefined;
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of chunks) {
        const { bytes, offset, last } = chunk;
        if (last && session === undefined) {
          // No chunk comes after it that could use its buffer.
          rest = bytes;
          break;
        }
        const begun = (session ??= await this.#begin(key, path, options));
        const hash = hasher.digest(offset, offset + bytes.length);
        if (last) await parts.settle();
        parts.begin(chunk, () => begun.send(chunk, hash));
      }
    } catch (error) {
      watchdog.end(toProviderError(error));
      throw error;
    } finally {
      await parts.settle();
    }
    watchdog.check();
    const { size } = hasher;
    const file = { path, size, hash: hasher.digest(), modified: wholeSeconds(new Date()) };
    const made = await (session === undefined
      ? commit(
          this.client,
          file,
          (sdk, settings) =>
            sdk.filesUpload({ ...commitInfo(file), contents: rest, content_hash: file.hash }, settings),
          options,
        )
      : session.finish(file));
    const modified = new Date(made.server_modified);
    return { key, size, modified, storeTime: modified };
  }

  /** Begins an upload in parts. Checks the key first, so that a large object is not refused only at its end. */
  async #begin(key: string, path: string, options: CallOptions): Promise<UploadSession> {
    const existing = await fileAt(this.client, path, options);
    if (existing !== undefined) throw exists(key, this.description, existing.name);
    return UploadSession.begin(this.client, options);
  }

  /** The file of a key, with its own case. */
  protected async find(key: string, options: CallOptions): Promise<FileFacts | undefined> {
    const found = await fileAt(this.client, this.#paths.of(key), options);
    return found?.name === key.split("/").at(-1) ? found : undefined;
  }

  protected read(file: FileFacts, action: string): Reading {
    return readingOf(this.client, file, action);
  }

  protected stored(key: string, { size, server_modified }: FileFacts): StoredObject {
    return { key, size, modified: new Date(server_modified) };
  }
}

/** The service keeps a file's own moment in whole seconds. */
function wholeSeconds(moment: Date): string {
  return moment.toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * Opens a Dropbox as a store.
 *
 * @throws ProviderError `CONFIG` where the configuration cannot work.
 */
export async function openDropbox(
  config: DropboxConfig,
  secrets: ProviderContext["secrets"],
): Promise<StorageProvider> {
  const { refreshToken } = secrets;
  if (refreshToken === undefined || refreshToken === "") {
    throw new ProviderError("CONFIG", "The refresh token of the storage of kind dropbox is empty.", {
      fix: "Set the secret that refreshToken refers to; docs/stores.md says how to get one.",
    });
  }
  const { appKey, namespace, retrySeconds, stallTimeoutSeconds } = config;
  const paths = new DropboxPaths(config.folder, config.prefix);
  const credentials = { appKey, appSecret: secrets.appSecret, refreshToken };
  const client = await DropboxClient.open({ credentials, namespace, retrySeconds, stallTimeoutSeconds });
  const place = `${paths.root === "" ? "/" : paths.root}${namespace === undefined ? "" : ` in namespace ${namespace}`}`;
  return new DropboxStorageProvider(client, paths, place);
}
