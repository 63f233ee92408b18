import { expect, it } from "vitest";
import { LockHeldError, ProviderError, type ErrorCode } from "../../../providers/errors.ts";
import { EXIT, exitCodeOf, InterruptedError } from "../../../runner/run/exit-codes.ts";

it.each<[ErrorCode, number]>([
  ["CONFIG", 2],
  ["AUTH", 4],
  ["NOT_FOUND", 4],
  ["CONFLICT", 4],
  ["QUOTA", 4],
  ["RATE_LIMITED", 4],
  ["TRANSIENT", 4],
  ["INTEGRITY", 5],
  ["ABORTED", 4],
  ["INTERNAL", 4],
])("a backup that fails with %s ends with %i", (code, expected) => {
  expect(exitCodeOf(new ProviderError(code, "x"), EXIT.noBackup)).toBe(expected);
});

it.each<[ErrorCode, number]>([
  ["NOT_FOUND", 2],
  ["CONFLICT", 2],
  ["TRANSIENT", 1],
  ["INTEGRITY", 5],
])("another command that fails with %s ends with %i", (code, expected) => {
  expect(exitCodeOf(new ProviderError(code, "x"), EXIT.unexpected)).toBe(expected);
});

it("has codes of their own for the lock, for signals and for defects", () => {
  expect(exitCodeOf(new LockHeldError("prod/app"), EXIT.noBackup)).toBe(6);
  expect(exitCodeOf(new InterruptedError("SIGINT"), EXIT.noBackup)).toBe(130);
  expect(exitCodeOf(new InterruptedError("SIGTERM"), EXIT.noBackup)).toBe(143);
  expect(exitCodeOf(new TypeError("x"), EXIT.noBackup)).toBe(1);
});
