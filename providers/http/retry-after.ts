import type { ErrorCode } from "../errors.ts";

/**
 * The part of an error's options that says how long the service asked to wait: of a Retry-After header, which is a number of
 * seconds or a date (RFC 9110, section 10.2.3), or of a number of seconds that an answer's body holds. Nothing where there is
 * neither, or waiting is of no use.
 */
export function retryAfter(code: ErrorCode, ...values: readonly unknown[]): { retryAfterMs?: number } {
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
