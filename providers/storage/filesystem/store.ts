import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, unlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { abortedError, ProviderError } from "../../errors.ts";
import { checkSignal } from "../../transfer/check-signal.ts";
import { fromSystem, isMissing, systemCode } from "./errors.ts";
import { exists as isThere, fileFacts, walk } from "./files.ts";
import { publish, syncFolders } from "./publish.ts";
import { Root } from "./root.ts";
import { FileSink } from "./sink.ts";
import { keySegments, refused } from "../../transfer/keys.ts";
import { exists, missing } from "../../transfer/object-errors.ts";
import { pump } from "../../transfer/pump.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import type { StorageProvider } from "../storage.ts";
import type { DownloadOptions, RequestOptions, StoredObject, UploadOptions } from "../../transfer/object.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { watchedDownload, watchedUpload } from "../../transfer/watched-transfer.ts";
import { spawn } from "node:child_process";

/**
 * Bytes a read. 1 MiB reads faster on its own (3.5 GB/s from the page cache, against 1 with Node's own 64 KiB), but in a
 * pipeline its buffers live until they are old garbage: a verification then took a third more processor time and memory.
 */
const READ_BYTES = 256 * 1024;

/** The bytes of an open file, which it closes. Fails if the file ends before `size` bytes have come. */
class FileSource extends Readable {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #watchdog: StallWatchdog;
  #left: number;

  constructor(file: FileHandle, path: string, size: number, watchdog: StallWatchdog) {
    // One chunk of look-ahead: the disk reads while the reader works.
    super({ highWaterMark: 2 * READ_BYTES });
    this.#file = file;
    this.#path = path;
    this.#left = size;
    this.#watchdog = watchdog;
    watchdog.pause();
    const end = () => {
      this.destroy(watchdog.signal.reason as ProviderError);
    };
    if (watchdog.signal.aborted) end();
    else watchdog.signal.addEventListener("abort", end, { once: true });
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk),
      (error: unknown) => {
        this.destroy(error as ProviderError);
      },
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#watchdog.stop();
    // Not waited for: closing waits for a read that is under way, and that may hang.
    this.#file.close().catch(() => undefined);
    done(error);
  }

  async #next(): Promise<Buffer | null> {
    if (this.#left === 0) return null;
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, this.#left));
    this.#watchdog.resume();
    try {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) {
        throw new ProviderError("INTEGRITY", `${this.#path} ends ${this.#left} bytes before its size.`, {
          fix: "Somebody cut the file while it was read. Use another backup.",
        });
      }
      this.#left -= bytesRead;
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      throw await fromSystem(error, "read", this.#path);
    } finally {
      this.#watchdog.pause();
    }
  }
}

/** Milliseconds in which dd is done. On a file system that hangs it never is: the caller goes on without it. */
const PATIENCE_MS = 10_000;

/**
 * Has the operating system forget what it holds of an open file in memory, so that its bytes come from the medium when they are
 * read: only that shows what is on it. What is not written to the medium yet stays in memory.
 *
 * By GNU dd, since Node.js has no posix_fadvise.
 * https://www.gnu.org/software/coreutils/manual/html_node/dd-invocation.html
 *
 * @returns false where that cannot be had: no dd, or another one (macOS, BusyBox)
 */
function forgetCached(file: FileHandle): Promise<boolean> {
  return new Promise((resolve) => {
    const dd = spawn("dd", ["iflag=nocache", "count=0"], { stdio: [file.fd, "ignore", "ignore"] });
    const settle = (done: boolean) => {
      clearTimeout(timer);
      resolve(done);
    };
    const timer = setTimeout(() => {
      dd.kill("SIGKILL");
      settle(false);
    }, PATIENCE_MS);
    dd.on("error", () => {
      settle(false);
    });
    dd.on("exit", (code) => {
      settle(code === 0);
    });
  });
}

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
