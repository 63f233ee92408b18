import { toProviderError } from "../errors.ts";
import type { Chunk } from "./chunker.ts";
import type { StallWatchdog } from "./watchdog.ts";

/** Parts of an upload that are sent at the same time. The first that fails ends the transfer, and so the others. */
export class PartsUnderWay {
  readonly #watchdog: StallWatchdog;
  readonly #parts = new Set<Promise<void>>();

  constructor(watchdog: StallWatchdog) {
    this.#watchdog = watchdog;
  }

  /** Begins to send a chunk, whose bytes stay valid until the work is done. */
  begin(chunk: Chunk, work: () => Promise<void>): void {
    const release = chunk.keep();
    const part: Promise<void> = work()
      .catch((error: unknown) => {
        this.#watchdog.end(toProviderError(error));
      })
      .finally(() => {
        release();
        this.#parts.delete(part);
      });
    this.#parts.add(part);
  }

  /** Waits until none is under way any more, sent or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#parts);
  }
}
