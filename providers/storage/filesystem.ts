import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, readlink, rmdir, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Readable } from "node:stream";
import { z } from "zod";
import { abortedError, ProviderError } from "../errors.ts";
import { checkSignal } from "../transfer/check-signal.ts";
import { fromSystem, isMissing, systemCode } from "./filesystem/errors.ts";
import { exists, fileFacts, makeFolder, makeFolders, walk } from "./filesystem/files.ts";
import { publish, syncFolders } from "./filesystem/publish.ts";
import { FileSink } from "./filesystem/sink.ts";
import { FileSource } from "./filesystem/source.ts";
import { keySegments, refused } from "../transfer/keys.ts";
import { pump } from "../transfer/pump.ts";
import { reportRemaining } from "../transfer/remaining.ts";
import { defineStorage, storageFields } from "./storage.ts";
import type { RequestOptions, StorageProvider, StoredObject, UploadOptions } from "./storage.ts";
import { StallWatchdog } from "../transfer/watchdog.ts";
import { watchedUpload } from "../transfer/watched-upload.ts";

/** Files that a listing looks at together: one after the other, most of the time goes to handing them to other threads. */
const LOOKED_AT = 64;

/** Names of files that are not objects: uploads under way or interrupted. No key may have such a segment. */
const PARTIAL = /^\..*\.partial$/s;

/** Backups are for their owner alone, however loose the umask is. */
const FILE_MODE = 0o600;

/** How often a folder is made again that somebody removes, because it is empty, before the file is in it. */
const CREATE_ATTEMPTS = 5;

/** A file that is being written. */
interface Unfinished {
  readonly file: FileHandle;
  readonly partial: string;
  /** The topmost folder that may hold a new entry. */
  readonly top: string;
}

/**
 * A folder of this machine: on a disk of its own, or in a mounted network file system. The folder itself may be a symbolic
 * link; below it none is followed, for reading, writing, listing or removing.
 */
class FilesystemStorageProvider implements StorageProvider {
  readonly kind = "filesystem";
  readonly description: string;
  readonly #root: string;
  readonly #stallTimeoutSeconds: number;

  constructor(root: string, stallTimeoutSeconds: number) {
    this.description = `filesystem ${root}`;
    this.#root = root;
    this.#stallTimeoutSeconds = stallTimeoutSeconds;
  }

  upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    return watchedUpload(key, source, this.#stallTimeoutSeconds, options, (watchdog) =>
      watchdog.settle(this.#store(key, source, watchdog)),
    );
  }

  async download(key: string, options: RequestOptions = {}): Promise<Readable> {
    const path = this.#path(key);
    const watchdog = new StallWatchdog(`download of ${key}`, this.#stallTimeoutSeconds, options.signal);
    let file: FileHandle | undefined;
    try {
      watchdog.check();
      await this.#exists(dirname(path));
      // Without O_NONBLOCK, opening a named pipe waits for somebody to write to it.
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const facts = await file.stat();
      if (!facts.isFile()) throw missing(key, this.description);
      return new FileSource(file, path, facts.size, watchdog);
    } catch (error) {
      watchdog.stop();
      await file?.close();
      // ELOOP: the name is a symbolic link, which is no object.
      if (isMissing(error) || systemCode(error) === "ELOOP") throw missing(key, this.description);
      throw await fromSystem(error, "read", path);
    }
  }

  async stat(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    checkSignal(options.signal);
    const path = this.#path(key);
    await this.#exists(dirname(path));
    const facts = await fileFacts(path);
    if (facts === undefined) throw missing(key, this.description);
    return { key, ...facts };
  }

  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<StoredObject> {
    let paths: string[] = [];
    for await (const path of this.#files(prefix, options.signal)) {
      if (!PARTIAL.test(basename(path))) paths.push(path);
      if (paths.length < LOOKED_AT) continue;
      yield* this.#factsOf(paths);
      paths = [];
    }
    yield* this.#factsOf(paths);
  }

  async *#factsOf(paths: readonly string[]): AsyncIterable<StoredObject> {
    const facts = await Promise.all(paths.map(fileFacts));
    for (const [index, path] of paths.entries()) {
      const found = facts[index];
      if (found !== undefined) yield { key: relative(this.#root, path), ...found };
    }
  }

  async remove(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const paths = keys.map((key) => this.#path(key));
    const failures = new Map<string, ProviderError>();
    for (const [index, path] of paths.entries()) {
      checkSignal(options.signal);
      try {
        await this.#removeFile(path);
      } catch (error) {
        failures.set(keys[index] ?? path, await fromSystem(error, "remove", path));
      }
    }
    reportRemaining(failures, keys.length);
  }

  /** Goes by the time of the last write: an upload that is older but still going keeps its file. */
  async removeUnfinished(prefix: string, begunBefore: Date): Promise<number> {
    let removed = 0;
    for await (const path of this.#files(prefix)) {
      if (!PARTIAL.test(basename(path))) continue;
      const facts = await fileFacts(path);
      if (facts === undefined || facts.modified >= begunBefore) continue;
      try {
        await this.#removeFile(path);
      } catch (error) {
        throw await fromSystem(error, "remove", path);
      }
      removed += 1;
    }
    return removed;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Where a key's file is. `CONFIG` for keys that are refused. */
  #path(key: string): string {
    const segments = keySegments(key);
    const reserved = segments.find((segment) => PARTIAL.test(segment));
    if (reserved !== undefined) throw refused(key, `'${reserved}' is a name for unfinished uploads`);
    return join(this.#root, ...segments);
  }

  async #store(key: string, source: Readable, watchdog: StallWatchdog): Promise<StoredObject> {
    const path = this.#path(key);
    let unfinished: Unfinished | undefined;
    let visible = false;
    try {
      watchdog.check();
      unfinished = await this.#create(key, path);
      const { file, partial, top } = unfinished;
      const sink = new FileSink(file, partial, () => {
        watchdog.moved();
      });
      await pump(source, sink, watchdog.signal);
      await sink.sync();
      const { size, mtime } = await file.stat();
      if (size !== sink.bytes) throw wrongSize(path, sink.bytes, size);
      await file.close();
      watchdog.check();
      await publish(partial, path);
      visible = true;
      await syncFolders(dirname(path), top);
      // Whoever has been told meanwhile that the upload failed must not find the object.
      watchdog.check();
      return { key, size, modified: mtime, storeTime: mtime };
    } catch (error) {
      if (visible) await unlink(path).catch(() => undefined);
      if (unfinished !== undefined) {
        // Waits for a write that is under way.
        await unfinished.file.close().catch(() => undefined);
        await unlink(unfinished.partial).catch(() => undefined);
        await this.#removeEmptyFolders(dirname(path));
      }
      if (watchdog.signal.aborted) throw abortedError(watchdog.signal);
      if (systemCode(error) === "EEXIST") throw conflict(key, this.description);
      throw await fromSystem(error, "write", path);
    }
  }

  /** Makes the folders and an empty file that neither `list` nor `stat` show. */
  async #create(key: string, path: string): Promise<Unfinished> {
    for (let attempt = 1; ; attempt += 1) {
      const partial = join(dirname(path), `.${randomBytes(12).toString("hex")}.partial`);
      try {
        const top = await this.#makeFolders(dirname(path));
        // Early, so that a large upload is not refused only at its end.
        if (await exists(path)) throw conflict(key, this.description);
        // Appending: if somebody cuts the file meanwhile, its size tells.
        return { file: await open(partial, "ax", FILE_MODE), partial, top };
      } catch (error) {
        if (systemCode(error) !== "ENOENT" || attempt === CREATE_ATTEMPTS) throw error;
      }
    }
  }

  /** Makes a folder below the root, and says which is the topmost one that may hold a new entry. */
  async #makeFolders(folder: string): Promise<string> {
    if (await this.#exists(folder)) return this.#root;
    const made = await makeFolders(this.#root);
    // One by one, to follow no symbolic link.
    let current = this.#root;
    for (const segment of relative(this.#root, folder).split("/")) {
      current = join(current, segment);
      if (!(await this.#exists(current))) await makeFolder(current);
    }
    return made === undefined ? this.#root : dirname(made);
  }

  /**
   * Whether a folder at or below the root exists. `CONFIG` where the way there has a symbolic link below the root: what a
   * listing shows under one job's name, and a prune removes, could be another job's. The root itself may be a link.
   */
  async #exists(folder: string): Promise<boolean> {
    try {
      if ((await stat(this.#root)).isFile()) {
        throw new ProviderError("CONFIG", `${this.#root} is a file, and backups are kept in a folder.`, {
          fix: "Set path to a folder, which need not exist yet, or move the file away.",
        });
      }
      let current = this.#root;
      for (const segment of relative(this.#root, folder).split("/")) {
        current = join(current, segment);
        if (current !== this.#root && (await lstat(current)).isSymbolicLink()) throw await linked(current, this.#root);
      }
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw await fromSystem(error, "look at", folder);
    }
  }

  /** All files below a folder, in the order of their keys. Symbolic links are not followed. */
  async *#files(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    const folder = prefix === "" ? this.#root : this.#path(prefix);
    if (await this.#exists(folder)) yield* walk(folder, signal);
  }

  /** Removes a file if there is one, and the folders that it leaves empty. */
  async #removeFile(path: string): Promise<void> {
    if (!(await this.#exists(dirname(path)))) return;
    if ((await fileFacts(path)) === undefined) return;
    await unlink(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await this.#removeEmptyFolders(dirname(path));
  }

  /** Removes a folder and its parents below the root as far as they are empty. One that cannot be removed does no harm. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let current = folder; current !== this.#root; current = dirname(current)) {
      try {
        await rmdir(current);
      } catch (error) {
        if (systemCode(error) !== "ENOENT") return;
      }
    }
  }
}

async function linked(link: string, root: string): Promise<ProviderError> {
  const target = resolve(dirname(link), await readlink(link));
  return new ProviderError(
    "CONFIG",
    `${link} is a symbolic link to ${target}, and below ${root} no link is followed.`,
    { fix: "Remove the link, or set path to the folder that it leads to." },
  );
}

function missing(key: string, place: string): ProviderError {
  return new ProviderError("NOT_FOUND", `There is no object ${key} in ${place}.`, {
    fix: "List the objects to see which there are, and look at the store's path and prefix.",
  });
}

function conflict(key: string, place: string): ProviderError {
  return new ProviderError("CONFLICT", `${key} exists already in ${place}; objects are never overwritten.`, {
    fix: "Use another key, or remove the object first.",
  });
}

function wrongSize(path: string, sent: number, found: number): ProviderError {
  return new ProviderError("INTEGRITY", `${path} has ${found} bytes, but ${sent} were written.`, {
    fix: "Look whether another program writes to this folder, and check the disk.",
  });
}

/** Keeps objects as files. Needs no account and no network. */
export const filesystem = defineStorage({
  schema: z.strictObject({
    kind: z.literal("filesystem").describe("A folder on the runner's machine."),
    path: z
      .string()
      .regex(/^\/[^\0]*$/, { error: "expected an absolute path, which starts with '/'", abort: true })
      .refine((path) => !/\/\.\.(\/|$)/.test(path) && resolve(path) !== "/", {
        error: "expected the path of a folder, without '..', and not the root of all",
      })
      .optional()
      .describe(
        "Absolute path of the folder. It is made if it does not exist, for its owner alone. Left out: a folder of the " +
          "stack's own on the target `host`.",
      )
      .meta({ examples: ["/srv/backups"] }),
    ...storageFields,
  }),
  secrets: [],
  folder: { path: ({ path }) => path, at: (config, path) => ({ path, ...config }) },
  place: ({ path, prefix = "" }) => (path === undefined ? [path, prefix] : [resolve(path, prefix)]),
  create(config) {
    if (config.path === undefined) {
      return Promise.reject(
        new ProviderError("CONFIG", "The storage of kind filesystem has no path.", {
          fix: "Set path to an absolute folder, for instance path: /srv/backups.",
        }),
      );
    }
    const root = resolve(config.path, config.prefix ?? "");
    return Promise.resolve(new FilesystemStorageProvider(root, config.stallTimeoutSeconds));
  },
});
