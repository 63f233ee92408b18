import { ProviderError, type ErrorCode } from "./errors.ts";
import { retryAfter } from "./http/retry-after.ts";

/** What a service's own code of an error means: for callers, for people, and what to do about it. */
export type Meaning = readonly [code: ErrorCode, problem: string, fix: string];

/** What else is known of a failure. */
interface FailureDetails {
  /** Names the request for the service's support: `, request 1a2b`. */
  readonly reference?: string;
  /** What the service said of when to come back; see {@link retryAfter}. */
  readonly waits?: readonly unknown[];
  readonly cause?: unknown;
}

/** The error with a meaning: `Cannot <action>: <what it means> (<what the service said>).` */
export function failureOf(
  action: string,
  [code, problem, fix]: Meaning,
  said: string | number,
  { reference = "", waits = [], cause }: FailureDetails = {},
): ProviderError {
  return new ProviderError(code, `Cannot ${action}: ${problem} (${said})${reference}.`, {
    fix,
    ...(cause !== undefined && { cause }),
    ...retryAfter(code, ...waits),
  });
}
