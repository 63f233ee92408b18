import { createHash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { ProviderError } from "../../providers/errors.ts";
import { STAGE } from "./meter.ts";

/** Bytes of a piece at least, and of its sum. */
const PIECE = 256 * 1024;
const SUM = 32;

/**
 * The SHA-256 of each piece of an object. The first reading takes them; each later one passes a piece on only where it is the same as
 * it was then: what is read twice may have been changed in between. A piece and all sums take the same memory where an object is
 * large: 2 MiB each for 128 GiB, 6 MiB for 1 TiB.
 */
export class PieceSums {
  readonly #piece: number;
  readonly #sums: Buffer;
  #taken = false;

  /** @param bytes of the object. */
  constructor(bytes: number) {
    this.#piece = Math.max(PIECE, Math.ceil(Math.sqrt(SUM * bytes)));
    this.#sums = Buffer.alloc(SUM * Math.ceil(bytes / this.#piece));
  }

  /** The stage of a reading. `INTEGRITY` where a piece is another than in the first reading; nothing of that piece is passed on. */
  stage(): Transform {
    return new Pieces(this.#piece, (index, sum) => {
      const known = this.#sums.subarray(SUM * index, SUM * (index + 1));
      if (!this.#taken) sum.copy(known);
      else if (!sum.equals(known)) throw new ProviderError("INTEGRITY", "it changed between two readings");
    }).once("end", () => (this.#taken = true));
  }
}

/** Holds each piece back until `prove` has not thrown for its place and sum. */
class Pieces extends Transform {
  readonly #size: number;
  readonly #prove: (index: number, sum: Buffer) => void;
  #hash = createHash("sha256");
  #held: Buffer[] = [];
  #left: number;
  #index = 0;

  constructor(size: number, prove: (index: number, sum: Buffer) => void) {
    super(STAGE);
    this.#size = size;
    this.#left = size;
    this.#prove = prove;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#settle(callback, () => {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        this.#hash.update(part);
        this.#held.push(part);
        if (this.#left === 0) this.#pass();
      }
    });
  }

  override _flush(callback: TransformCallback): void {
    this.#settle(callback, () => {
      if (this.#held.length > 0) this.#pass();
    });
  }

  #settle(callback: TransformCallback, step: () => void): void {
    try {
      step();
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback();
  }

  #pass(): void {
    this.#prove(this.#index, this.#hash.digest());
    for (const part of this.#held) this.push(part);
    this.#held = [];
    this.#hash = createHash("sha256");
    this.#left = this.#size;
    this.#index += 1;
  }
}
