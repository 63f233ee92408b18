import { createHash } from "node:crypto";

import { Transform, type TransformCallback } from "node:stream";
import { streamed } from "./young-garbage.ts";

/** How many bytes passed, and their SHA-256 in hexadecimal. */
export interface Measure {
  readonly size: number;
  readonly sha256: string;
}

/**
 * What a stage of a pipeline may hold, in bytes. Short queues let buffers die young: with 512 KiB each, verifying took a
 * third more processor time.
 */
export const STAGE = { readableHighWaterMark: 128 * 1024, writableHighWaterMark: 128 * 1024 };

/** Counts and hashes bytes as they are handed to it. */
export class ByteMeter {
  #size = 0;
  readonly #hash = createHash("sha256");

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#size += bytes.length;
    this.#hash.update(bytes);
    streamed(bytes.length);
  }

  /** The result. May be called once. */
  finish(): Measure {
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }
}

/**
 * Passes bytes on unchanged and hands what it measured to `done` before its end; an error that `done` throws is its own. Where
 * more bytes come than there should be, `done` gets what has come so far, and nothing more is read.
 */
export class MeterStream extends Transform {
  readonly #meter = new ByteMeter();
  readonly #done: (measure: Measure) => void;
  readonly #progress: ((bytes: number) => void) | undefined;

  readonly #expected: number;

  /**
   * @param done must throw where the bytes are not what they should be.
   * @param progress called with the bytes so far, once a piece.
   * @param expected bytes that there should be; any number by default.
   */
  constructor(done: (measure: Measure) => void, progress?: (bytes: number) => void, expected = Infinity) {
    super(STAGE);
    this.#expected = expected;
    this.#done = done;
    this.#progress = progress;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#meter.update(chunk);
    this.#progress?.(this.#meter.size);
    if (this.#meter.size > this.#expected) this.#finish(callback);
    else callback(null, chunk);
  }

  override _flush(callback: TransformCallback): void {
    this.#finish(callback);
  }

  #finish(callback: TransformCallback): void {
    try {
      this.#done(this.#meter.finish());
      callback();
    } catch (error) {
      callback(error as Error);
    }
  }
}
