import { describe, expect, it } from "vitest";
import { cadence } from "../../../providers/fields/cadence.ts";

describe("cadence", () => {
  it.each([
    ["0 3 * * *", 24, 24],
    ["*/15 * * * *", 0.25, 0.25],
    ["0 */6 * * *", 6, 6],
    ["0 8,20 * * 1-5", 12, 60],
    ["30 3 * * 0", 168, 168],
    ["0 3 * * 1,4", 72, 96],
    ["0 3 1 * *", 28 * 24, 31 * 24],
    ["0 3 1,15 * *", 14 * 24, 17 * 24],
    ["0 0 1 1 *", 365 * 24, 366 * 24],
    // Both days restricted: on either of them.
    ["0 3 1 * 1", 24, 168],
    ["0 0 29 2 *", 1461 * 24, 1461 * 24],
  ])("%s runs every %d to %d hours", (cron, shortestHours, longestHours) => {
    expect(cadence(cron)).toEqual({ shortestHours, longestHours });
  });
});
