import { ProviderError } from "../../../providers/errors.ts";
import type { Progress, ProgressState } from "./progress.ts";

/** Milliseconds that a run gets to end by itself after it was aborted: its programs end within 3 s, its uploads within 6. */
export const GRACE_MS = 30_000;

/** Milliseconds for telling the monitors of an end by force. */
export const FLUSH_MS = 3_000;

/** What {@link endByForce} works with. */
interface ForcedEndOptions {
  /** Aborted with a ProviderError when the run is to end. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Prints why the run ended. */
  readonly report: (error: ProviderError) => void;
  /** Ends the process; it is given the reason of the abort, or the defect that keeps the run from ending. */
  readonly leave: (cause: ProviderError) => void;
}

/**
 * Ends a run by force that does not end by itself: one that was aborted and goes on, and one that is neither done nor
 * waits for anything. Its monitors hear of it, and the message names the steps that were under way.
 */
export function endByForce({ signal, progress, report, leave }: ForcedEndOptions): void {
  let ending = false;
  const end = (what: string, cause: ProviderError) => {
    if (ending) return;
    ending = true;
    const error = forcedEnd(what, progress.state.steps, cause);
    report(error);
    void progress
      .fail(error, FLUSH_MS)
      .catch(() => undefined)
      .then(() => {
        leave(cause);
      });
  };
  const onAbort = () => {
    const reason = signal.reason as ProviderError;
    setTimeout(() => {
      end(`${reason.message} It was ended by force, as it went on for ${GRACE_MS / 1000} s more.`, reason);
    }, GRACE_MS).unref();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  process.on("beforeExit", () => {
    const what = "The run stopped before its work was done: nothing is left that it waits for.";
    const reason = signal.aborted ? (signal.reason as ProviderError) : undefined;
    end(reason ? `${reason.message} ${what}` : what, reason ?? new ProviderError("INTERNAL", what));
  });
}

/** What a run that was ended by force says. */
export function forcedEnd(what: string, steps: ProgressState["steps"], cause: ProviderError): ProviderError {
  return new ProviderError(cause.code, steps.length === 0 ? what : `${what} Under way: ${steps.join(", ")}.`, {
    cause,
    fix: "Run it again. If it hangs there again, check the database or the destination that is named, and report it with the log.",
  });
}
