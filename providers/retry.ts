import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { abortedError, ProviderError } from "./errors.ts";

/**
 * How often one request is made at most. With {@link BASE_MS} and {@link MAX_WAIT_MS} the nine waits between the tries are
 * 52 s together on average, 104 s at most: longer than a restart or a failover of a service.
 */
const TRIES = 10;

/** Milliseconds of the first wait at most; it doubles with each try. */
const BASE_MS = 250;

/** Milliseconds of any wait at most that the service did not ask for. */
const MAX_WAIT_MS = 40_000;

/** The configuration field of every provider that reaches its service over a network. */
export const retryFields = {
  retrySeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(300)
    .describe(
      "Seconds for which one request that fails for a passing reason (a lost connection, a fault of the service, too many " +
        "requests) is tried again before the transfer is given up. Default 300. 0: never.",
    )
    .meta({ examples: [60] }),
};

/** Options of {@link withRetries}. */
export interface RetryOptions {
  /** Seconds after which no further try begins; see {@link retryFields}. */
  readonly retrySeconds: number;
  /** Ends the waiting. The work has to listen to it by itself. */
  readonly signal?: AbortSignal | undefined;
  /** Called before each try but the first. */
  readonly retried?: (() => void) | undefined;
}

/**
 * The one way in which providers try again: the result of the work, after as many tries as it takes.
 *
 * The code of the work's error decides: `TRANSIENT` and `RATE_LIMITED` are tried again, anything else is thrown as it is.
 * Waits grow exponentially with full jitter, so that many runs that failed together do not come back together; where the
 * service asked for a time (`retryAfterMs`), that time is waited in full, and up to {@link BASE_MS} more. A wait that would go
 * beyond the budget is not begun: then the last error is thrown at once.
 *
 * @param work is given the number of the try, from 1; what it does must be harmless to do twice
 * @throws ProviderError `ABORTED`, or the signal's own reason, when the signal is aborted between two tries
 */
export async function withRetries<T>(
  work: (attempt: number) => Promise<T>,
  { retrySeconds, signal, retried }: RetryOptions,
): Promise<T> {
  const endMs = performance.now() + retrySeconds * 1000;
  for (let attempt = 1; ; attempt += 1) {
    if (signal?.aborted === true) throw abortedError(signal);
    try {
      return await work(attempt);
    } catch (error) {
      const waitMs = waitBefore(error, attempt);
      if (waitMs === undefined || attempt === TRIES || performance.now() + waitMs > endMs) throw error;
      // An abort ends the wait, and is thrown above.
      await sleep(waitMs, undefined, { ...(signal !== undefined && { signal }) }).catch(() => undefined);
      retried?.();
    }
  }
}

/** Milliseconds to wait after the failure of a try; undefined where another try is of no use. */
function waitBefore(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof ProviderError) || !(error.code === "TRANSIENT" || error.code === "RATE_LIMITED")) {
    return undefined;
  }
  if (error.retryAfterMs !== undefined) return error.retryAfterMs + Math.random() * BASE_MS;
  return Math.random() * Math.min(MAX_WAIT_MS, BASE_MS * 2 ** (attempt - 1));
}
