import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";

/** The hashes of a stream's blocks, each on its own. The stream comes in pieces of any size. */
export class BlockHashes {
  /** Those of the blocks that have ended. */
  readonly ended: Buffer[] = [];
  readonly #algorithm: string;
  readonly #blockBytes: number;
  #block: Hash | undefined;
  #inBlock = 0;
  #size = 0;

  /** @param blockBytes bytes of every block but the last */
  constructor(algorithm: "md5" | "sha256", blockBytes: number) {
    this.#algorithm = algorithm;
    this.#blockBytes = blockBytes;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Buffer): void {
    this.#size += bytes.length;
    for (let start = 0; start < bytes.length;) {
      const piece = bytes.subarray(start, start + this.#blockBytes - this.#inBlock);
      this.#block ??= createHash(this.#algorithm);
      this.#block.update(piece);
      this.#inBlock += piece.length;
      start += piece.length;
      if (this.#inBlock === this.#blockBytes) this.end();
    }
  }

  /** Ends the last block, however long it is. Nothing can be added afterwards. */
  end(): void {
    if (this.#block !== undefined) this.ended.push(this.#block.digest());
    this.#block = undefined;
    this.#inBlock = 0;
  }
}
