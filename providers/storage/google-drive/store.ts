import type { Readable } from "node:stream";
import type { ProviderContext } from "../../definition.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { ServiceStore, type Reading } from "../../http/service-store.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import { chunksOf } from "../../transfer/chunker.ts";
import { keySegments } from "../../transfer/keys.ts";
import { exists } from "../../transfer/object-errors.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import type { RequestOptions, StorageProvider, StoredObject } from "../storage.ts";
import { Checksums } from "./checksums.ts";
import { DriveClient } from "./client.ts";
import { commit } from "./commit.ts";
import { credentialsOf, type GoogleDriveConfig } from "./config.ts";
import { readingOf } from "./download.ts";
import { removeEmptyFolders } from "./empty-folders.ts";
import { byAge, fileById, markOf } from "./files.ts";
import type { DriveFile } from "./files.ts";
import { Folders } from "./folders.ts";
import { filesBelow } from "./listing.ts";
import { MULTIPART_BYTES, sendWhole } from "./multipart.ts";
import { removeFiles } from "./removal.ts";
import { GRAIN_BYTES, UploadSession } from "./session.ts";

/** Bytes a request of an upload in several: 16 MiB, large enough that the pauses between them do not count. */
const CHUNK_BYTES = 64 * GRAIN_BYTES;

/** Where an object is stored. */
interface Position {
  readonly folder: readonly string[];
  readonly name: string;
}

/** A folder of a Google Drive, or of a shared drive. */
class GoogleDriveStorageProvider extends ServiceStore<DriveClient, DriveFile> implements StorageProvider {
  readonly kind = "google-drive";
  /** A chunk that is sent, and one that is filled. */
  readonly heldBytes = 2 * CHUNK_BYTES;
  /** The scope, too: with drive.file, what another app stored is not seen. */
  protected readonly toCheck = "the destination's folder, folderId, driveId, prefix and scope";
  readonly #folders: Folders;
  /** The files of keys that were stored or listed here: they are found at once, also when searches do not show them yet. */
  readonly #known = new Map<string, string>();

  constructor(client: DriveClient, folders: Folders, place: string) {
    super(client, `google-drive ${place}`);
    this.#folders = folders;
  }

  /** The service's order is not that of keys: all of the listing is kept to be sorted. */
  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<StoredObject> {
    const { signal } = options;
    const path = prefix === "" ? [] : keySegments(prefix);
    checkSignal(signal);
    const found = await filesBelow(this.#folders, path, { action: `list ${prefix === "" ? "/" : prefix}`, signal });
    const sorted = [...found].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [key, file] of sorted) {
      checkSignal(signal);
      this.#known.set(key, file.id);
      yield this.stored(key, file);
    }
  }

  async remove(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const { signal } = options;
    checkSignal(signal);
    // All keys are checked before anything is removed.
    const removals = [...new Set(keys)].map((key) => ({ key, ...positionOf(key), id: this.#known.get(key) }));
    for (const { key } of removals) this.#known.delete(key);
    const failures = await removeFiles(this.client, this.#folders, removals, signal);
    if (failures.size > 0) checkSignal(signal);
    reportRemaining(failures, keys.length);
  }

  /**
   * Removes the empty folders that failed uploads left. Their sessions cannot be listed; Google drops them after a week, and
   * they take no room till then.
   */
  async removeUnfinished(prefix: string, begunBefore: Date): Promise<number> {
    const path = prefix === "" ? [] : keySegments(prefix);
    const options = { action: `remove empty folders below ${prefix === "" ? "/" : prefix}`, signal: undefined };
    const isUsed = (folder: readonly string[]) => {
      const start = `${folder.join("/")}/`;
      return [...this.#known.keys()].some((key) => key.startsWith(start));
    };
    return removeEmptyFolders(this.#folders, path, begunBefore, isUsed, options);
  }

  protected async store(
    key: string,
    source: Readable,
    watchdog: StallWatchdog,
    options: CallOptions,
  ): Promise<StoredObject> {
    const { client } = this;
    const position = positionOf(key);
    const { signal, moved } = watchdog;
    const sums = new Checksums();
    const summed = (piece: Buffer) => {
      moved();
      sums.update(piece);
    };
    watchdog.check();
    let upload: { session: UploadSession; id: string; parents: readonly string[] } | undefined;
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const { bytes, last } of chunksOf(source, { size: CHUNK_BYTES, signal, moved: summed })) {
        // Checks the key first, so that a large object is not refused only at its end.
        if (!last || bytes.length > MULTIPART_BYTES) upload ??= await this.#begin(key, position, options);
        if (last) {
          // No chunk comes after it that could use its buffer.
          rest = bytes;
        } else {
          await upload?.session.append(bytes);
        }
      }
      const parents = upload?.parents ?? (await this.#folders.ensure(position.folder, options));
      const rivals = (call: CallOptions) => this.#named(position.name, parents, call);
      // One that was stored since is older, so ours is not even made.
      if ((await rivals(options)).length > 0) throw exists(key, this.description);
      const id = upload?.id ?? (await client.newId(options));
      const session = upload?.session;
      const file = {
        key,
        place: this.description,
        id,
        name: position.name,
        content: sums.digest(),
        send: (grace: AbortSignal) => {
          if (session !== undefined) return session.finish(rest, grace);
          const metadata = metadataOf(id, position.name, parents);
          return sendWhole(client, metadata, rest, { ...options, signal: grace }, signal);
        },
        cancel: () => session?.cancel() ?? Promise.resolve(),
        rivals,
      };
      upload = undefined;
      const made = await commit(client, file, options);
      this.#known.set(key, id);
      return { ...this.stored(key, made), storeTime: made.created };
    } catch (error) {
      await upload?.session.cancel();
      throw error;
    }
  }

  /** Begins an upload of more than one request, unless there is such an object already. */
  async #begin(key: string, { folder, name }: Position, options: CallOptions) {
    const parents = await this.#folders.ensure(folder, options);
    if ((await this.#named(name, parents, options)).length > 0) throw exists(key, this.description);
    const id = await this.client.newId(options);
    const session = await UploadSession.begin(this.client, metadataOf(id, name, parents), options);
    return { session, id, parents };
  }

  /** The file of a key; of several the oldest. */
  protected async find(key: string, options: CallOptions): Promise<DriveFile | undefined> {
    const { folder, name } = positionOf(key);
    const known = this.#known.get(key);
    if (known !== undefined) {
      const file = await fileById(this.client, known, options);
      if (file?.name === name) return file;
      this.#known.delete(key);
    }
    const parents = await this.#folders.find(folder, options);
    const [oldest] = await this.#named(name, parents, options);
    return oldest;
  }

  protected read(file: DriveFile, action: string): Reading {
    return readingOf(this.client, file, action);
  }

  protected stored(key: string, { size, created }: DriveFile): StoredObject {
    return { key, size, modified: created };
  }

  /** Our own files of a name in some folders, the oldest first. */
  async #named(name: string, folders: readonly string[], options: CallOptions): Promise<DriveFile[]> {
    const found = await Promise.all(folders.map((id) => this.#folders.list(id, options, name)));
    return found
      .flat()
      .filter(({ own, isFolder }) => own && !isFolder)
      .sort(byAge);
  }
}

function metadataOf(id: string, name: string, [parent = ""]: readonly string[]) {
  return { id, name, parents: [parent], mimeType: "application/octet-stream", appProperties: markOf("object") };
}

/** `CONFIG` for keys that are refused. */
function positionOf(key: string): Position {
  const folder = keySegments(key);
  const name = folder.pop() ?? "";
  return { folder, name };
}

/**
 * Opens a Google Drive as a store.
 *
 * @throws ProviderError `CONFIG` where the configuration cannot work.
 */
export async function openGoogleDrive(
  config: GoogleDriveConfig,
  secrets: ProviderContext["secrets"],
): Promise<StorageProvider> {
  const { driveId, folderId, retrySeconds, stallTimeoutSeconds } = config;
  const client = await DriveClient.open({
    credentials: credentialsOf(config, secrets),
    retrySeconds,
    stallTimeoutSeconds,
  });
  const names = [...config.folder.split("/"), ...(config.prefix ?? "").split("/")].filter((name) => name !== "");
  const root =
    driveId === undefined ? (folderId === undefined ? "" : ` in folder ${folderId}`) : ` in shared drive ${driveId}`;
  const place = `/${names.join("/")}${root}`;
  const folders = new Folders(client, { driveId, folderId, names });
  return new GoogleDriveStorageProvider(client, folders, place);
}
