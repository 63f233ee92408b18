import { Transform, type TransformCallback } from "node:stream";
import { ProviderError } from "../../providers/errors.ts";
import { STAGE } from "./meter.ts";

// The numbers of this file are those of the Zstandard format: RFC 8878, section 3.1.1.

/** The first four bytes of a frame. */
const MAGIC = 0xfd2fb528;
/** Bytes of the content's size in a header, by its flag. Of flag 0 there is one in a frame of a single segment. */
const CONTENT_SIZE = [0, 2, 4, 8] as const;
/** Bytes of the dictionary's id, by its flag. */
const DICTIONARY_ID = [0, 1, 2, 4] as const;
const CHECKSUM = 4;

/** What comes next in a frame. */
type Part = "magic" | "descriptor" | "block header" | "block" | "checksum" | "nothing";

/**
 * Passes the bytes of exactly one zstd frame on, which is what a compressor writes. `INTEGRITY` for anything before or behind
 * it: Node's decompressor leaves out a second frame or reads it, by how the bytes are cut, and `zstd -d` always reads it.
 */
export class OneFrame extends Transform {
  #part: Part = "magic";
  /** Bytes of the part that are still to come, and those of it that must be looked at. */
  #left = 4;
  #field: number[] = [];
  #hasChecksum = false;
  #isLast = false;

  constructor() {
    super(STAGE);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      this.#follow(chunk);
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback(null, chunk);
  }

  override _flush(callback: TransformCallback): void {
    const whole = this.#part === "nothing";
    callback(whole ? null : new ProviderError("INTEGRITY", "the compressed data is cut off"));
  }

  #follow(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#part === "nothing") throw new ProviderError("INTEGRITY", "there are bytes behind its zstd frame");
      const taken = Math.min(this.#left, chunk.length - at);
      if (this.#part !== "block" && this.#part !== "checksum") this.#field.push(...chunk.subarray(at, at + taken));
      at += taken;
      this.#left -= taken;
      if (this.#left === 0) this.#next();
    }
  }

  #next(): void {
    const field = Buffer.from(this.#field);
    this.#field = [];
    switch (this.#part) {
      case "magic":
        if (field.readUInt32LE() !== MAGIC) throw new ProviderError("INTEGRITY", "it does not begin with a zstd frame");
        this.#await("descriptor", 1);
        return;
      case "descriptor":
        // The first byte tells how many follow.
        if (field.length > 1) {
          this.#await("block header", 3);
          return;
        }
        this.#descriptor(field.readUInt8());
        return;
      case "block header":
        this.#block(field.readUIntLE(0, 3));
        return;
      case "block":
        if (!this.#isLast) this.#await("block header", 3);
        else this.#await(this.#hasChecksum ? "checksum" : "nothing", CHECKSUM);
        return;
      default:
        this.#await("nothing", 0);
    }
  }

  #descriptor(flags: number): void {
    this.#hasChecksum = (flags & 4) !== 0;
    const isSingle = (flags & 32) !== 0;
    const size = CONTENT_SIZE[(flags >> 6) as 0 | 1 | 2 | 3];
    // A single segment has no byte for its window.
    const rest = (size === 0 || !isSingle ? size + 1 : size) + DICTIONARY_ID[(flags & 3) as 0 | 1 | 2 | 3];
    this.#field = [flags];
    this.#await("descriptor", rest);
  }

  #block(header: number): void {
    this.#isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    this.#await("block", type === 1 ? 1 : size);
    // A raw block may be empty, as the last of an empty frame is.
    if (this.#left === 0) this.#next();
  }

  #await(part: Part, bytes: number): void {
    this.#part = part;
    this.#left = bytes;
  }
}
