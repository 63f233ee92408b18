import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";

/** What is hashed at a time. */
export const BLOCK = 4 * 1024 * 1024;

/** The content hash as the service's documentation defines it. */
export class BlockHasher {
  readonly #digests: Buffer[] = [];
  #block: Hash | undefined;
  #size = 0;

  update(piece: Buffer): void {
    for (let rest = piece; rest.length > 0;) {
      const part = rest.subarray(0, BLOCK - this.#size);
      this.#block ??= createHash("sha256");
      this.#block.update(part);
      this.#size += part.length;
      if (this.#size === BLOCK) this.#endBlock();
      rest = rest.subarray(part.length);
    }
  }

  /** Goes on with bytes that have been hashed, where this one's end with a block. */
  join(other: BlockHasher): void {
    other.#endBlock();
    this.#digests.push(...other.#digests);
  }

  digest(): string {
    this.#endBlock();
    return createHash("sha256").update(Buffer.concat(this.#digests)).digest("hex");
  }

  #endBlock(): void {
    if (this.#block !== undefined) this.#digests.push(this.#block.digest());
    this.#block = undefined;
    this.#size = 0;
  }
}

export function hashOf(data: readonly Buffer[]): string {
  const hasher = new BlockHasher();
  for (const piece of data) hasher.update(piece);
  return hasher.digest();
}
