import { createHash } from "node:crypto";
import { refuse } from "./refusal.ts";
import type { Json } from "./refusal.ts";

/** What is hashed at a time. */
export const BLOCK = 4 * 1024 * 1024;

/** The content hash as the service's documentation defines it. */
export class BlockHasher {
  #digests: Buffer[] = [];
  #pending: Buffer[] = [];
  #size = 0;

  update(piece: Buffer): void {
    let rest = piece;
    while (this.#size + rest.length >= BLOCK) {
      const cut = BLOCK - this.#size;
      this.#pending.push(rest.subarray(0, cut));
      this.#endBlock();
      rest = rest.subarray(cut);
    }
    if (rest.length > 0) this.#pending.push(rest);
    this.#size += rest.length;
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
    if (this.#pending.length === 0) return;
    const hash = createHash("sha256");
    for (const part of this.#pending) hash.update(part);
    this.#digests.push(hash.digest());
    this.#pending = [];
    this.#size = 0;
  }
}

/** Compares what a request carries with the hash that it gives, if it gives one. */
export function checkHash(args: Json, data: readonly Buffer[]): BlockHasher | undefined {
  if (args.content_hash === undefined) return undefined;
  const hasher = hasherOf(data);
  if (args.content_hash !== hasher.digest()) throw refuse("content_hash_mismatch");
  return hasher;
}

export function sizeOf(data: readonly Buffer[]): number {
  return data.reduce((sum, piece) => sum + piece.length, 0);
}

export function hasherOf(data: readonly Buffer[]): BlockHasher {
  const hasher = new BlockHasher();
  for (const piece of data) hasher.update(piece);
  return hasher;
}

export function hashOf(data: readonly Buffer[]): string {
  return hasherOf(data).digest();
}
