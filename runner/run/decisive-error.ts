import type { ErrorCode } from "../../providers/errors.ts";

/** What says that a command asked for what cannot be: a wrong configuration, a backup that does not exist. */
const ASKED_FOR: readonly ErrorCode[] = ["CONFIG", "NOT_FOUND", "CONFLICT"];

/**
 * Of the errors of all destinations, in their order, the one that says how a command ends, so that this does not depend on
 * which of them comes first: damage, before what may pass (a store that cannot be reached may have what another does not), before
 * a wrong configuration.
 */
export function decisiveError<Failure extends { readonly code: ErrorCode }>(
  errors: readonly Failure[],
): Failure | undefined {
  const damage = errors.find(({ code }) => code === "INTEGRITY");
  return damage ?? errors.find(({ code }) => !ASKED_FOR.includes(code)) ?? errors[0];
}
