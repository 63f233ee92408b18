import { abortedError, toProviderError } from "../errors.ts";
import type { Chunk } from "./chunker.ts";

/**
 * Parts of an upload that are sent at the same time. The first that fails ends the others, and the chunks, whose signal it
 * is to be.
 */
export class PartsUnderWay {
  /** Aborted with the error of the part that failed, or when the upload must end. */
  readonly signal: AbortSignal;
  readonly #failed = new AbortController();
  readonly #parts = new Set<Promise<void>>();

  /** @param outer ends all of them */
  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#failed.signal]);
  }

  /** Begins to send a chunk, whose bytes stay valid until the work is done. */
  begin(chunk: Chunk, work: () => Promise<void>): void {
    const release = chunk.keep();
    const part: Promise<void> = work()
      .catch((error: unknown) => {
        this.end(error);
      })
      .finally(() => {
        release();
        this.#parts.delete(part);
      });
    this.#parts.add(part);
  }

  /** Ends those that are under way, with an error. */
  end(error: unknown): void {
    this.#failed.abort(toProviderError(error));
  }

  /** Waits until none is under way any more, sent or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#parts);
  }

  /** Throws if one of them has failed, or the upload must end. */
  check(): void {
    if (this.signal.aborted) throw abortedError(this.signal);
  }
}
