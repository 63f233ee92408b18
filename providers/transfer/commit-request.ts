import { abortedError, ProviderError, toProviderError } from "../errors.ts";
import { withGrace } from "../fields/grace.ts";
import { withRetries } from "../retry.ts";

/** A request that makes an object visible. */
export interface CommitRequest<Made> {
  /** The object, for messages: `a/object`. */
  readonly name: string;
  /** Ends the transfer. An object that is made after that is removed again. */
  readonly signal: AbortSignal | undefined;
  /** Called before the request is sent again. */
  readonly retried?: (() => void) | undefined;
  /** Finds the object if it is there and is ours. */
  readonly find: (signal: AbortSignal) => Promise<Made | undefined>;
  /** Removes what was found. */
  readonly remove: (made: Made, signal: AbortSignal) => Promise<void>;
}

/** One try of a committing request. */
export interface Try {
  /** From 1. */
  readonly attempt: number;
  /** Ends it some time after the transfer has ended: see {@link withGrace}. */
  readonly signal: AbortSignal;
  /** An earlier try may have taken effect. */
  readonly doubtful: boolean;
}

/**
 * Sends a committing request with retries. If a response was lost, checks whether the request took effect, so that our own
 * object is never reported as a conflict.
 *
 * @param send makes one try; returns an error instead of throwing it where another try is of no use
 * @throws ProviderError `TRANSIENT` or `ABORTED` where the outcome cannot be found out
 */
export function sendCommit<Made>(
  request: CommitRequest<Made>,
  retrySeconds: number,
  send: (one: Try) => Promise<Made | ProviderError>,
): Promise<Made> {
  const { signal, retried } = request;
  let doubtful = false as boolean;
  return withGrace(signal, async (late) => {
    try {
      const made = await withRetries(
        async (attempt) => {
          try {
            return await send({ attempt, signal: late, doubtful });
          } catch (error) {
            const { code } = toProviderError(error);
            // RATE_LIMITED is a refusal before anything is done. Any other passing failure may have come after the effect.
            doubtful ||= code === "TRANSIENT" || code === "ABORTED";
            throw error;
          }
        },
        { retrySeconds, signal, retried },
      );
      if (made instanceof ProviderError) throw made;
      return made;
    } catch (error) {
      if (!doubtful) throw error;
      return resolveDoubt(request, toProviderError(error));
    }
  });
}

/**
 * Finds out whether a committing request took effect after its last try failed: returns what was made, or removes it where
 * the transfer has ended.
 *
 * @param failure of the last try; thrown where nothing was made
 * @throws ProviderError `TRANSIENT` or `ABORTED` where the outcome cannot be found out
 */
export function resolveDoubt<Made>(
  { name, signal, find, remove }: CommitRequest<Made>,
  failure: ProviderError,
): Promise<Made> {
  const aborted = () => (signal?.aborted === true ? abortedError(signal) : undefined);
  return withGrace(signal, async (late) => {
    try {
      const made = await find(late);
      if (made !== undefined) {
        if (aborted() === undefined) return made;
        await remove(made, late);
      }
    } catch (error) {
      const reason = aborted() ?? failure;
      const doubt = `Whether ${name} was stored is not known: ${toProviderError(error).message}`;
      throw new ProviderError(reason.code === "ABORTED" ? "ABORTED" : "TRANSIENT", `${reason.message} ${doubt}`, {
        cause: reason,
        fix: "Check whether it is there; if it is, it is whole. A backup without its manifest is removed by prune.",
      });
    }
    throw aborted() ?? failure;
  });
}
