/** The parsed fields of a cron expression: sorted numbers, Sunday as 0. */
export interface CronFields {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  readonly weekdays: readonly number[];
  /**
   * True where both the day of the month and the weekday are restricted: cron then runs on days that match either. A
   * field that begins with `*`, stepped or not, does not count as a restriction; this is cron's own rule.
   */
  readonly eitherDay: boolean;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Three-letter names, the first of which means `min`. */
  readonly names?: readonly string[];
}

const fields = {
  minute: { name: "minute", min: 0, max: 59 },
  hour: { name: "hour", min: 0, max: 23 },
  day: { name: "day of the month", min: 1, max: 31 },
  month: {
    name: "month",
    min: 1,
    max: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  // Both 0 and 7 are Sunday.
  weekday: { name: "weekday", min: 0, max: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
} satisfies Record<string, Field>;

/** The most days that a month can have, January first. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Reads a cron expression of five fields: `*`, numbers, names of months and weekdays, ranges, lists and steps. Throws an
 * `Error` that names the field, the wrong part and what is allowed; also where no date can ever match.
 */
export function parseCron(expression: string): CronFields {
  const parts = expression.trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = parts;
  if (
    parts.length !== 5 ||
    minute === undefined ||
    hour === undefined ||
    day === undefined ||
    month === undefined ||
    weekday === undefined
  ) {
    throw new Error(`it has ${parts.length} fields; expected five: minute hour day month weekday`);
  }
  const cron = {
    minutes: parseField(fields.minute, minute),
    hours: parseField(fields.hour, hour),
    days: parseField(fields.day, day),
    months: parseField(fields.month, month),
    weekdays: sortedUnique(parseField(fields.weekday, weekday).map((number) => number % 7)),
    eitherDay: !day.startsWith("*") && !weekday.startsWith("*"),
  };
  const exists = cron.months.some((number) => cron.days.some((date) => date <= (longestMonths[number - 1] ?? 0)));
  if (!exists && !cron.eitherDay) {
    throw new Error(`no month of "${month}" has a day "${day}", so it would never run`);
  }
  return cron;
}

function parseField(field: Field, text: string): number[] {
  const parts = text.split(",");
  if (parts.length > 1 && parts.some((part) => part.startsWith("*"))) {
    throw new Error(`the ${field.name} "${text}" is a list with a star in it; write the star alone, or only numbers`);
  }
  return sortedUnique(parts.flatMap((part) => parsePart(field, part)));
}

function parsePart(field: Field, part: string): number[] {
  const match = /^(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:\/([0-9]+))?$/.exec(part);
  const [, first, last, stepText] = match ?? [];
  if (first === undefined || (first === "*" && last !== undefined)) throw wrong(field, part, "cannot be read");
  if (stepText !== undefined && first !== "*" && last === undefined) {
    throw new Error(
      `the ${field.name} "${part}" has a step without a range; write "${first}-${field.max}/${stepText}"`,
    );
  }
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1 || step > field.max) {
    throw new Error(`the ${field.name} "${part}" has the step ${step}; allowed are 1 to ${field.max}`);
  }
  // A star is 0-6 for the weekday: with 7 in it, a step would count Sunday a second time.
  const from = first === "*" ? field.min : parseNumber(field, first, part);
  const to =
    first === "*"
      ? Math.min(field.max, field.names?.length === 7 ? 6 : field.max)
      : parseNumber(field, last ?? first, part);
  if (from > to)
    throw new Error(`the ${field.name} "${part}" is a range that runs backwards; write the lower end first`);
  const numbers: number[] = [];
  for (let number = from; number <= to; number += step) numbers.push(number);
  return numbers;
}

function parseNumber(field: Field, text: string, part: string): number {
  if (!/^\d+$/.test(text)) {
    const index = field.names?.indexOf(text.toLowerCase()) ?? -1;
    if (index < 0) throw wrong(field, part, "cannot be read");
    return field.min + index;
  }
  const number = Number(text);
  if (number < field.min || number > field.max) throw wrong(field, part, "is out of range");
  return number;
}

function wrong(field: Field, part: string, what: string): Error {
  const names = field.names === undefined ? "" : ` or ${field.names[0] ?? ""} to ${field.names.at(-1) ?? ""}`;
  return new Error(
    `the ${field.name} "${part}" ${what}; allowed are ${field.min} to ${field.max}${names}, ` +
      `as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b)`,
  );
}

function sortedUnique(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Days within which whatever runs at all runs once: two leap days are among them. */
const LONGEST_DAYS = 366 * 5;

/** When something runs: a cron expression, and the time zone in which its fields are read. */
interface ZonedCron {
  readonly cron: string;
  readonly timezone: string;
}

/**
 * The times after one moment and up to another at which a schedule runs, the first of them first. Where clocks are put forward, a
 * time that they leave out is an hour later; what comes twice where they are put back runs once.
 *
 * @throws Error where the expression cannot be read
 */
export function* runsBetween({ cron, timezone }: ZonedCron, after: Date, until: Date): Generator<Date, void> {
  const fields = parseCron(cron);
  const clock = new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
  const dayOf = (time: Date) => Math.floor((time.getTime() + offsetMs(clock, time.getTime())) / DAY_MS);
  // A day more: what clocks leave out at its end is on the next.
  const last = dayOf(until) + 1;
  for (let day = dayOf(after); day <= last; day += 1) {
    if (!runsOn(fields, new Date(day * DAY_MS))) continue;
    for (const hour of fields.hours) {
      for (const minute of fields.minutes) {
        const wall = day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS;
        const time = wall - offsetMs(clock, wall - offsetMs(clock, wall));
        if (time > after.getTime() && time <= until.getTime()) yield new Date(time);
      }
    }
  }
}

/**
 * The first time after another at which a schedule runs; see {@link runsBetween}.
 *
 * @throws Error where it does not run within five years
 */
export function firstRun(schedule: ZonedCron, after: Date): Date {
  for (const time of runsBetween(schedule, after, new Date(after.getTime() + LONGEST_DAYS * DAY_MS))) return time;
  throw new Error(`"${schedule.cron}" does not run within five years`);
}

/** Whether a schedule runs on a day, which is given as its date in UTC. */
export function runsOn(cron: CronFields, date: Date): boolean {
  const inMonth = cron.days.includes(date.getUTCDate());
  const inWeek = cron.weekdays.includes(date.getUTCDay());
  return cron.months.includes(date.getUTCMonth() + 1) && (cron.eitherDay ? inMonth || inWeek : inMonth && inWeek);
}

/** How far a time zone's clocks are ahead of UTC at a time. */
function offsetMs(clock: Intl.DateTimeFormat, time: number): number {
  const name = clock.formatToParts(time).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign = "+", hours = 0, minutes = 0] = /([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  return Number(`${sign}1`) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS);
}
