import { createHash, hash } from "node:crypto";
import type { Hash } from "node:crypto";

/** Dropbox hashes blocks of this size (https://www.dropbox.com/developers/reference/content-hash). */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/** Dropbox's content hash of bytes that come in pieces of any size. */
export class ContentHasher {
  /** The hashes of the blocks that have ended. */
  readonly #blocks: Buffer[] = [];
  #block: Hash | undefined;
  #inBlock = 0;
  #size = 0;

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Buffer): void {
    this.#size += bytes.length;
    for (let start = 0; start < bytes.length;) {
      const piece = bytes.subarray(start, start + BLOCK_BYTES - this.#inBlock);
      this.#block ??= createHash("sha256");
      this.#block.update(piece);
      this.#inBlock += piece.length;
      start += piece.length;
      if (this.#inBlock === BLOCK_BYTES) this.#endBlock();
    }
  }

  /**
   * The hash of all bytes, or of a part of them, in hexadecimal.
   *
   * @param start the border of a block
   * @param end the border of a block, or the end of all bytes: nothing can be added afterwards
   */
  digest(start = 0, end = this.#size): string {
    if (end % BLOCK_BYTES !== 0) this.#endBlock();
    const blocks = this.#blocks.slice(start / BLOCK_BYTES, Math.ceil(end / BLOCK_BYTES));
    return hash("sha256", Buffer.concat(blocks), "hex");
  }

  #endBlock(): void {
    if (this.#block !== undefined) this.#blocks.push(this.#block.digest());
    this.#block = undefined;
    this.#inBlock = 0;
  }
}
