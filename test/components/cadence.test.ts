import { describe, expect, it } from "vitest";
import { cadence, firstRun } from "../../components/cadence.ts";

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

describe("firstRun", () => {
  it.each([
    ["0 3 * * *", "UTC", "2026-03-02T20:17:00Z", "2026-03-03T03:00:00.000Z"],
    ["0 3 * * *", "UTC", "2026-03-03T03:00:00Z", "2026-03-04T03:00:00.000Z"],
    ["*/15 8,20 * * *", "UTC", "2026-03-02T08:46:00Z", "2026-03-02T20:00:00.000Z"],
    ["30 4 * * 0", "America/Sao_Paulo", "2026-03-02T20:17:00Z", "2026-03-08T07:30:00.000Z"],
    // Of the next day there, while it is still the day before in UTC.
    ["0 1 * * *", "Asia/Tokyo", "2026-03-02T15:30:00Z", "2026-03-02T16:00:00.000Z"],
    // Clocks were put forward at 2:00, and back at 3:00.
    ["0 3 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T01:00:00.000Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T01:30:00.000Z"],
    ["0 4 * * *", "Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T03:00:00.000Z"],
    ["0 0 29 2 *", "UTC", "2026-03-02T20:17:00Z", "2028-02-29T00:00:00.000Z"],
  ])("%s in %s, after %s", (cron, timezone, after, first) => {
    expect(firstRun({ cron, timezone }, new Date(after)).toISOString()).toBe(first);
  });
});
