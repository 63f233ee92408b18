import { afterEach, describe, expect, it, vi } from "vitest";
import { type Check, describeCheck, isKept, judge } from "../../../tools/bench/check.ts";
import { median } from "../../../tools/bench/median.ts";

describe("median", () => {
  it.each([
    [[3], 3],
    [[10, 2, 9], 9],
    [[4, 1], 2.5],
    [[8, 1, 100, 2], 5],
    [[], NaN],
  ])("of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe("a promise", () => {
  const kept: Check = { what: "a", value: 1.3, atMost: 1.3 };
  const broken: Check = { what: "b", value: 181, atMost: 180, unit: "MB" };

  afterEach(() => {
    process.exitCode = undefined;
    vi.restoreAllMocks();
  });

  it("is kept up to its limit, and not where nothing was measured", () => {
    expect([kept, broken, { ...kept, value: NaN }].map(isKept)).toEqual([true, false, false]);
    expect(describeCheck(kept)).toMatch(/^ +1\.30 \(at most 1\.30\) {2}a$/);
    expect(describeCheck(broken)).toMatch(/^✗ +181 MB \(at most 180\) {2}b$/);
  });

  it("lets the process end with 1 where it is broken", () => {
    const error = vi.spyOn(console, "error").mockReturnValue();
    judge([kept]);
    expect(process.exitCode).toBeUndefined();
    judge([kept, broken]);
    expect(process.exitCode).toBe(1);
    expect(error.mock.calls.join()).toMatch(/^\nNot as promised:\n✗ +181 MB \(at most 180\) {2}b$/);
  });
});
