import type * as pulumi from "@pulumi/pulumi";
import type { JobSettings } from "../../../providers/config.ts";
import type { BackupRunner, BackupTask } from "../backup-runner.ts";
import type { BackupSchedule } from "../backup-schedule.ts";
import type { RolePolicies } from "../service-role.ts";
import { runCommands, startWords, type RunCommands, type TaskPlace } from "./run-commands.ts";
import { entryName } from "./schedule-entries.ts";

/** What a person needs to know of a job. */
export interface AwsJobOutputs extends RunCommands {
  /** The ARNs of its schedules by task: `backup`, and where there are such `prune`, `drill` and `report`. */
  readonly schedules: Readonly<Record<string, pulumi.Output<string>>>;
  /** The ARNs of its task definitions by task. */
  readonly taskDefinitions: Readonly<Record<string, pulumi.Output<string>>>;
  /** The ARNs of its tasks' roles by task, and as `hold` that of the role that holds backups, where the stack names holders. */
  readonly roles: Readonly<Record<string, pulumi.Output<string>>>;
  /** What existing roles need: by task, and as `execution` what ECS starts the tasks with. Only where the job has any. */
  readonly policies?: Readonly<Record<string, RolePolicies>>;
  readonly logGroup: pulumi.Output<string>;
}

/** What a person needs to know, by job. */
export function jobOutputs(
  jobs: readonly JobSettings[],
  { tasks: tasksByJob }: BackupRunner,
  { scheduleArns }: BackupSchedule,
  holders: Readonly<Record<string, pulumi.Output<string>>>,
  place: TaskPlace,
): Record<string, AwsJobOutputs> {
  const start = startWords(place);
  const entries = jobs.map((job): [string, AwsJobOutputs] => {
    const tasks = tasksByJob[job.name];
    if (tasks === undefined) throw new Error(`the runner has no tasks for ${job.name}`);
    const byTask = <T>(value: (task: BackupTask, purpose: string) => T | undefined): Record<string, T> =>
      Object.fromEntries(
        Object.entries(tasks).flatMap(([purpose, task]): [string, T][] => {
          const found = value(task, purpose);
          return found === undefined ? [] : [[purpose, found]];
        }),
      );
    const { executionPolicies: execution } = tasks.backup;
    const hold = holders[job.name];
    const policies = { ...byTask((task) => task.policies), ...(execution !== undefined && { execution }) };
    const outputs: AwsJobOutputs = {
      ...runCommands(job, tasks, place.region, start),
      schedules: byTask((_, purpose) => scheduleArns[entryName(job.name, purpose)]),
      taskDefinitions: byTask(({ taskDefinitionArn }) => taskDefinitionArn),
      roles: { ...byTask(({ roleArn }) => roleArn), ...(hold !== undefined && { hold }) },
      ...(Object.keys(policies).length > 0 && { policies }),
      logGroup: tasks.backup.logGroupName,
    };
    return [job.name, outputs];
  });
  return Object.fromEntries(entries);
}
