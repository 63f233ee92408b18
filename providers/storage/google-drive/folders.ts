import { abortedError, ProviderError } from "../../errors.ts";
import type { DriveClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { ANY_DRIVE, byAge, factsOf, fileById, FIELDS, filesIn, FOLDER_TYPE, markOf, trashFile } from "./files.ts";
import type { DriveFile, Place } from "./files.ts";

/** Where the configuration says that everything is. */
export interface Root {
  /** A shared drive. */
  readonly driveId: string | undefined;
  /** A folder, in a shared drive or not. Where neither is given it is the account's own root. */
  readonly folderId: string | undefined;
  /** The names of the folders below it. */
  readonly names: readonly string[];
}

/** Where the root was found to be. */
interface Anchor {
  readonly id: string;
  readonly place: Place;
}

/**
 * The folders of a store, by their paths.
 *
 * The service knows no paths, and lets several folders of a folder bear one name. A client that makes one lists them again afterwards:
 * all use the oldest, and the run that made another removes it. Should two remain all the same, because a run was
 * killed right then, they are read as one.
 */
export class Folders {
  readonly #client: DriveClient;
  readonly #root: Root;
  /** Those that were made or found for writing, by their paths. Each is looked for once, however many uploads wait for it. */
  readonly #ready = new Map<string, Promise<string[]>>();
  #anchor: Promise<Anchor> | undefined;

  constructor(client: DriveClient, root: Root) {
    this.#client = client;
    this.#root = root;
  }

  /** What is in a folder; see {@link filesIn}. */
  async list(id: string, options: CallOptions, name?: string): Promise<DriveFile[]> {
    const { place } = await this.#anchored(options);
    return filesIn(this.#client, place, id, options, name);
  }

  /** The ids of all folders of a path below the store's, the oldest first. None: there is no such folder. */
  async find(path: readonly string[], options: CallOptions): Promise<string[]> {
    let ids = [(await this.#anchored(options)).id];
    for (const name of [...this.#root.names, ...path]) {
      const found = await Promise.all(ids.map((id) => this.list(id, options, name)));
      ids = foldersOf(found.flat());
    }
    return ids;
  }

  /** As {@link find}, but makes what is missing: there is one at least. */
  ensure(path: readonly string[], { action, signal }: CallOptions): Promise<string[]> {
    // Others may wait for the same folder: this one's end is not theirs.
    return orAborted(this.#ensure([...this.#root.names, ...path], { action, signal: undefined }), signal);
  }

  /** Folders may be gone: they are looked for again. */
  forget(): void {
    this.#ready.clear();
    this.#anchor = undefined;
  }

  /** Removes a folder if it was made here and there is nothing in it. */
  async removeEmpty(id: string, options: CallOptions): Promise<void> {
    this.forget();
    const folder = await fileById(this.#client, id, options);
    if (folder?.own === true) await this.#removeIfEmpty(id, options);
  }

  #ensure(names: readonly string[], options: CallOptions): Promise<string[]> {
    const path = names.join("/");
    const known = this.#ready.get(path);
    if (known !== undefined) return known;
    const made = this.#make(names, options);
    this.#ready.set(path, made);
    made.catch(() => {
      if (this.#ready.get(path) === made) this.#ready.delete(path);
    });
    return made;
  }

  async #make(names: readonly string[], options: CallOptions): Promise<string[]> {
    const name = names.at(-1);
    if (name === undefined) return [(await this.#anchored(options)).id];
    const parents = await this.#ensure(names.slice(0, -1), options);
    const find = async () => (await Promise.all(parents.map((id) => this.list(id, options, name)))).flat();
    const found = foldersOf(await find());
    if (found.length > 0) return found;
    const [parent = ""] = parents;
    const own = await this.#create(parent, name, options);
    // Ours counts also where the search does not show it yet: who made the other sees it, and would give way to it.
    const others = (await find()).filter(({ id }) => id !== own.id);
    const all = foldersOf([own, ...others]);
    if (all[0] === own.id) return all;
    // Another run was quicker: its folder is used. Ours stays if something was put into it since.
    await this.#removeIfEmpty(own.id, options);
    return all.filter((id) => id !== own.id);
  }

  /** Into the trash: should a search not have shown yet what is in it, it can be brought back. */
  async #removeIfEmpty(id: string, options: CallOptions): Promise<void> {
    if ((await this.list(id, options)).length === 0) await trashFile(this.#client, id, options);
  }

  async #create(parent: string, name: string, options: CallOptions): Promise<DriveFile> {
    const id = await this.#client.newId(options);
    const requestBody = { id, name, mimeType: FOLDER_TYPE, parents: [parent], appProperties: markOf("folder") };
    const made = await this.#client.call(
      (files, settings) =>
        // Not to be seen by everybody of a Workspace whose files are so by default.
        files.create({ requestBody, ...ANY_DRIVE, ignoreDefaultVisibility: true, fields: FIELDS }, settings),
      options,
      // Made by a try whose answer was lost.
      (answer) => (answer.status === 409 ? ("made" as const) : undefined),
    );
    const facts = made === "made" ? await fileById(this.#client, id, options) : factsOf(made, options.action);
    if (facts === undefined) throw gone(name, options.action);
    return facts;
  }

  #anchored(options: CallOptions): Promise<Anchor> {
    if (this.#anchor === undefined) {
      const anchor = this.#findAnchor({ action: options.action, signal: undefined });
      this.#anchor = anchor;
      anchor.catch(() => {
        if (this.#anchor === anchor) this.#anchor = undefined;
      });
    }
    return orAborted(this.#anchor, options.signal);
  }

  async #findAnchor(options: CallOptions): Promise<Anchor> {
    const { driveId, folderId } = this.#root;
    if (folderId === undefined) {
      return driveId === undefined
        ? { id: "root", place: { corpora: "user" } }
        : { id: driveId, place: { corpora: "drive", driveId } };
    }
    const file = await this.#client.call(
      (files, settings) => files.get({ fileId: folderId, ...ANY_DRIVE, fields: `${FIELDS},driveId` }, settings),
      options,
      (answer) => (answer.status === 404 ? ("missing" as const) : undefined),
    );
    if (file === "missing") throw notShared(folderId, this.#client.account, options.action);
    if (!factsOf(file, options.action).isFolder || file.trashed === true) throw noFolder(folderId, options.action);
    const drive = file.driveId ?? undefined;
    return {
      id: folderId,
      place: drive === undefined ? { corpora: "user" } : { corpora: "drive", driveId: drive },
    };
  }
}

function foldersOf(files: readonly DriveFile[]): string[] {
  return files
    .filter(({ isFolder }) => isFolder)
    .sort(byAge)
    .map(({ id }) => id);
}

/** What the work gives, or the abort's error as soon as there is one; the work goes on. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(abortedError(signal));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

function gone(name: string, action: string): ProviderError {
  return new ProviderError("TRANSIENT", `Cannot ${action}: the folder ${name} was removed as soon as it was made.`, {
    fix: "Try again; find out what removes folders there.",
  });
}

function notShared(id: string, account: string, action: string): ProviderError {
  return new ProviderError("CONFIG", `Cannot ${action}: ${account} does not see the folder ${id}.`, {
    fix:
      `Compare folderId with the end of the folder's address, https://drive.google.com/drive/folders/<folderId>, and share ` +
      `the folder with ${account} as an Editor. A refresh token with the scope drive.file only sees what its own app made: ` +
      "leave folderId out, or get one with the scope https://www.googleapis.com/auth/drive.",
  });
}

function noFolder(id: string, action: string): ProviderError {
  return new ProviderError("CONFIG", `Cannot ${action}: folderId ${id} is a file, or is in the trash.`, {
    fix: "Set folderId to the end of a folder's address, https://drive.google.com/drive/folders/<folderId>.",
  });
}
