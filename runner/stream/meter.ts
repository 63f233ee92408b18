import { createHash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { crc32 } from "node:zlib";
import { streamed } from "./garbage.ts";

/** What is computed over bytes: a SHA-256, or a CRC-32, which finds accidents alone and takes a third of the processor time. */
export type SumKind = "sha256" | "crc32";

/** How many bytes passed, and their sum in hexadecimal: 64 digits of a SHA-256, or 8 of a CRC-32. */
export type Measure<Kind extends SumKind = SumKind> = {
  readonly sha256: { readonly size: number; readonly sha256: string };
  readonly crc32: { readonly size: number; readonly crc32: string };
}[Kind];

/** A sum over bytes that come one after the other. */
interface Sum<Kind extends SumKind> {
  update(bytes: Uint8Array): void;
  /** To be called once, with how many bytes there were. */
  measure(size: number): Measure<Kind>;
}

const SUMS: { readonly [Kind in SumKind]: () => Sum<Kind> } = {
  sha256: () => {
    const hash = createHash("sha256");
    return {
      update: (bytes) => {
        hash.update(bytes);
      },
      measure: (size) => ({ size, sha256: hash.digest("hex") }),
    };
  },
  crc32: () => {
    let sum = 0;
    return {
      update: (bytes) => {
        sum = crc32(bytes, sum);
      },
      measure: (size) => ({ size, crc32: sum.toString(16).padStart(8, "0") }),
    };
  },
};

/**
 * What a stage of a pipeline may hold, in bytes. Short queues let buffers die young: with 512 KiB each, verifying took a
 * third more processor time.
 */
export const STAGE = { readableHighWaterMark: 128 * 1024, writableHighWaterMark: 128 * 1024 };

/** Counts bytes as they are handed to it, and sums them up. */
export class ByteMeter<Kind extends SumKind> {
  #size = 0;
  readonly #sum: Sum<Kind>;

  /** @param kind which sum its result has. */
  constructor(kind: Kind) {
    this.#sum = SUMS[kind]();
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#size += bytes.length;
    this.#sum.update(bytes);
    streamed(bytes.length);
  }

  /** The result. May be called once. */
  finish(): Measure<Kind> {
    return this.#sum.measure(this.#size);
  }
}

/**
 * Passes bytes on unchanged, but keeps the last of them back until `done` has taken their sum; an error that `done` throws is its own.
 * A reader that needs the last byte, as pg_restore does before it commits an archive, thus never gets all of what turns out damaged.
 * Where more bytes come than there should be, `done` gets what has come so far, and nothing more is read.
 */
export class MeterStream<Kind extends SumKind> extends Transform {
  readonly #meter: ByteMeter<Kind>;
  readonly #done: (measure: Measure<Kind>) => void;
  readonly #progress: ((bytes: number) => void) | undefined;
  readonly #expected: number;
  #last: Buffer | undefined;

  /**
   * @param kind which sum the measure has.
   * @param done must throw where the bytes are not what they should be.
   * @param expected bytes that there should be; any number by default.
   * @param progress called with the bytes so far, once a piece.
   */
  constructor(
    kind: Kind,
    done: (measure: Measure<Kind>) => void,
    expected = Infinity,
    progress?: (bytes: number) => void,
  ) {
    super(STAGE);
    this.#meter = new ByteMeter(kind);
    this.#expected = expected;
    this.#done = done;
    this.#progress = progress;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const previous = this.#last;
    this.#last = chunk;
    this.#meter.update(chunk);
    this.#progress?.(this.#meter.size);
    if (this.#meter.size > this.#expected) this.#finish(callback);
    else callback(null, previous);
  }

  override _flush(callback: TransformCallback): void {
    this.#finish(callback);
  }

  #finish(callback: TransformCallback): void {
    try {
      this.#done(this.#meter.finish());
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback(null, this.#last);
  }
}
