import { describe, expect, it } from "vitest";
import { partSize } from "../../../providers/storage/s3/part-size.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;

/** The sizes of the parts of an object. */
function partsOf(size: number, estimate: number, smallest = 16 * MiB): number[] {
  const parts: number[] = [];
  for (let offset = 0; offset < size;) {
    const part = partSize(offset, estimate, smallest);
    parts.push(part);
    offset += part;
  }
  return parts;
}

describe("partSize", () => {
  const estimates = [0, 1, GiB, 70 * GiB, 200 * GiB, TiB, 3 * TiB, 5 * TiB, 100 * TiB];
  it.each(estimates)("fits 5 TiB into 10,000 parts of 5 GiB at most, after an estimate of %i", (estimate) => {
    for (const smallest of [5 * MiB, 16 * MiB, 64 * MiB]) {
      const parts = partsOf(5 * TiB, estimate, smallest);
      expect(parts.length).toBeLessThanOrEqual(10_000);
      expect(Math.max(...parts)).toBeLessThanOrEqual(5 * GiB);
      expect(Math.min(...parts)).toBeGreaterThanOrEqual(smallest);
    }
  });

  it.each([
    [GiB, 16 * MiB],
    [50 * GiB, 16 * MiB],
    [100 * GiB, 17 * MiB],
    [TiB, 126 * MiB],
    [5 * TiB, 526 * MiB],
  ])("has parts of one size, as small as can be, where the estimate of %i is right", (size, expected) => {
    expect(new Set(partsOf(size, size))).toEqual(new Set([expected]));
  });

  it("keeps small parts for objects of a common size without an estimate", () => {
    expect(Math.max(...partsOf(15 * GiB, 0))).toBe(16 * MiB);
    expect(Math.max(...partsOf(60 * GiB, 0))).toBeLessThanOrEqual(64 * MiB);
  });

  it("holds in two parts less than a 3,000th of an object of more than 250 GiB whose size is known", () => {
    for (const size of [250 * GiB, 500 * GiB, TiB, 5 * TiB]) {
      expect(2 * partSize(size - 1, size, 8 * MiB)).toBeLessThan(size / 3_000);
    }
    // Up to there, it is no more than the buffers hold in any case.
    expect(2 * partSize(0, 200 * GiB, 8 * MiB)).toBeLessThanOrEqual(64 * MiB);
  });

  it("never shrinks, so that a buffer can be used again", () => {
    for (const estimate of estimates) {
      const parts = partsOf(5 * TiB, estimate);
      expect(parts).toEqual([...parts].sort((a, b) => a - b));
    }
  });
});
