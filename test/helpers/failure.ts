import { inspect } from "node:util";
import { expect } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import { record } from "../recording/record.ts";

/** The `ProviderError` that some work fails with; any other outcome fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await work.then(
    () => new Error("It succeeded."),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderError);
  const failure = error as ProviderError;
  // Its cause is for a debugger's eyes; that one may be looked over somebody's shoulder.
  record("error", `${inspect(failure, { depth: Infinity })}\n${failure.fix ?? ""}`);
  return failure;
}

/** All text in an error and its causes. */
export function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = Object.values(error).map((value) => (typeof value === "object" ? JSON.stringify(value) : String(value)));
  return [error.message, error.stack ?? "", ...own, everythingIn(error.cause ?? "")].join("\n");
}
