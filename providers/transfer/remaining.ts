import { ObjectLockedError, ProviderError } from "../errors.ts";

/** The keys that a message names, at most. */
const NAMED = 5;

/**
 * Tells what a removal left: throws the one error of several, which has the first one's code and fix, or the error itself where
 * one object was to be removed.
 *
 * @param failures the error of each object that stayed, by its key
 * @param asked how many were to be removed
 */
export function reportRemaining(failures: ReadonlyMap<string, ProviderError>, asked: number): void {
  const [first] = failures.values();
  if (first === undefined) return;
  if (asked === 1) throw first;
  const named = [...failures.keys()].slice(0, NAMED).join(", ");
  const stayed = `${failures.size} of ${asked} objects could not be removed (${named}${failures.size > NAMED ? ", …" : ""}).`;
  const message = `${stayed} ${first.message}`;
  if ([...failures.values()].every((error) => error instanceof ObjectLockedError)) {
    throw new ObjectLockedError(message, first);
  }
  throw new ProviderError(first.code, message, {
    cause: first,
    ...(first.fix !== undefined && { fix: first.fix }),
  });
}
