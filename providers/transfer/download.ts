import { Readable } from "node:stream";
import { abortedError, ProviderError, toProviderError } from "../errors.ts";
import { withRetries } from "../retry.ts";
import { StallWatchdog } from "./watchdog.ts";

/** Bytes that are read ahead of the reader. */
const AHEAD_BYTES = 1024 * 1024;

/** What a {@link DownloadStream} reads. */
export interface Download {
  /** What is read, as the subject of a message: `a/b in s3://bucket`. */
  readonly name: string;
  /** Bytes that must come. */
  readonly size: number;
  /** The bytes from the start: a response that has begun already. */
  readonly first: Readable;
  /** Asks for the bytes from an offset on. Throws `ProviderError`. */
  readonly open: (offset: number, signal: AbortSignal) => Promise<Readable>;
  /** The `ProviderError` for a response that broke off. */
  readonly broken: (error: unknown) => ProviderError;
  /** Paused while it is the reader's turn; stopped at the end. */
  readonly watchdog: StallWatchdog;
  readonly retrySeconds: number;
  /** Seconds without a byte after which a response is given up, and asked for again. */
  readonly stallSeconds: number;
  /** The checksum that the store reports, where it does: it is given every byte, then must find the end right. */
  readonly checksum?: { update(bytes: Buffer): void; matches(): boolean };
}

/**
 * An object's bytes out of a network: goes on at the same offset where a connection breaks, and fails where the bytes are
 * fewer or more than the object's size, or do not have its checksum.
 */
export class DownloadStream extends Readable {
  readonly #download: Download;
  #body: Readable;
  #chunks: AsyncIterator<Buffer>;
  /** Ends a response that gives nothing any more. */
  #silence: StallWatchdog;
  #received = 0;

  constructor(download: Download) {
    super({ highWaterMark: AHEAD_BYTES });
    this.#download = download;
    this.#body = download.first;
    this.#chunks = chunksOf(download.first);
    this.#silence = this.#watch(download.first);
    const { watchdog } = download;
    const end = () => {
      this.destroy(abortedError(watchdog.signal));
    };
    watchdog.pause();
    if (watchdog.signal.aborted) end();
    else watchdog.signal.addEventListener("abort", end, { once: true });
  }

  override _read(): void {
    const { watchdog } = this.#download;
    watchdog.resume();
    this.#next().then(
      (chunk) => {
        watchdog.pause();
        this.push(chunk);
      },
      (error: unknown) => {
        this.destroy(toProviderError(error));
      },
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#download.watchdog.stop();
    this.#silence.stop();
    // What it says after its end concerns nobody.
    this.#body.on("error", () => undefined).destroy();
    done(error);
  }

  /** The next bytes, or null at a proper end. */
  async #next(): Promise<Buffer | null> {
    const { watchdog, retrySeconds } = this.#download;
    const chunk = await withRetries(
      async (attempt) => {
        if (attempt > 1) await this.#reopen();
        return this.#take();
      },
      { retrySeconds, signal: watchdog.signal },
    );
    if (chunk === null) this.#checkWhole();
    return chunk;
  }

  async #reopen(): Promise<void> {
    const { open, watchdog } = this.#download;
    this.#silence.stop();
    this.#body.on("error", () => undefined).destroy();
    this.#body = await open(this.#received, watchdog.signal);
    this.#chunks = chunksOf(this.#body);
    this.#silence = this.#watch(this.#body);
    if (!this.destroyed) return;
    this.#silence.stop();
    this.#body.on("error", () => undefined).destroy();
  }

  /** Lets a response end with `TRANSIENT` where it is its turn and it gives nothing: the rest is asked for again then. */
  #watch(body: Readable): StallWatchdog {
    const { name, stallSeconds } = this.#download;
    const silence = new StallWatchdog(`download of ${name}`, stallSeconds);
    silence.pause();
    silence.signal.addEventListener("abort", () => body.destroy(abortedError(silence.signal)), { once: true });
    return silence;
  }

  async #take(): Promise<Buffer | null> {
    const { name, size, broken, checksum } = this.#download;
    // An empty object has no offset to go on from.
    if (this.#received === size && size > 0) return null;
    this.#silence.resume();
    const next = await this.#chunks.next().catch((error: unknown) => {
      throw error instanceof ProviderError ? error : broken(error);
    });
    this.#silence.pause();
    if (next.done === true) {
      if (this.#received === size) return null;
      throw new ProviderError("TRANSIENT", `The download of ${name} ended after ${this.#received} of ${size} bytes.`, {
        fix: "Check the network between here and the store, and try again.",
      });
    }
    this.#received += next.value.length;
    checksum?.update(next.value);
    return next.value;
  }

  #checkWhole(): void {
    const { name, size, checksum } = this.#download;
    if (this.#received !== size) {
      throw new ProviderError("INTEGRITY", `The download of ${name} gave ${this.#received} bytes instead of ${size}.`, {
        fix: "Somebody may have replaced the object while it was read. Use another backup.",
      });
    }
    if (checksum?.matches() === false) {
      throw new ProviderError(
        "INTEGRITY",
        `What was read of ${name} does not have the checksum that the store reports.`,
        {
          fix: "Try again; if it stays so, the stored object is damaged: use another backup.",
        },
      );
    }
  }
}

function chunksOf(body: Readable): AsyncIterator<Buffer> {
  return (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
}
