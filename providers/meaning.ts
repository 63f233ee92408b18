import { ProviderError, type ErrorCode } from "./errors.ts";

/**
 * The part of an error's options that says how long the service asked to wait: of a Retry-After header, which is a number of
 * seconds or a date (RFC 9110, section 10.2.3), or of a number of seconds that an answer's body holds. Nothing where there is
 * neither, or waiting is of no use.
 */
function retryAfter(code: ErrorCode, ...values: readonly unknown[]): { retryAfterMs?: number } {
  if (code !== "RATE_LIMITED" && code !== "TRANSIENT") return {};
  const retryAfterMs = values.map(millisecondsOf).find((ms) => ms !== undefined);
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

function millisecondsOf(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? value * 1000 : undefined;
  if (typeof value !== "string") return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value) * 1000;
  const ms = Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

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
