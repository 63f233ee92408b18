import { abortedError } from "../errors.ts";

/** Throws if the caller has given up. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError(signal);
}
