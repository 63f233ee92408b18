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
import type { StorageProvider } from "../storage.ts";
import type { RequestOptions, StoredObject } from "../../transfer/object.ts";
import { Checksums } from "./checksums.ts";
import { DriveClient } from "./client.ts";
import { commit } from "./commit.ts";
import { credentialsOf, type GoogleDriveConfig } from "./config.ts";
import { byAge, fileById, markOf, type DriveFile, factsOf } from "./files.ts";
import { Folders } from "./folders.ts";
import { removeFiles } from "./removal.ts";
import { GRAIN_BYTES, UploadSession } from "./session.ts";
import { createHash, randomUUID } from "node:crypto";
import { unreachable, notGoogle } from "./errors.ts";
import { UPLOAD_URL } from "./upload-url.ts";

/** What the service takes in one request together with what describes it. */
const MULTIPART_BYTES = 5 * 1024 * 1024;

/**
 * Makes a small file in one request. The SDK would do it, but only from a stream that cannot be sent a second time.
 *
 * @param metadata holds the file's id, by which it is recognised that an earlier try was successful
 */
function sendWhole(
  client: DriveClient,
  metadata: Readonly<Record<string, unknown>> & { readonly id: string },
  bytes: Buffer,
  options: CallOptions,
  retrySignal: AbortSignal | undefined,
): Promise<DriveFile> {
  const boundary = randomUUID();
  const part = (type: string) => `--${boundary}\r\nContent-Type: ${type}\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(`${part("application/json; charset=UTF-8")}${JSON.stringify(metadata)}\r\n`),
    Buffer.from(part("application/octet-stream")),
    bytes,
    Buffer.from(`\r\n--${boundary}--`),
  ]);
  const headers = { "Content-Type": `multipart/related; boundary=${boundary}` };
  return client.retry(
    async () => {
      const answer = await client.ask(`${UPLOAD_URL}&uploadType=multipart`, { method: "POST", headers, body }, options);
      if (answer.status === 200) return factsOf(Object(answer.body) as object, options.action);
      const made = answer.status === 409 ? await fileById(client, metadata.id, options) : undefined;
      if (made !== undefined) return made;
      throw answer.status < 300 ? notGoogle(options.action) : client.refusal(answer, options.action);
    },
    { ...options, signal: retrySignal },
  );
}

/** Folders that are looked into at the same time. */
const PARALLEL = 6;

/**
 * Our own files below a folder by their paths in it, in no order; of several of a path the oldest.
 *
 * @param path names of the folder, below the store's
 */
async function filesBelow(
  folders: Folders,
  path: readonly string[],
  options: CallOptions,
): Promise<Map<string, DriveFile>> {
  const found = new Map<string, DriveFile>();
  // Here and not above: the deployment, which only reads the schemas, does not need it.
  const { default: pLimit } = await import("p-limit");
  const limit = pLimit(PARALLEL);
  const visit = async (id: string, prefix: string): Promise<void> => {
    const children = await limit(() => folders.list(id, options));
    for (const child of children) {
      const key = `${prefix}${child.name}`;
      const older = found.get(key);
      if (!child.isFolder && child.own && (older === undefined || child.created < older.created)) found.set(key, child);
    }
    const inside = children.filter(({ isFolder }) => isFolder);
    await Promise.all(inside.map((folder) => visit(folder.id, `${prefix}${folder.name}/`)));
  };
  try {
    const roots = await folders.find(path, options);
    await Promise.all(roots.map((id) => visit(id, path.map((name) => `${name}/`).join(""))));
  } finally {
    // After a failure nothing that still waits is begun.
    limit.clearQueue();
  }
  return found;
}

/**
 * Removes folders of ours in which nothing is left, below a folder, and says how many there were: an upload that fails leaves
 * those that it made, because others may be about to use them.
 *
 * @param path names of the folder, below the store's; it stays itself
 * @param madeBefore younger ones stay, with all that they are in
 * @param isUsed whether a folder, by its path, is known to hold something that searches may not show yet
 */
async function removeEmptyFolders(
  folders: Folders,
  path: readonly string[],
  madeBefore: Date,
  isUsed: (path: readonly string[]) => boolean,
  options: CallOptions,
): Promise<number> {
  let removed = 0;
  /** Whether nothing is left in it. */
  const visit = async (id: string, at: readonly string[]): Promise<boolean> => {
    let left = 0;
    for (const child of await folders.list(id, options)) {
      const below = [...at, child.name];
      const isEmpty = child.isFolder && (await visit(child.id, below));
      if (isEmpty && child.own && child.created < madeBefore && !isUsed(below)) {
        await folders.removeEmpty(child.id, options);
        removed += 1;
      } else {
        left += 1;
      }
    }
    return left === 0;
  };
  for (const id of await folders.find(path, options)) await visit(id, path);
  return removed;
}

/**
 * How a file is read, and compared with a checksum that the service reports of it: also where somebody replaced it after a
 * break.
 */
function readingOf(client: DriveClient, file: DriveFile, action: string): Reading {
  const url = `https://www.googleapis.com/drive/v3/files/${encodeURIComponent(file.id)}?alt=media&supportsAllDrives=true`;
  const algorithm = file.sha256 === undefined ? "md5" : "sha256";
  const expected = file[algorithm];
  const hash = createHash(algorithm);
  const checksum = {
    update: (bytes: Buffer) => {
      hash.update(bytes);
    },
    matches: () => hash.digest("hex") === expected,
  };
  return {
    size: file.size,
    open: (offset, signal) => {
      const headers: Record<string, string> = offset === 0 ? {} : { Range: `bytes=${offset}-` };
      return client.stream(url, { method: "GET", headers }, offset === 0 ? 200 : 206, { action, signal });
    },
    broken: (error) => unreachable(error, action),
    ...(expected !== undefined && { checksum }),
  };
}

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
