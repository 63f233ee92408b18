import { abortedError, ProviderError } from "../errors.ts";
import { StallWatchdog } from "../transfer/watchdog.ts";

/** Seconds without a byte after which one request is given up. The services answer most within a second. */
const STALL_SECONDS = 60;

/**
 * The same for a request that makes a large object visible: services are silent for minutes while they put one together.
 * Less than the default of `retrySeconds`, so that there is another try.
 */
const COMMIT_STALL_SECONDS = 240;

/** What the work of one request is given. */
export interface Call {
  /** Ends the request. */
  readonly signal: AbortSignal;
  /** A byte has moved. */
  readonly moved: () => void;
}

/** A request that is watched. */
export interface Watched {
  /** What it is, as the subject of a message: `request to upload a/b`. */
  readonly request: string;
  /** Seconds without a byte after which it is given up; see {@link stallSeconds}. */
  readonly stallSeconds: number;
  /** Ends it, too. */
  readonly signal: AbortSignal | undefined;
  /** Called for each byte that moves. */
  readonly moved?: (() => void) | undefined;
}

/**
 * How long one request may be silent, in seconds: 60, or 240 where it makes a large object visible. No more than half of what
 * the whole transfer may be (`stallTimeoutSeconds`): one dead connection must leave time for another.
 */
export function stallSeconds(stallTimeoutSeconds: number, what: "request" | "commit" = "request"): number {
  return Math.min(what === "commit" ? COMMIT_STALL_SECONDS : STALL_SECONDS, stallTimeoutSeconds / 2);
}

/**
 * The one way in which a single request is watched: where no byte moves for too long, as on a dead connection, it ends with
 * `TRANSIENT`, and is worth another try.
 *
 * @param work moves the bytes. What it returns, such as a download's stream, may outlive it, and is ended by the signal
 * @throws ProviderError the signal's reason where it was aborted; else what the work throws
 */
export async function watchedRequest<Result>(
  { request, stallSeconds: seconds, signal: outer, moved }: Watched,
  work: (call: Call) => Promise<Result>,
): Promise<Result> {
  const watchdog = new StallWatchdog(request, seconds, outer);
  const call: Call = {
    // The caller's own, too: the watch ends before what the work gives, such as the bytes of a download.
    signal: outer === undefined ? watchdog.signal : AbortSignal.any([watchdog.signal, outer]),
    moved: () => {
      watchdog.moved();
      moved?.();
    },
  };
  try {
    watchdog.check();
    return await work(call);
  } catch (error) {
    if (error instanceof ProviderError || !watchdog.signal.aborted) throw error;
    throw abortedError(watchdog.signal);
  } finally {
    watchdog.stop();
  }
}
