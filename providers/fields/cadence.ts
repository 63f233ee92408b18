import { parseCron, runsOn, type CronFields } from "./cron.ts";

/** How far apart the runs of a schedule are. */
export interface Cadence {
  /** Hours between the two runs that are closest to each other. */
  readonly shortestHours: number;
  /** Hours between the two that are furthest apart. */
  readonly longestHours: number;
}

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
  const known = cadences.get(expression) ?? readCadence(expression);
  cadences.set(expression, known);
  return known;
}

/** What was read, by the expression: alarms and locks ask for the same ones over and over. */
const cadences = new Map<string, Cadence>();

function readCadence(expression: string): Cadence {
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

function matchingDays(cron: CronFields): number[] {
  const days = Array.from({ length: DAYS }, (_, day) => day);
  return days.filter((day) => runsOn(cron, new Date(START + day * DAY_MS)));
}
