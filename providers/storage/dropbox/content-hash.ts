import { createHash, hash } from "node:crypto";
import type { Hash } from "node:crypto";

/** Dropbox hashes blocks of this size (https://www.dropbox.com/developers/reference/content-hash). */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/** The SHA-256 of each block of some bytes, one after the other. */
export function blockHashes(bytes: Buffer): Buffer {
  const hashes: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    hashes.push(hash("sha256", bytes.subarray(start, start + BLOCK_BYTES), "buffer"));
  }
  return Buffer.concat(hashes);
}

/** Dropbox's content hash of bytes whose {@link blockHashes} are given. */
export function contentHash(blocks: Buffer): string {
  return hash("sha256", blocks, "hex");
}

/** Dropbox's content hash of bytes that come in pieces of any size. */
export class ContentHasher {
  readonly #whole = createHash("sha256");
  #block: Hash | undefined;
  #inBlock = 0;

  update(bytes: Buffer): void {
    for (let start = 0; start < bytes.length;) {
      const piece = bytes.subarray(start, start + BLOCK_BYTES - this.#inBlock);
      this.#block ??= createHash("sha256");
      this.#block.update(piece);
      this.#inBlock += piece.length;
      start += piece.length;
      if (this.#inBlock === BLOCK_BYTES) this.#endBlock();
    }
  }

  /** The hash, in hexadecimal. Nothing can be added afterwards. */
  digest(): string {
    this.#endBlock();
    return this.#whole.digest("hex");
  }

  #endBlock(): void {
    if (this.#block !== undefined) this.#whole.update(this.#block.digest());
    this.#block = undefined;
    this.#inBlock = 0;
  }
}
