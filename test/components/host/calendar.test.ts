import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parseCron } from "../../../providers/fields/cron.ts";
import { onCalendar } from "../../../components/host/calendar.ts";
import { hasProgram } from "../../helpers/programs.ts";

const expressions = [
  "0 3 * * *",
  "*/15 * * * *",
  "* * * * *",
  "7 */6 * * *",
  "30 1-5/2 * * *",
  "0 0 1 * *",
  "0 0 31 * *",
  "15 22 28-31 * *",
  "0 12 29 2 *",
  "0 4 * * 0",
  "0 4 * * 7",
  "0 4 * * sun",
  "0 4 * * mon-fri",
  "0 4 * * 6,0",
  "0 4 * jan,jul *",
  "0 4 1 */3 *",
  "0 4 13 * 5",
  "0 4 1,15 * mon",
  "0 4 */2 * 1",
  "0 4 1 * */2",
  "0 4 30 2 3",
  "59 23 31 12 *",
  "0,5,10-20/5 8-18/3 * 3-10 1-5",
  "0 0 1-7 * *",
];
const zones = ["UTC", "America/Sao_Paulo", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe"];
const start = Date.UTC(2026, 1, 20, 11, 7, 30);
const available = hasProgram("systemd-analyze", "calendars are compared with systemd's own only where it is installed");

/** The numbers that a field of cron means, by the plainest reading of crontab(5). */
function numbers(field: string, low: number, high: number): Set<number> {
  const names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  const months = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
  const number = (text: string) => {
    const list = high === 12 ? months : names;
    return list.includes(text) && text !== "" ? list.indexOf(text) : Number(text);
  };
  const found = new Set<number>();
  for (const part of field.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [from, to] = range === "*" ? [low, high] : range.split("-").map(number);
    for (let value = from ?? 0; value <= (to ?? from ?? 0); value += Number(step))
      found.add(high === 6 ? value % 7 : value);
  }
  return found;
}

/** The next times at which cron would run in a zone, found by looking at every minute. */
function cronTimes(expression: string, zone: string, count: number): string[] {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ");
  const minutes = numbers(minute, 0, 59);
  const hours = numbers(hour, 0, 23);
  const days = numbers(day, 1, 31);
  const months = numbers(month, 1, 12);
  const weekdays = numbers(weekday, 0, 6);
  const clock = wallClock(zone);
  const times: string[] = [];
  const end = start + 5 * 366 * 86_400_000;
  for (let time = Math.ceil(start / 60_000) * 60_000; time < end && times.length < count;) {
    const local = clock(time);
    const inDay = days.has(local.getUTCDate());
    const inWeek = weekdays.has(local.getUTCDay());
    const starred = day.startsWith("*") || weekday.startsWith("*");
    const matchesDay = months.has(local.getUTCMonth() + 1) && (starred ? inDay && inWeek : inDay || inWeek);
    if (!matchesDay) {
      // Up to an hour before the next midnight on the wall, in case the clock is changed.
      const minutesLeft = 1440 - local.getUTCHours() * 60 - local.getUTCMinutes();
      time += Math.max(1, minutesLeft - 61) * 60_000;
      continue;
    }
    if (hours.has(local.getUTCHours()) && minutes.has(local.getUTCMinutes())) times.push(new Date(time).toISOString());
    time += 60_000;
  }
  return times;
}

/** Converts moments to what the clock on the wall shows, as if that were UTC. */
function wallClock(zone: string): (time: number) => Date {
  const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
  const offsets = new Map<number, number>();
  return (time) => {
    const quarter = Math.floor(time / 900_000);
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      const name = format.formatToParts(time).find((part) => part.type === "timeZoneName")?.value ?? "";
      const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(name) ?? [];
      offset = (sign === "-" ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
      offsets.set(quarter, offset);
    }
    return new Date(time + offset);
  };
}

/** The next times of all expressions together, by systemd. */
function systemdTimes(calendar: readonly string[], count: number): string[] {
  const base = new Date(start).toISOString().replace("T", " ").replace(".000Z", " UTC");
  const args = ["calendar", `--iterations=${count}`, `--base-time=${base}`, ...calendar];
  const output = execFileSync("systemd-analyze", args, {
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
    encoding: "utf8",
  });
  const found = [
    ...output.matchAll(/(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g),
  ];
  const times = found.map(([, date = "", time = ""]) => `${date}T${time}.000Z`);
  return [...new Set(times)].sort().slice(0, count);
}

describe.runIf(available)("onCalendar", () => {
  it.each(expressions)("elapses when cron would run: %s", (expression) => {
    for (const zone of zones) {
      const expected = cronTimes(expression, zone, 8);
      expect(expected.length).toBeGreaterThan(0);
      expect(systemdTimes(onCalendar(parseCron(expression), zone), 8).slice(0, expected.length), zone).toEqual(
        expected,
      );
    }
  });
});

describe("onCalendar", () => {
  it("joins a day of the month and a weekday by two expressions", () => {
    expect(onCalendar(parseCron("0 4 13 * 5"), "Asia/Tokyo")).toEqual([
      "*-*-13 04:00:00 Asia/Tokyo",
      "Fri *-*-* 04:00:00 Asia/Tokyo",
    ]);
  });
});
