import { Writable } from "node:stream";
import type { Readable } from "node:stream";
import { toProviderError } from "../errors.ts";
import type { ProviderError } from "../errors.ts";
import { pump } from "./pump.ts";

/**
 * Bytes that wait between the source and the buffers: three pieces of a file, or of what the runner compresses. Small beside a
 * chunk. With two, uploads of 3 GB to Dropbox took between 3.7 and 4.3 s, with three between 3.8 and 4.0 s.
 */
const WAITING_BYTES = 3 * 256 * 1024;

/** A part of a stream. Its bytes are valid until the next chunk is asked for, unless it is kept: the buffer is used again. */
export interface Chunk {
  readonly bytes: Buffer;
  /** Where the first byte stands in the stream. */
  readonly offset: number;
  /** Nothing comes after it. */
  readonly last: boolean;
  /** Keeps the bytes valid until the function that it returns is called: for those who send several chunks at once. */
  keep(): () => void;
}

/** Options of {@link chunksOf}. */
export interface ChunkerOptions {
  /** Bytes of every chunk but the last: one number, or one for each offset at which a chunk begins. */
  readonly size: number | ((offset: number) => number);
  /** How many buffers there may be, for chunks of a size: at least two, the default. */
  readonly buffers?: (size: number) => number;
  /** Ends the chunks with its reason. */
  readonly signal: AbortSignal;
  /**
   * Called with each piece that the source gives, in order. A provider that hashes the bytes does it here: the pieces of one chunk
   * come while the chunk before is on its way.
   */
  readonly moved?: (piece: Buffer) => void;
}

/**
 * A stream of unknown length in chunks of a given size. The last one may be shorter; a source without a byte gives one
 * empty chunk, which is the last.
 *
 * There is one chunk of look-ahead: while a chunk is in use, the next is filled, and a chunk is only given once it is known
 * whether more comes after it. A fixed number of buffers holds all of it, whatever the length.
 *
 * Fails when the source fails, or is destroyed without an error, or the signal is aborted. The source is destroyed then,
 * and also where the chunks are not asked for to their end.
 */
export async function* chunksOf(source: Readable, options: ChunkerOptions): AsyncGenerator<Chunk, void, void> {
  const buffers = new Buffers(options);
  const pumped = pump(source, buffers, options.signal).catch((error: unknown) => {
    buffers.fail(toProviderError(error));
  });
  try {
    for (let offset = 0, last = false; !last;) {
      const part = await buffers.take();
      if (part.last) {
        // The end has come, but only a source that also closes without an error was whole.
        await pumped;
        buffers.check();
      }
      last = part.last;
      let kept = false;
      const giveBack = () => {
        buffers.giveBack(part.buffer);
      };
      const keep = () => {
        kept = true;
        return giveBack;
      };
      yield { bytes: part.buffer.subarray(0, part.length), offset, last, keep };
      offset += part.length;
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the consumer may have kept it
      if (!kept) giveBack();
    }
  } finally {
    buffers.destroy();
    source.destroy();
  }
}

/** A buffer, and how much of it is filled. */
interface Part {
  readonly buffer: Buffer;
  readonly length: number;
  readonly last: boolean;
}

/** Fills one buffer while the others wait or are in use. */
class Buffers extends Writable {
  readonly #size: (offset: number) => number;
  readonly #most: (size: number) => number;
  readonly #moved: ((piece: Buffer) => void) | undefined;
  readonly #ready: Part[] = [];
  /** Where the buffer that is being filled begins, and its size. */
  #offset = 0;
  #room: number;
  #filling: Buffer;
  #filled = 0;
  /** Buffers that are being filled, wait or are in use. */
  #used = 1;
  /** Buffers to be filled again. There are none at first: most objects are small. */
  #spares: Buffer[] = [];
  #failure: ProviderError | undefined;
  #onReady: (() => void) | undefined;
  #onSpare: (() => void) | undefined;

  constructor({ size, buffers = () => 2, moved }: ChunkerOptions) {
    const sizeAt = typeof size === "number" ? () => size : size;
    const room = sizeAt(0);
    super({ highWaterMark: Math.min(room, WAITING_BYTES) });
    this.#size = sizeAt;
    this.#most = buffers;
    this.#moved = moved;
    this.#room = room;
    this.#filling = Buffer.allocUnsafeSlow(room);
  }

  /** The next part, when there is one. */
  async take(): Promise<Part> {
    for (;;) {
      this.check();
      const part = this.#ready.shift();
      if (part !== undefined) return part;
      await new Promise<void>((resolve) => (this.#onReady = resolve));
    }
  }

  /** Lets a part's buffer be filled again. */
  giveBack(buffer: Buffer): void {
    this.#spares.push(buffer);
    this.#used -= 1;
    const goOn = this.#onSpare;
    this.#onSpare = undefined;
    goOn?.();
  }

  /** No more parts: there is an error. */
  fail(error: ProviderError): void {
    this.#failure = error;
    this.#onReady?.();
  }

  /** Throws the error if there is one. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // Not at once: the source is to begin with what comes next, on another thread, before this one is busy with the hash.
    setImmediate(() => {
      this.#moved?.(piece);
      this.#append(piece, 0, done);
    });
  }

  override _final(done: () => void): void {
    this.#give({ buffer: this.#filling, length: this.#filled, last: true });
    done();
  }

  #append(piece: Buffer, start: number, done: () => void): void {
    for (let at = start; at < piece.length;) {
      // Only now that there is a byte more, a full buffer is known not to be the last.
      if (this.#filled === this.#room && !this.#swap()) {
        this.#onSpare = () => {
          this.#append(piece, at, done);
        };
        return;
      }
      const copied = piece.copy(this.#filling, this.#filled, at, at + this.#room - this.#filled);
      this.#filled += copied;
      at += copied;
    }
    done();
  }

  /** Goes on with another buffer, unless all of them wait or are in use. */
  #swap(): boolean {
    const offset = this.#offset + this.#room;
    const room = this.#size(offset);
    if (this.#used >= this.#most(room)) return false;
    const full = this.#filling;
    const length = this.#filled;
    this.#filling = this.#buffer(room);
    this.#filled = 0;
    this.#used += 1;
    this.#offset = offset;
    this.#room = room;
    this.#give({ buffer: full, length, last: false });
    return true;
  }

  /** A buffer that holds so much. Those that are too small, of chunks that were smaller, are dropped. */
  #buffer(room: number): Buffer {
    this.#spares = this.#spares.filter((spare) => spare.length >= room);
    return this.#spares.pop() ?? Buffer.allocUnsafeSlow(room);
  }

  #give(part: Part): void {
    this.#ready.push(part);
    this.#onReady?.();
  }
}
