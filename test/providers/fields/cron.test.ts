import { describe, expect, it } from "vitest";
import { firstRun, parseCron, runsBetween } from "../../../providers/fields/cron.ts";

const allowed = "as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b)";

describe("parseCron", () => {
  it("reads stars, numbers, ranges, lists, steps and names", () => {
    expect(parseCron("*/20 0,12-14 1-10/4 jan,JUN-aug mon-5")).toEqual({
      minutes: [0, 20, 40],
      hours: [0, 12, 13, 14],
      days: [1, 5, 9],
      months: [1, 6, 7, 8],
      weekdays: [1, 2, 3, 4, 5],
      eitherDay: true,
    });
  });

  it("takes 7 for Sunday and counts it once", () => {
    expect(parseCron("0 0 * * 5-7").weekdays).toEqual([0, 5, 6]);
    expect(parseCron("0 0 * * */2").weekdays).toEqual([0, 2, 4, 6]);
    expect(parseCron("0 0 * * *").weekdays).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it.each([
    ["0 0 * * 1", false],
    ["0 0 1 * *", false],
    ["0 0 */2 * 1", false],
    ["0 0 1 * */2", false],
    ["0 0 1 * 1", true],
  ])("knows whether %s means either day", (expression, either) => {
    expect(parseCron(expression).eitherDay).toBe(either);
  });

  it.each(["0 0 29 2 *", "0 0 31 * *", "0 0 30 2,3 *", "0 0 30 2 1"])(
    "takes %s, which some date matches",
    (expression) => {
      expect(() => parseCron(expression)).not.toThrow();
    },
  );

  it.each([
    ["0 3 * *", "it has 4 fields; expected five: minute hour day month weekday"],
    ["@daily", "it has 1 fields; expected five: minute hour day month weekday"],
    ["60 3 * * *", `the minute "60" is out of range; allowed are 0 to 59, ${allowed}`],
    ["0 24 * * *", `the hour "24" is out of range; allowed are 0 to 23, ${allowed}`],
    ["0 3 0 * *", `the day of the month "0" is out of range; allowed are 1 to 31, ${allowed}`],
    ["0 3 * 13 *", `the month "13" is out of range; allowed are 1 to 12 or jan to dec, ${allowed}`],
    ["0 3 * * 8", `the weekday "8" is out of range; allowed are 0 to 7 or sun to sat, ${allowed}`],
    ["0 3 * * funday", `the weekday "funday" cannot be read; allowed are 0 to 7 or sun to sat, ${allowed}`],
    ["0 3 ? * *", `the day of the month "?" cannot be read; allowed are 1 to 31, ${allowed}`],
    ["0 3 L * *", `the day of the month "L" cannot be read; allowed are 1 to 31, ${allowed}`],
    ["0 1, * * *", `the hour "" cannot be read; allowed are 0 to 23, ${allowed}`],
    ["-5 3 * * *", `the minute "-5" cannot be read; allowed are 0 to 59, ${allowed}`],
    ["1.5 3 * * *", `the minute "1.5" cannot be read; allowed are 0 to 59, ${allowed}`],
    ["0 17-9 * * *", 'the hour "17-9" is a range that runs backwards; write the lower end first'],
    ["*/0 3 * * *", 'the minute "*/0" has the step 0; allowed are 1 to 59'],
    ["*/90 3 * * *", 'the minute "*/90" has the step 90; allowed are 1 to 59'],
    ["5/15 3 * * *", 'the minute "5/15" has a step without a range; write "5-59/15"'],
    ["0 3 *,5 * *", 'the day of the month "*,5" is a list with a star in it; write the star alone, or only numbers'],
    ["0 0 30 2 *", 'no month of "2" has a day "30", so it would never run'],
    ["0 0 31 apr,jun *", 'no month of "apr,jun" has a day "31", so it would never run'],
  ])("refuses %s and says why", (expression, message) => {
    expect(() => parseCron(expression)).toThrow(new Error(message));
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

describe("runsBetween", () => {
  const runs = (cron: string, timezone: string, after: string, until: string) =>
    [...runsBetween({ cron, timezone }, new Date(after), new Date(until))].map((time) => time.toISOString());

  it("gives every run after the one moment, and up to the other", () => {
    expect(runs("0 3 * * *", "UTC", "2026-03-01T03:00:00Z", "2026-03-03T03:00:00Z")).toEqual([
      "2026-03-02T03:00:00.000Z",
      "2026-03-03T03:00:00.000Z",
    ]);
  });

  it("gives what the clocks leave out once, and what they repeat once", () => {
    expect(runs("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z")).toEqual([
      "2026-03-29T01:30:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
    expect(runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z")).toHaveLength(1);
  });

  it("gives none where the first is later", () => {
    expect(runs("0 0 1 1 *", "UTC", "2026-01-02T00:00:00Z", "2026-12-31T00:00:00Z")).toEqual([]);
  });
});
