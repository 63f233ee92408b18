import type { JobSettings } from "../../../providers/config.ts";
import type { JobTasks } from "../backup-runner.ts";
import { formerNames } from "../former-names.ts";
import type { Purpose } from "../backup-runner/purposes.ts";
import type { ScheduleEntry } from "../backup-schedule.ts";

type Schedule = NonNullable<JobSettings["schedule"]>;

/** When old backups go where nobody says otherwise: at noon, far from the nights in which backups are made. */
const PRUNE_CRON = "0 12 * * *";

/** The name of a task's schedule: the job's, and with `_`, which no job's name has, the purpose where it is not the backup. */
export function entryName(job: string, purpose: string): string {
  return purpose === "backup" ? job : `${job}_${purpose}`;
}

/** What is started when: each job's backup, its prune, its drill and its report. */
export function scheduleEntries(
  jobs: readonly JobSettings[],
  tasks: Readonly<Record<string, JobTasks>>,
): Record<string, ScheduleEntry> {
  const entries = jobs.flatMap((job) =>
    Object.entries(schedulesOf(job)).flatMap(([purpose, schedule]): [string, ScheduleEntry][] => {
      const task = tasks[job.name]?.[purpose as Purpose];
      if (task === undefined || schedule === undefined) return [];
      const { taskDefinitionArn, family, roleArn, executionRoleArn } = task;
      const { timeoutMinutes } = job;
      // A report names the backups that the schedule missed.
      const told = purpose === "report" ? ({ jobSchedule: job.schedule ?? "none" } as const) : {};
      const roleArns = [roleArn, executionRoleArn];
      const former = formerNames(job, (name) => entryName(name, purpose)).map(({ name }) => name);
      return [
        [
          entryName(job.name, purpose),
          { schedule, ...told, taskDefinitionArn, family, roleArns, former, timeoutMinutes },
        ],
      ];
    }),
  );
  return Object.fromEntries(entries);
}

/** A job that is run by hand alone is pruned by hand too, unless it says when. */
function schedulesOf({
  schedule,
  retention,
  prune,
  drill,
  report,
}: JobSettings): Partial<Record<Purpose, Schedule | undefined>> {
  const byDefault = schedule && { cron: PRUNE_CRON, timezone: schedule.timezone };
  return {
    backup: schedule,
    prune: retention && (prune?.schedule ?? byDefault),
    drill: drill?.schedule,
    report: report?.schedule,
  };
}
