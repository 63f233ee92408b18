import type { Manifest } from "./documents/manifest.ts";

/** What hears how far something is: the bytes so far, and how many there are in the end. */
export type OnProgress = (bytes: number, total: number) => void;

/** Adds up what is read of a backup's objects, several of them at the same time and some of them twice. */
export class Tally {
  #bytes = 0;
  #total: number;
  readonly #progress: OnProgress | undefined;

  constructor(total: number, progress: OnProgress | undefined) {
    this.#total = total;
    this.#progress = progress;
  }

  /**
   * Counts an object: what this returns is called with its bytes so far, which begin with few again where it is read again.
   *
   * @param weight how many bytes of the total each of its bytes is. Default: one.
   */
  object(weight = 1): (bytes: number) => void {
    let before = 0;
    return (bytes) => {
      const now = bytes * weight;
      this.#bytes += now - before;
      before = now;
      this.#progress?.(Math.round(this.#bytes), this.#total);
    };
  }

  /** Takes something out of the total that need not be read. */
  skip(bytes: number): void {
    this.#total -= bytes;
  }
}

/** Bytes to read of a backup: of its objects as they are stored, and of its files what they had when they were copied. */
export function bytesToRead({ objects, files }: Manifest): number {
  const stored = objects.reduce((sum, object) => sum + object.stored.size, 0);
  return (files?.buckets ?? []).reduce((sum, bucket) => sum + bucket.bytes, stored);
}

/** How many bytes of a file one stored byte of its content is, for {@link Tally.object}. */
export function weightOf({ stored, plain }: { readonly stored: Sized; readonly plain: Sized }): number {
  return stored.size === 0 ? 0 : plain.size / stored.size;
}

interface Sized {
  readonly size: number;
}
