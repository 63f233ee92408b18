/**
 * How long a commit that is under way may go on once its upload was given up, and what begins an upload in parts. Ending it at
 * once would leave open whether there is a file, or an upload to be ended. Less than the time that the watchdog gives for
 * tidying up.
 */
export const GRACE_MS = 2_000;

/** Aborted a while after another signal. */
export class Grace {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #begin = (): void => {
    this.#timer = setTimeout(() => {
      this.#controller.abort(this.#outer?.reason);
    }, GRACE_MS);
  };

  /** @param outer whose abort begins the grace */
  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    if (outer?.aborted === true) this.#begin();
    else outer?.addEventListener("abort", this.#begin, { once: true });
  }

  /** For the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The request is over. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#begin);
  }
}
