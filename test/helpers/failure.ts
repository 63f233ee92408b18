import { expect } from "vitest";
import { ProviderError } from "../../providers/errors.ts";

/** The `ProviderError` that some work fails with; any other outcome fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await work.then(
    () => new Error("It succeeded."),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderError);
  return error as ProviderError;
}
