import { describe, expect, it } from "vitest";
import { noncurrentDays } from "../../../../components/aws/backup-bucket/lifecycle.ts";
import { defaultLock, keptDays, refuseUnlocking } from "../../../../components/aws/backup-bucket/lock.ts";

const job = (cron: string | undefined, retention: object | undefined) => ({
  name: "app",
  ...(cron !== undefined && { schedule: { cron, timezone: "UTC" } }),
  ...(retention !== undefined && { retention }),
});

describe("keptDays", () => {
  it.each([
    ["0 3 * * *", { last: 7, daily: 14, weekly: 8, monthly: 12 }, 14],
    ["0 3 * * *", { last: 30, daily: 14 }, 30],
    // Of a day with 24 backups, the rule for days keeps one.
    ["0 * * * *", { last: 48, daily: 14 }, 2],
    ["0 * * * *", { daily: 14 }, 0],
    ["0 3 * * 0", { weekly: 8 }, 56],
    ["0 3 * * 0", { last: 4, monthly: 12 }, 28],
    ["0 3 1 * *", { monthly: 12 }, 336],
    ["0 * * * *", { hourly: 48, daily: 14 }, 2],
    ["0 3 * * *", { hourly: 48 }, 48],
    ["0 3 * * *", { daily: 7, within: "30d" }, 30],
    ["0 * * * *", { last: 3, within: "36h" }, 1],
    ["0 3 * * *", { monthly: 12, atLeast: 5 }, 5],
    ["0 3 1 1 *", { yearly: 2 }, 730],
    [undefined, { daily: 5 }, 5],
    ["0 3 * * *", undefined, undefined],
  ])("is, for %s with %j, %s", (cron, retention, days) => {
    expect(keptDays([job(cron, retention)])).toBe(days);
  });

  it("is that of the job that lets go first, and a job that keeps all does not count", () => {
    const jobs = [job("0 3 * * *", { daily: 14 }), job("0 3 * * *", { daily: 5 }), job("0 3 * * *", undefined)];
    expect(keptDays(jobs)).toBe(5);
    expect(keptDays([])).toBeUndefined();
  });
});

describe("defaultLock", () => {
  it.each([
    [14, 14],
    [0, 1],
    [336, 30],
    [undefined, 30],
  ])("of %s kept days is governance for %d", (kept, days) => {
    expect(defaultLock(kept)).toEqual({ mode: "governance", days });
  });
});

describe("noncurrentDays", () => {
  it.each([
    ["bucket", 14, 14, 7],
    ["bucket", 0, undefined, 7],
    // Hidden after 14 days at the earliest, locked until day 40.
    ["bucket", 40, 14, 33],
    ["bucket", 30, undefined, 37],
    ["replica", 14, 14, 30],
  ] as const)("in a %s, locked for %s and kept for %s days, is %d", (place, lock, kept, days) => {
    expect(noncurrentDays(place, lock, kept)).toBe(days);
    // A version that is hidden as soon as the retention allows it is not ended before its lock.
    expect((kept ?? 0) + noncurrentDays(place, lock, kept)).toBeGreaterThan(lock);
  });
});

describe("refuseUnlocking", () => {
  it("ends a deployment that would leave a lock where none is asked for, and says what can be had", () => {
    expect(() => {
      refuseUnlocking("provision-prod-1", true);
    }).toThrow(/provision-prod-1 has Object Lock, .* never turns off.*objectLock is off\. .*days: 1/);
    expect(() => {
      refuseUnlocking("provision-prod-1", false);
    }).not.toThrow();
  });
});
