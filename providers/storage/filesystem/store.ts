import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import type { Readable } from "node:stream";
import { abortedError, ProviderError } from "../../errors.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import { fromSystem, isMissing, systemCode } from "./errors.ts";
import { exists as isThere, fileFacts, walk } from "./files.ts";
import { forgetCached } from "./page-cache.ts";
import { publish, syncFolders } from "./publish.ts";
import { Root } from "./root.ts";
import { FileSink } from "./sink.ts";
import { FileSource } from "./source.ts";
import { keySegments, refused } from "../../transfer/keys.ts";
import { exists, missing } from "../../transfer/object-errors.ts";
import { pump } from "../../transfer/pump.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import type { DownloadOptions, RequestOptions, StorageProvider, StoredObject, UploadOptions } from "../storage.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { watchedDownload, watchedUpload } from "../../transfer/watched-transfer.ts";

/** Files whose facts a listing reads together: one by one, most of the time would go to switching threads. */
const BATCH_FILES = 64;

/** Bytes from which a file is read from its medium, where that is asked for. Of less, seeing to that takes longer than reading. */
const FROM_MEDIUM_BYTES = 1024 * 1024;

/** Names of files that are not objects: uploads under way or interrupted. No key may have such a segment. */
const PARTIAL = /^\..*\.partial$/s;

/** Backups are for their owner alone, however loose the umask is. */
const FILE_MODE = 0o600;

/** How often a folder is made again when something removes it, because it is empty, before the file is in it. */
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
export class FilesystemStorageProvider implements StorageProvider {
  readonly kind = "filesystem";
  readonly description: string;
  readsMemory = false;
  readonly #root: Root;
  readonly #stallTimeoutSeconds: number;

  constructor(root: string, stallTimeoutSeconds: number) {
    this.description = `filesystem ${root}`;
    this.#root = new Root(root);
    this.#stallTimeoutSeconds = stallTimeoutSeconds;
  }

  upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    return watchedUpload(key, source, this.#stallTimeoutSeconds, options, (watchdog) =>
      watchdog.settle(this.#store(key, source, watchdog)),
    );
  }

  download(key: string, options: DownloadOptions = {}): Promise<Readable> {
    return watchedDownload(key, this.#stallTimeoutSeconds, options, async (watchdog) => {
      const path = this.#path(key);
      let file: FileHandle | undefined;
      try {
        await this.#root.has(dirname(path));
        // Without O_NONBLOCK, opening a named pipe waits until something writes to it.
        file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        const facts = await file.stat();
        if (!facts.isFile()) throw this.#missing(key);
        const fromMedium = options.fromMedium === true && facts.size >= FROM_MEDIUM_BYTES;
        if (fromMedium && !(await forgetCached(file))) this.readsMemory = true;
        return new FileSource(file, path, facts.size, watchdog);
      } catch (error) {
        await file?.close();
        // ELOOP: the name is a symbolic link, which is no object.
        if (isMissing(error) || systemCode(error) === "ELOOP") throw this.#missing(key);
        throw await fromSystem(error, "read", path);
      }
    });
  }

  async stat(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    checkSignal(options.signal);
    const path = this.#path(key);
    await this.#root.has(dirname(path));
    const facts = await fileFacts(path);
    if (facts === undefined) throw this.#missing(key);
    return { key, ...facts };
  }

  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<StoredObject> {
    let paths: string[] = [];
    for await (const path of this.#files(prefix, options.signal)) {
      if (!PARTIAL.test(basename(path))) paths.push(path);
      if (paths.length < BATCH_FILES) continue;
      yield* this.#factsOf(paths);
      paths = [];
    }
    yield* this.#factsOf(paths);
  }

  async *#factsOf(paths: readonly string[]): AsyncIterable<StoredObject> {
    const facts = await Promise.all(paths.map(fileFacts));
    for (const [index, path] of paths.entries()) {
      const found = facts[index];
      if (found !== undefined) yield { key: relative(this.#root.path, path), ...found };
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

  /** Decides by the time of the last write: an older upload that is still under way keeps its file. */
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

  #missing(key: string): ProviderError {
    return missing(key, this.description, "the store's path and prefix");
  }

  /** Where a key's file is. `CONFIG` for keys that are refused. */
  #path(key: string): string {
    const segments = keySegments(key);
    const reserved = segments.find((segment) => PARTIAL.test(segment));
    if (reserved !== undefined) throw refused(key, `'${reserved}' is a name for unfinished uploads`);
    return join(this.#root.path, ...segments);
  }

  async #store(key: string, source: Readable, watchdog: StallWatchdog): Promise<StoredObject> {
    const path = this.#path(key);
    let unfinished: Unfinished | undefined;
    let visible = false;
    try {
      watchdog.check();
      unfinished = await this.#create(key, path);
      const { file, partial, top } = unfinished;
      const sink = new FileSink(file, partial, watchdog.moved);
      await pump(source, sink, watchdog.signal);
      await sink.sync();
      const { size, mtime } = await file.stat();
      if (size !== sink.bytes) throw wrongSize(path, sink.bytes, size);
      await file.close();
      watchdog.check();
      await publish(partial, path);
      visible = true;
      await syncFolders(dirname(path), top);
      // An upload that was given up by now has failed for its caller, who must not find the object.
      watchdog.check();
      return { key, size, modified: mtime, storeTime: mtime };
    } catch (error) {
      if (visible) await unlink(path).catch(() => undefined);
      if (unfinished !== undefined) {
        // Waits for a write that is under way.
        await unfinished.file.close().catch(() => undefined);
        await unlink(unfinished.partial).catch(() => undefined);
        await this.#root.removeEmptyFolders(dirname(path));
      }
      if (watchdog.signal.aborted) throw abortedError(watchdog.signal);
      if (systemCode(error) === "EEXIST") throw exists(key, this.description);
      throw await fromSystem(error, "write", path);
    }
  }

  /** Makes the folders and an empty file that neither `list` nor `stat` show. */
  async #create(key: string, path: string): Promise<Unfinished> {
    for (let attempt = 1; ; attempt += 1) {
      const partial = join(dirname(path), `.${randomBytes(12).toString("hex")}.partial`);
      try {
        const top = await this.#root.makeFolders(dirname(path));
        // Early, so that a large upload is not refused only at its end.
        if (await isThere(path)) throw exists(key, this.description);
        // Appending: if the file is cut while it is written, its size shows that.
        return { file: await open(partial, "ax", FILE_MODE), partial, top };
      } catch (error) {
        if (systemCode(error) !== "ENOENT" || attempt === CREATE_ATTEMPTS) throw error;
      }
    }
  }

  /** All files below a folder, in the order of their keys. Symbolic links are not followed. */
  async *#files(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    const folder = prefix === "" ? this.#root.path : this.#path(prefix);
    if (await this.#root.has(folder)) yield* walk(folder, signal);
  }

  /** Removes a file if there is one, and the folders that it leaves empty. */
  async #removeFile(path: string): Promise<void> {
    if (!(await this.#root.has(dirname(path)))) return;
    if ((await fileFacts(path)) === undefined) return;
    await unlink(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await this.#root.removeEmptyFolders(dirname(path));
  }
}

function wrongSize(path: string, sent: number, found: number): ProviderError {
  return new ProviderError("INTEGRITY", `${path} has ${found} bytes, but ${sent} were written.`, {
    fix: "Check whether another program writes to this folder, and check the disk.",
  });
}
