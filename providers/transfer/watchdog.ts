import { abortedError, ProviderError } from "../errors.ts";

/** Milliseconds that a transfer may take to tidy up: the grace of its commit, and then finding out what became of it. */
const TIDY_MS = 6_000;

/**
 * Ends a transfer in which no byte has moved for too long, a part has failed, or whose caller has given up.
 *
 * Its `signal` goes to whatever moves the bytes; `moved` is called for each of them, and `stop` in any case at the end. `moved`
 * only resets a timer and may be called for each piece.
 */
export class StallWatchdog {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #onOuterAbort: () => void;
  #paused = false;

  /**
   * @param transfer what is watched, as the subject of a message: `upload of a/b`
   * @param stallTimeoutSeconds seconds without a byte after which the transfer fails with `TRANSIENT`
   * @param outer the caller's own signal; its reason is kept if it is a `ProviderError`, else it becomes `ABORTED`
   */
  constructor(transfer: string, stallTimeoutSeconds: number, outer?: AbortSignal) {
    this.#timer = setTimeout(() => {
      if (this.#paused) return;
      const problem = `The ${transfer} stalled: no byte has moved for ${stallTimeoutSeconds} s.`;
      const fix =
        "Check that the database, the store and the network between them work. If such a silence is normal here, raise " +
        "stallTimeoutSeconds of the destination.";
      this.end(new ProviderError("TRANSIENT", problem, { fix }));
    }, stallTimeoutSeconds * 1000);
    this.#outer = outer;
    this.#onOuterAbort = () => {
      if (outer !== undefined) this.end(abortedError(outer));
    };
    if (outer?.aborted === true) this.#onOuterAbort();
    else outer?.addEventListener("abort", this.#onOuterAbort, { once: true });
  }

  /** Aborted, with a `ProviderError` as its reason, when the transfer must end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A byte has moved. Bound: it may be passed on as a function. */
  readonly moved = (): void => {
    this.#timer.refresh();
  };

  /** The other side's turn, for instance the reader's of a download: silence is not a stall. */
  pause(): void {
    this.#paused = true;
    this.#timer.unref();
  }

  /** The transfer's turn again. */
  resume(): void {
    this.#paused = false;
    this.#timer.ref();
    this.#timer.refresh();
  }

  /** Throws if the transfer must end. */
  check(): void {
    if (this.signal.aborted) throw abortedError(this.signal);
  }

  /**
   * The result of the work. Work that has not ended {@link TIDY_MS} after its transfer, because a system call hangs in a dead
   * network file system, is left behind.
   */
  async settle<T>(work: Promise<T>): Promise<T> {
    let patience: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      onAbort = () => {
        patience = setTimeout(() => {
          reject(abortedError(this.signal));
        }, TIDY_MS);
      };
      this.signal.addEventListener("abort", onAbort, { once: true });
      if (this.signal.aborted) onAbort();
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(patience);
      if (onAbort !== undefined) this.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends the watch, not the transfer. May be called more than once. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  /** Ends the transfer with an error, unless it has ended. */
  end(reason: ProviderError): void {
    this.stop();
    this.#controller.abort(reason);
  }
}
