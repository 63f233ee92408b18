import type { JobConfig } from "../../providers/config.ts";
import { runsBetween } from "../../providers/cron.ts";
import type { Check } from "../../providers/database/database.ts";
import { parseDuration } from "../../providers/duration.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Milliseconds of a year: so far ahead the schedule's runs are compared. */
const YEAR_MS = 366 * DAY_MS;

/** Whether the job's schedule can keep what `objectives.recoveryPoint` promises; nothing where it has not both. */
export function* checkObjectives(
  { objectives, schedule }: Pick<JobConfig, "objectives" | "schedule">,
  now = new Date(),
): Generator<Check> {
  if (objectives?.recoveryPoint === undefined || schedule === undefined) return;
  const name = "objectives: schedule";
  let gap: number;
  try {
    gap = longestGap(schedule, now);
  } catch (error) {
    const fix = 'Write five fields of cron, for instance "0 3 * * *".';
    yield { name, ok: false, detail: `"${schedule.cron}" is no time: ${(error as Error).message}`, fix };
    return;
  }
  const objective = `objectives.recoveryPoint is ${objectives.recoveryPoint}`;
  const between =
    gap > 0 ? `up to ${Math.ceil(gap / HOUR_MS)} h are between its runs` : "it runs less than twice a year";
  // Nobody counts the hour that a change of clocks adds to a day.
  const counted = gap > DAY_MS ? gap - HOUR_MS : gap;
  if (gap > 0 && counted <= parseDuration(objectives.recoveryPoint)) {
    yield { name, ok: true, detail: `${objective}, and ${between}` };
  } else {
    const fix = "Run the job more often, or promise a longer recoveryPoint.";
    yield { name, ok: true, detail: `${objective}, but ${between} ("${schedule.cron}")`, fix };
  }
}

/** The longest time between two runs of the coming year, in milliseconds; 0 where there are no two. */
function longestGap(schedule: NonNullable<JobConfig["schedule"]>, now: Date): number {
  const runs = [...runsBetween(schedule, now, new Date(now.getTime() + YEAR_MS))].map((time) => time.getTime());
  return runs.slice(1).reduce((longest, run, index) => Math.max(longest, run - (runs[index] ?? run)), 0);
}
