import { hash } from "node:crypto";
import { BlockHashes } from "../../transfer/block-hashes.ts";

/** Dropbox hashes blocks of this size (https://www.dropbox.com/developers/reference/content-hash). */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/** Dropbox's content hash of bytes that come in pieces of any size. */
export class ContentHasher {
  readonly #blocks = new BlockHashes("sha256", BLOCK_BYTES);

  /** Bytes so far. */
  get size(): number {
    return this.#blocks.size;
  }

  update(bytes: Buffer): void {
    this.#blocks.update(bytes);
  }

  /**
   * The hash of all bytes, or of a part of them, in hexadecimal.
   *
   * @param start the border of a block
   * @param end the border of a block, or the end of all bytes: nothing can be added afterwards
   */
  digest(start = 0, end = this.size): string {
    if (end % BLOCK_BYTES !== 0) this.#blocks.end();
    const blocks = this.#blocks.ended.slice(start / BLOCK_BYTES, Math.ceil(end / BLOCK_BYTES));
    return hash("sha256", Buffer.concat(blocks), "hex");
  }
}
