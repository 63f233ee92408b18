import type { JobSettings } from "../providers/config.ts";
import { parseCron, type CronFields } from "../providers/cron.ts";

/** How far apart the runs of a schedule are. */
export interface Cadence {
  /** Hours between the two runs that are closest to each other. */
  readonly shortestHours: number;
  /** Hours between the two that are furthest apart. */
  readonly longestHours: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Days that are searched: two leap days are among them. */
const DAYS = 366 * 5;

/** The day from which they are counted; no expression knows the year. */
const START = Date.UTC(2024, 0, 1);

/**
 * Reads how far apart a cron expression's runs are. A clock change may add or take an hour, which is not counted. What runs
 * less than twice in five years counts as five years.
 */
export function cadence(expression: string): Cadence {
  const cron = parseCron(expression);
  const times = cron.hours.flatMap((hour) => cron.minutes.map((minute) => hour + minute / 60));
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? 0;
  const withinDay = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const days = matchingDays(cron);
  const overnight = days.slice(1).map((day, index) => (day - (days[index] ?? 0)) * 24 + first - last);
  const gaps = [...withinDay, ...overnight];
  if (gaps.length === 0) gaps.push(DAYS * 24);
  return { shortestHours: Math.min(...gaps), longestHours: Math.max(...gaps) };
}

/**
 * The first time after another at which a schedule runs. Where clocks are put forward, a time that they leave out is an hour later.
 *
 * @throws Error where it does not run within five years
 */
export function firstRun({ cron, timezone }: NonNullable<JobSettings["schedule"]>, after: Date): Date {
  const fields = parseCron(cron);
  const clock = new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
  const today = Math.floor((after.getTime() + offsetMs(clock, after.getTime())) / DAY_MS);
  for (let day = today; day < today + DAYS; day += 1) {
    if (!runsOn(fields, new Date(day * DAY_MS))) continue;
    for (const hour of fields.hours) {
      for (const minute of fields.minutes) {
        const wall = day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS;
        const time = wall - offsetMs(clock, wall - offsetMs(clock, wall));
        if (time > after.getTime()) return new Date(time);
      }
    }
  }
  throw new Error(`"${cron}" does not run within five years`);
}

/** How far a time zone's clocks are ahead of UTC at a time. */
function offsetMs(clock: Intl.DateTimeFormat, time: number): number {
  const name = clock.formatToParts(time).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign = "+", hours = 0, minutes = 0] = /([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  return Number(`${sign}1`) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS);
}

function matchingDays(cron: CronFields): number[] {
  const days = Array.from({ length: DAYS }, (_, day) => day);
  return days.filter((day) => runsOn(cron, new Date(START + day * DAY_MS)));
}

function runsOn(cron: CronFields, date: Date): boolean {
  const inMonth = cron.days.includes(date.getUTCDate());
  const inWeek = cron.weekdays.includes(date.getUTCDay());
  return cron.months.includes(date.getUTCMonth() + 1) && (cron.eitherDay ? inMonth || inWeek : inMonth && inWeek);
}
