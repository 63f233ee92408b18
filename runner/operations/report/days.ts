import type { JobConfig } from "../../../providers/config.ts";
import { parseCron, runsBetween } from "../../../providers/fields/cron.ts";
import type { BackupFolder } from "../../backups/catalogue/backup-folder.ts";
import { Calendar } from "../../backups/catalogue/calendar.ts";
import { keptBy } from "../../backups/catalogue/retention.ts";
import type { Day } from "./report.ts";

const DAY_MS = 86_400_000;

/** Milliseconds that a run may begin before it is due, by the clocks of two machines. */
const EARLY_MS = 120_000;

/** Runs of a schedule that are considered: more than a year of hourly ones. Of one that runs more often, the last days are. */
const MOST_RUNS = 10_000;

/** What the calendar is made of. */
export interface DaysOptions {
  readonly job: Pick<JobConfig, "schedule" | "retention">;
  readonly now: Date;
  /** A run that was due later may be going on. */
  readonly overBefore: Date;
  /** All copies of all backups, in any order. */
  readonly backups: readonly BackupFolder[];
  readonly drills: readonly { readonly time: string; readonly ok: boolean }[];
}

/** The last twelve months, day by day, and since when missed runs are known. */
export function daysOf(options: DaysOptions): { readonly days: Day[]; readonly missedSince: string | null } {
  const { job, now, backups, drills } = options;
  const calendar = new Calendar(job.schedule?.timezone ?? "UTC");
  const today = calendar.dateOf(now);
  const byDate = new Map(datesOfYear(today).map((date) => [date, emptyDay(date)]));
  const count = (time: Date, field: keyof Omit<Day, "date">) => {
    const day = byDate.get(calendar.dateOf(time));
    if (day) day[field] += 1;
  };
  for (const copies of Map.groupBy(backups, ({ id }) => id).values()) {
    const [{ time } = { time: now }] = copies;
    count(time, "made");
    if (copies.some(({ state }) => state === "verified")) count(time, "verified");
    if (copies.some((copy) => copy.state === "verified" && copy.unusual?.suspicious === true))
      count(time, "suspicious");
    if (copies.some(({ state }) => state === "damaged")) count(time, "damaged");
  }
  for (const { time, ok } of drills) count(new Date(time), ok ? "drilled" : "drillFailed");
  const [first = today] = byDate.keys();
  const { from, missed, unknown } = absentRuns(options, new Date(Date.parse(first) - DAY_MS));
  for (const time of missed) count(time, "missed");
  for (const time of unknown) count(time, "unknown");
  const since = from && calendar.dateOf(from);
  return { days: [...byDate.values()], missedSince: since === undefined ? null : since < first ? first : since };
}

/** Runs that were due and have no backup. */
interface AbsentRuns {
  /** The moment from which they are known; undefined where nothing is. */
  readonly from?: Date;
  readonly missed: readonly Date[];
  readonly unknown: readonly Date[];
}

/**
 * The runs that were due and have no backup in any destination. A backup counts for the run that was due last when it was begun. What the
 * retention rule would keep if it had been made, beside all others that are absent, was never made: it is missed. Of the others nobody
 * can tell, and neither of a run that may be going on.
 */
function absentRuns({ job, now, overBefore, ...options }: DaysOptions, start: Date): AbsentRuns {
  const { schedule, retention } = job;
  const backups = options.backups.filter(({ decides }) => decides);
  const times = backups.map(({ time }) => time.getTime()).sort((a, b) => a - b);
  const [oldest] = times;
  if (schedule === undefined || oldest === undefined) return { missed: [], unknown: [] };
  const { minutes, hours } = parseCron(schedule.cron);
  const longest = (MOST_RUNS / (minutes.length * hours.length)) * DAY_MS;
  const from = new Date(Math.max(start.getTime(), oldest, now.getTime() - longest));
  const due = [...runsBetween(schedule, from, now)];
  const met = new Set<number>();
  let last = -1;
  for (const made of times) {
    for (let next = due[last + 1]; next && next.getTime() - EARLY_MS <= made; next = due[last + 1]) last += 1;
    met.add(last);
  }
  const absent = due.filter((_, index) => !met.has(index));
  const over = absent.filter((time) => time < overBefore);
  const going = absent.filter((time) => time >= overBefore);
  if (!retention) return { from, missed: over, unknown: going };
  const made = [...Map.groupBy(backups, ({ id }) => id).values()].flatMap(([copy]) => (copy ? [asVerified(copy)] : []));
  const imagined = over.map((time) => asVerified({ ...NOTHING, time, order: time.getTime() }));
  const kept = keptBy([...made, ...imagined], retention, { timeZone: schedule.timezone });
  return {
    from,
    missed: imagined.filter((each) => kept.has(each)).map(({ time }) => time),
    unknown: [...imagined.filter((each) => !kept.has(each)).map(({ time }) => time), ...going],
  };
}

const NOTHING: BackupFolder = {
  ...{ id: "", folder: "", time: new Date(0), whole: true, copied: undefined, size: 0, files: [], state: "verified" },
  ...{ decides: true, order: 0, drill: undefined, records: [], warnings: [] },
};

/** The backup as if it were like all others: a rule is asked for the time alone. */
function asVerified(backup: BackupFolder): BackupFolder {
  return { ...NOTHING, id: backup.id, time: backup.time, order: backup.order };
}

type Counted = { -readonly [Field in keyof Day]: Day[Field] };

function emptyDay(date: string): Counted {
  return { date, made: 0, verified: 0, suspicious: 0, damaged: 0, drilled: 0, drillFailed: 0, missed: 0, unknown: 0 };
}

/** The dates of the twelve months up to a day, that day the last. */
function datesOfYear(today: string): string[] {
  const last = Date.parse(today);
  const next = new Date(last + DAY_MS);
  const first = Date.UTC(next.getUTCFullYear() - 1, next.getUTCMonth(), next.getUTCDate());
  const dates: string[] = [];
  for (let day = first; day <= last; day += DAY_MS) dates.push(new Date(day).toISOString().slice(0, 10));
  return dates;
}
