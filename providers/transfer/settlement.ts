import { abortedError, ProviderError, toProviderError } from "../errors.ts";
import { withRetries } from "../retry.ts";
import { Grace } from "./grace.ts";

/** Something that a request makes visible. */
export interface Deed<Made> {
  /** What it is, for messages: `a/object`. */
  readonly name: string;
  /** The caller's own: whoever gives up shall find nothing. */
  readonly signal: AbortSignal | undefined;
  /** What the service has of it, if it is there and is ours. */
  readonly find: (signal: AbortSignal) => Promise<Made | undefined>;
  /** Removes what was found. */
  readonly remove: (made: Made, signal: AbortSignal) => Promise<void>;
}

/** One try of a deed. */
export interface Try {
  /** From 1. */
  readonly attempt: number;
  /** Ends it, a short grace after the caller has given up: until then it may still succeed. */
  readonly signal: AbortSignal;
  /** A try before may have been done. */
  readonly doubtful: boolean;
}

/**
 * Does a deed, as often as it takes. Where an answer was lost, or was a fault that may have come after the deed, what became of
 * it is found out before anything is said: the next try may have been called a conflict with our own.
 *
 * @param send one try; gives an error instead of throwing it where another try is of no use
 */
export async function settled<Made>(
  deed: Deed<Made>,
  retrySeconds: number,
  send: (one: Try) => Promise<Made | ProviderError>,
): Promise<Made> {
  const { signal } = deed;
  const grace = new Grace(signal);
  let doubtful = false as boolean;
  try {
    const made = await withRetries(
      async (attempt) => {
        try {
          return await send({ attempt, signal: grace.signal, doubtful });
        } catch (error) {
          const { code } = toProviderError(error);
          // Too many requests are refused before anything is done. Whatever else may pass may have come after the deed.
          doubtful ||= code === "TRANSIENT" || code === "ABORTED";
          throw error;
        }
      },
      { retrySeconds, ...(signal === undefined ? {} : { signal }) },
    );
    if (made instanceof ProviderError) throw made;
    return made;
  } catch (error) {
    if (!doubtful) throw error;
    return await settleDoubt(deed, toProviderError(error));
  } finally {
    grace.stop();
  }
}

/**
 * After the last try of a deed whose outcome is not known: gives what was made, or removes it if the caller has given up.
 *
 * @param failure how the last try failed; it is thrown where nothing was made
 * @throws ProviderError `TRANSIENT` where it cannot be found out, or `ABORTED`
 */
export async function settleDoubt<Made>(
  { name, signal, find, remove }: Deed<Made>,
  failure: ProviderError,
): Promise<Made> {
  const grace = new Grace(signal);
  const aborted = () => (signal?.aborted === true ? abortedError(signal) : undefined);
  try {
    const made = await find(grace.signal);
    if (made !== undefined) {
      if (aborted() === undefined) return made;
      await remove(made, grace.signal);
    }
  } catch (error) {
    const reason = aborted() ?? failure;
    const doubt = `Whether ${name} was stored is not known: ${toProviderError(error).message}`;
    throw new ProviderError(reason.code === "ABORTED" ? "ABORTED" : "TRANSIENT", `${reason.message} ${doubt}`, {
      cause: reason,
      fix: "Look whether it is there; if it is, it is whole. A backup without its manifest is removed by prune.",
    });
  } finally {
    grace.stop();
  }
  throw aborted() ?? failure;
}
