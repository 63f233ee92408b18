import { cadence } from "../../../providers/fields/cadence.ts";
import type { JobConfig } from "../../../providers/config.ts";
import type { Check } from "../../../providers/database/database.ts";
import { parseDuration } from "../../../providers/fields/duration.ts";

const HOUR_MS = 3_600_000;

/** Hours of a year: what is as far apart does not run twice in every year. */
const YEAR_HOURS = 365 * 24;

/** Whether the job's schedule can keep what `objectives.recoveryPoint` promises; nothing where it has not both. */
export function* checkObjectives({
  objectives,
  schedule,
}: Pick<JobConfig, "objectives" | "schedule">): Generator<Check> {
  if (objectives?.recoveryPoint === undefined || schedule === undefined) return;
  const name = "objectives: schedule";
  const hours = cadence(schedule.cron).longestHours;
  const objective = `objectives.recoveryPoint is ${objectives.recoveryPoint}`;
  const between =
    hours < YEAR_HOURS ? `up to ${Math.ceil(hours)} h are between its runs` : "it runs less than twice a year";
  if (hours * HOUR_MS <= parseDuration(objectives.recoveryPoint)) {
    yield { name, ok: true, detail: `${objective}, and ${between}` };
  } else {
    const fix = "Run the job more often, or promise a longer recoveryPoint.";
    yield { name, ok: true, detail: `${objective}, but ${between} ("${schedule.cron}")`, fix };
  }
}
