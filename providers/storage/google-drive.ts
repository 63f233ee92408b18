import type { Readable } from "node:stream";
import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { retryFields } from "../retry.ts";
import { SecretRef } from "../secret-ref.ts";
import { checkSignal } from "../transfer/check-signal.ts";
import { chunksOf } from "../transfer/chunker.ts";
import { Checksums } from "./google-drive/checksums.ts";
import { DriveClient } from "./google-drive/client.ts";
import type { CallOptions } from "./google-drive/client.ts";
import { commit, taken } from "./google-drive/commit.ts";
import { serviceAccount } from "./google-drive/credentials.ts";
import type { Credentials } from "./google-drive/credentials.ts";
import { openDownload } from "./google-drive/download.ts";
import { removeEmptyFolders } from "./google-drive/empty-folders.ts";
import { byAge, fileById, markOf } from "./google-drive/files.ts";
import type { DriveFile } from "./google-drive/files.ts";
import { Folders } from "./google-drive/folders.ts";
import { filesBelow } from "./google-drive/listing.ts";
import { MULTIPART_BYTES, sendWhole } from "./google-drive/multipart.ts";
import { removeFiles } from "./google-drive/removal.ts";
import { GRAIN_BYTES, UploadSession } from "./google-drive/session.ts";
import { keySegments } from "../transfer/keys.ts";
import { reportRemaining } from "../transfer/remaining.ts";
import { defineStorage, storageFields } from "./storage.ts";
import type { RequestOptions, StorageProvider, StoredObject, UploadOptions } from "./storage.ts";
import { StallWatchdog } from "../transfer/watchdog.ts";
import { watchedUpload } from "../transfer/watched-upload.ts";

/** Bytes a request of an upload in several: 16 MiB, large enough that the pauses between them do not count. */
const CHUNK_BYTES = 64 * GRAIN_BYTES;

/** Where an object stands, or shall stand. */
interface Position {
  readonly folder: readonly string[];
  readonly name: string;
}

/** A folder of a Google Drive, or of a shared drive. */
class GoogleDriveStorageProvider implements StorageProvider {
  readonly kind = "google-drive";
  readonly description: string;
  readonly #client: DriveClient;
  readonly #folders: Folders;
  readonly #stallTimeoutSeconds: number;
  /** The files of keys that were stored or listed here: they are found at once, also when searches do not show them yet. */
  readonly #known = new Map<string, string>();

  constructor(client: DriveClient, folders: Folders, place: string, stallTimeoutSeconds: number) {
    this.description = `google-drive ${place}`;
    this.#client = client;
    this.#folders = folders;
    this.#stallTimeoutSeconds = stallTimeoutSeconds;
  }

  upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    return watchedUpload(key, source, this.#stallTimeoutSeconds, options, (watchdog) =>
      watchdog.settle(this.#store(key, source, watchdog)),
    );
  }

  async download(key: string, options: RequestOptions = {}): Promise<Readable> {
    const watchdog = new StallWatchdog(`download of ${key}`, this.#stallTimeoutSeconds, options.signal);
    try {
      watchdog.check();
      const call: CallOptions = { action: `download ${key} from ${this.description}`, signal: watchdog.signal };
      const file = await this.#find(key, call);
      if (file === undefined) throw missing(key, this.description);
      return await openDownload(this.#client, file, watchdog, `${key} in ${this.description}`, call);
    } catch (error) {
      watchdog.stop();
      throw error;
    }
  }

  async stat(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    const found = await this.#find(key, { action: `look at ${key}`, signal: options.signal });
    if (found === undefined) throw missing(key, this.description);
    return stored(key, found);
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
      yield stored(key, file);
    }
  }

  async remove(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const { signal } = options;
    checkSignal(signal);
    // All keys are looked at before anything is removed.
    const removals = [...new Set(keys)].map((key) => ({ key, ...positionOf(key), id: this.#known.get(key) }));
    for (const { key } of removals) this.#known.delete(key);
    const failures = await removeFiles(this.#client, this.#folders, removals, signal);
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

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #store(key: string, source: Readable, watchdog: StallWatchdog): Promise<StoredObject> {
    const client = this.#client;
    const position = positionOf(key);
    const { signal } = watchdog;
    const moved = () => {
      watchdog.moved();
    };
    const options: CallOptions = { action: `upload ${key} to ${this.description}`, signal, moved };
    const sums = new Checksums();
    const summed = (piece: Buffer) => {
      watchdog.moved();
      sums.update(piece);
    };
    watchdog.check();
    let upload: { session: UploadSession; id: string; parents: readonly string[] } | undefined;
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const { bytes, last } of chunksOf(source, { size: CHUNK_BYTES, signal, moved: summed })) {
        // Looks before it begins, so that a large one is not refused only at its end.
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
      // Whoever stored one meanwhile is older: then ours is not even made.
      if ((await rivals(options)).length > 0) throw taken(key, options.action);
      const id = upload?.id ?? (await client.newId(options));
      const session = upload?.session;
      const file = {
        key,
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
      return { ...stored(key, made), storeTime: made.created };
    } catch (error) {
      await upload?.session.cancel();
      throw error;
    }
  }

  /** Begins an upload of more than one request, unless there is such an object already. */
  async #begin(key: string, { folder, name }: Position, options: CallOptions) {
    const parents = await this.#folders.ensure(folder, options);
    if ((await this.#named(name, parents, options)).length > 0) throw taken(key, options.action);
    const id = await this.#client.newId(options);
    const session = await UploadSession.begin(this.#client, metadataOf(id, name, parents), options);
    return { session, id, parents };
  }

  /** The file of a key; of several the oldest. */
  async #find(key: string, options: CallOptions): Promise<DriveFile | undefined> {
    const { folder, name } = positionOf(key);
    const known = this.#known.get(key);
    if (known !== undefined) {
      const file = await fileById(this.#client, known, options);
      if (file?.name === name) return file;
      this.#known.delete(key);
    }
    const parents = await this.#folders.find(folder, options);
    const [oldest] = await this.#named(name, parents, options);
    return oldest;
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

function stored(key: string, { size, created }: DriveFile): StoredObject {
  return { key, size, modified: created };
}

function missing(key: string, place: string): ProviderError {
  return new ProviderError("NOT_FOUND", `There is no object ${key} in ${place}.`, {
    fix:
      "List the objects to see which there are, and look at the destination's folder, folderId, driveId and prefix. With the " +
      "scope drive.file, what another app stored is not seen.",
  });
}

const id = (what: string) =>
  z.string().regex(/^[A-Za-z0-9_-]{10,100}$/, {
    error: `expected the id of a ${what}: the last part of its address, https://drive.google.com/drive/folders/<id>`,
  });

const schema = z
  .strictObject({
    kind: z.literal("google-drive").describe("A folder of a Google Drive, or of a shared drive."),
    folder: z
      .string()
      .regex(/^\/$|^(\/(?!\.{1,2}(\/|$))[^/\0]{1,200})+$/, {
        error: "expected an absolute path of folders such as /backups, or / for the root",
      })
      .describe(
        "Absolute path of the folder, from the root of the account's own drive, of the shared drive `driveId` or of the folder " +
          "`folderId`; it is made if it does not exist. `/` is that root itself.",
      )
      .meta({ examples: ["/backups"] }),
    driveId: id("shared drive")
      .optional()
      .describe("Id of a shared drive, whose member the account is. Left out: the account's own drive.")
      .meta({ examples: ["0AFxYzAbCdEfGhUk9PVA"] }),
    folderId: id("folder")
      .optional()
      .describe("Id of a folder that `folder` starts from, for instance one that is shared with a service account.")
      .meta({ examples: ["1aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"] }),
    clientId: z
      .string()
      .regex(/^[\w-]+\.apps\.googleusercontent\.com$/, {
        error: "expected the id of an OAuth client, which ends with .apps.googleusercontent.com",
      })
      .optional()
      .describe("Id of the OAuth client (Google Auth Platform, Clients) that the refresh token was made with.")
      .meta({ examples: ["123456789012-a1b2c3d4e5f6.apps.googleusercontent.com"] }),
    clientSecret: SecretRef.optional().describe("Secret of the OAuth client."),
    refreshToken: SecretRef.optional().describe(
      "Refresh token of the account whose drive is written to, with the scope https://www.googleapis.com/auth/drive.file.",
    ),
    serviceAccountKey: SecretRef.optional().describe(
      "JSON key of a service account, in the place of clientId, clientSecret and refreshToken. It has no storage of its own: " +
        "give it a shared drive, or a person of your Workspace to act for (`impersonate`).",
    ),
    impersonate: z
      .email({ error: "expected the e-mail address of a user" })
      .optional()
      .describe(
        "E-mail address of the user of a Workspace in whose name the service account acts; the admin must have allowed it " +
          "(domain-wide delegation) for the scope https://www.googleapis.com/auth/drive. Default: nobody.",
      )
      .meta({ examples: ["backups@example.com"] }),
    ...storageFields,
    ...retryFields,
  })
  .refine(
    ({ clientId, clientSecret, refreshToken, serviceAccountKey }) => {
      const given = [clientId, clientSecret, refreshToken].filter((field) => field !== undefined).length;
      return given === (serviceAccountKey === undefined ? 3 : 0);
    },
    { error: "expected either clientId, clientSecret and refreshToken, or serviceAccountKey" },
  )
  .refine(({ driveId, folderId }) => driveId === undefined || folderId === undefined, {
    error: "expected driveId or folderId, not both: a folder's drive is found by itself",
  })
  .refine(({ impersonate, serviceAccountKey }) => impersonate === undefined || serviceAccountKey !== undefined, {
    error: "expected serviceAccountKey with impersonate",
  });

/** Keeps objects in a Google Drive, or in a shared drive. */
export const googleDrive = defineStorage({
  schema,
  secrets: ["clientSecret", "refreshToken", "serviceAccountKey"],
  // Without a folder or drive that is named, it is that of the account, which only the secret knows.
  place: ({ driveId, folderId, folder, prefix = "", refreshToken, serviceAccountKey, impersonate }) => [
    [...folder.split("/"), ...prefix.split("/")].filter((name) => name !== "").join("/"),
    driveId ?? folderId ?? JSON.stringify([refreshToken, serviceAccountKey, impersonate]),
  ],
  async create(config, { secrets }) {
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
    return new GoogleDriveStorageProvider(client, folders, place, stallTimeoutSeconds);
  },
});

function credentialsOf(
  { clientId, serviceAccountKey, impersonate }: z.output<typeof schema>,
  secrets: Readonly<Record<string, string>>,
): Credentials {
  const secret = (field: "clientSecret" | "refreshToken" | "serviceAccountKey") => {
    const value = secrets[field];
    if (value !== undefined && value !== "") return value;
    throw new ProviderError("CONFIG", `${field} of the storage of kind google-drive is empty.`, {
      fix: `Set the secret that ${field} refers to; the README says how to get one.`,
    });
  };
  if (serviceAccountKey !== undefined) return serviceAccount(secret("serviceAccountKey"), impersonate);
  return {
    kind: "user",
    clientId: clientId ?? "",
    clientSecret: secret("clientSecret"),
    refreshToken: secret("refreshToken"),
  };
}
