import * as pulumi from "@pulumi/pulumi";
import type { JobSettings } from "../../../providers/config.ts";
import type { BackupTask, JobTasks } from "../backup-runner.ts";
import { secretVariables } from "../backup-runner/job-config.ts";
import type { TaskNetwork } from "../backup-schedule.ts";
import { CONTAINER_NAME } from "../backup-runner/container.ts";
import { quote } from "../../host/shell.ts";

/** The commands of the AWS CLI that a person needs for a job. Each that starts a task prints its ARN; the log has the rest. */
export interface RunCommands {
  /** Makes a backup now. */
  readonly run: pulumi.Output<string>;
  /** Follows the log of whatever runs. */
  readonly follow: pulumi.Output<string>;
  /** Lists the backups. */
  readonly list: pulumi.Output<string>;
  /** Restores the newest backup into the job's own database, once that is empty. */
  readonly restore: pulumi.Output<string>;
  /** Removes what the retention no longer keeps; only where the job has one. */
  readonly prune?: pulumi.Output<string>;
  /** Restores into a scratch database and compares; only where the job has drills. */
  readonly drill?: pulumi.Output<string>;
  /** Publishes what is recoverable and what proves it; only where the job has reports. */
  readonly report?: pulumi.Output<string>;
}

/** Where tasks are started. */
export interface TaskPlace {
  readonly region: string;
  readonly cluster: pulumi.Input<string>;
  readonly network: TaskNetwork;
}

/** Where the tasks of all jobs are started, in the words of the AWS CLI. */
export interface StartWords {
  readonly region: string;
  readonly cluster: string;
  readonly network: string;
}

/** What the commands of all jobs have in common. */
export function startWords({ region, cluster, network }: TaskPlace): pulumi.Output<StartWords> {
  const { subnetIds, securityGroupIds, assignPublicIp } = network;
  return pulumi
    .all([cluster, pulumi.output(subnetIds), pulumi.output(securityGroupIds), assignPublicIp])
    .apply(([name, subnets, groups, publicIp]) => {
      const address = publicIp ? "ENABLED" : "DISABLED";
      const configuration = `awsvpcConfiguration={subnets=[${subnets.join(",")}],securityGroups=[${groups.join(",")}],assignPublicIp=${address}}`;
      return { region, cluster: name, network: quote(configuration) };
    });
}

/**
 * The commands for a job's tasks.
 *
 * @param start see {@link startWords}
 */
export function runCommands(
  job: JobSettings,
  tasks: JobTasks,
  region: string,
  start: pulumi.Output<StartWords>,
): RunCommands {
  const { backup, prune, drill, report, restore } = tasks;
  const { logStreamPrefix } = backup;
  const streams = logStreamPrefix === undefined ? "" : ` --log-stream-name-prefix ${logStreamPrefix}`;
  return {
    run: runTask(backup, start),
    follow: backup.logGroupName.apply((group) => `aws logs tail ${group}${streams} --follow --region ${region}`),
    list: runTask(restore, start, ["list"]),
    restore: runTask(restore, start, ["restore", "latest", "--to", `env:${databaseVariable(job)}`]),
    ...(prune !== undefined && { prune: runTask(prune, start) }),
    ...(drill !== undefined && { drill: runTask(drill, start) }),
    ...(report !== undefined && { report: runTask(report, start) }),
  };
}

/** The variable of a task in which the URL of the job's database is. */
function databaseVariable(job: JobSettings): string {
  const ref = JSON.stringify(job.database.url);
  const found = secretVariables(job, "restore").find(({ source }) => JSON.stringify(source) === ref);
  if (found === undefined) throw new Error(`the restore task of ${job.name} does not get its database's URL`);
  return found.variable;
}

/** Names the revision: two projects of one account may have a family of the same name, of which ECS takes the newest. */
function runTask(
  { taskDefinitionArn }: BackupTask,
  start: pulumi.Output<StartWords>,
  command?: readonly string[],
): pulumi.Output<string> {
  const overrides = JSON.stringify({ containerOverrides: [{ name: CONTAINER_NAME, command }] });
  const given = command === undefined ? "" : ` --overrides ${quote(overrides)}`;
  return pulumi
    .all([start, taskDefinitionArn])
    .apply(
      ([{ region, cluster, network }, definition]) =>
        `aws ecs run-task --region ${region} --cluster ${cluster} --task-definition ${definition} --launch-type FARGATE --network-configuration ${network}${given} --query 'tasks[0].taskArn' --output text`,
    );
}
