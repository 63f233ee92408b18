/** Bytes that the budget has for each of the files that are copied at the same time. */
const FOR_EACH = 16 * 1024 * 1024;

/** Bytes that a file takes beside what its uploads hold: what is read, compressed and encrypted. */
const OF_SOURCE = 8 * 1024 * 1024;

/** Bytes that wait before each upload; see `FanOut`. */
const OF_BRANCH = 4 * 1024 * 1024;

/** What a file is to be uploaded to. */
interface Store {
  readonly heldBytes?: number;
}

/**
 * Memory of the files that are copied at the same time. Small files are copied as many at a time as the job says; large ones, of
 * which each destination holds some megabytes, only as many as have room. One alone always has.
 */
export class MemoryBudget {
  #free: number;
  readonly #all: number;
  /** Files that wait, the first one first. */
  readonly #waiting: { readonly bytes: number; readonly begin: () => void }[] = [];

  /** @param parallel files at the same time */
  constructor(parallel: number) {
    this.#all = parallel * FOR_EACH;
    this.#free = this.#all;
  }

  /** Runs the copying of a file of a size, when there is room for it. */
  async use<Result>(size: number, stores: readonly Store[], copy: () => Promise<Result>): Promise<Result> {
    const bytes = Math.min(costOf(size, stores), this.#all);
    if (this.#waiting.length > 0 || bytes > this.#free) {
      await new Promise<void>((begin) => this.#waiting.push({ bytes, begin }));
    } else this.#free -= bytes;
    try {
      return await copy();
    } finally {
      this.#free += bytes;
      this.#beginOthers();
    }
  }

  #beginOthers(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      next.begin();
    }
  }
}

function costOf(size: number, stores: readonly Store[]): number {
  const held = stores.map(({ heldBytes = 0 }) => Math.min(size, heldBytes + OF_BRANCH));
  return Math.min(size, OF_SOURCE) + held.reduce((sum, bytes) => sum + bytes, 0);
}
