import * as pulumi from "@pulumi/pulumi";
import type { JobSettings } from "../../../providers/config.ts";
import type { JobTasks } from "../backup-runner.ts";
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

/** The commands for a job's tasks. */
export function runCommands(job: JobSettings, tasks: JobTasks, place: TaskPlace): RunCommands {
  const { backup, prune, drill, report, restore } = tasks;
  const { logStreamPrefix } = backup;
  const streams = logStreamPrefix === undefined ? "" : ` --log-stream-name-prefix ${logStreamPrefix}`;
  return {
    run: runTask(backup.family, place),
    follow: pulumi.interpolate`aws logs tail ${backup.logGroupName}${streams} --follow --region ${place.region}`,
    list: runTask(restore.family, place, ["list"]),
    restore: runTask(restore.family, place, ["restore", "latest", "--to", `env:${databaseVariable(job)}`]),
    ...(prune !== undefined && { prune: runTask(prune.family, place) }),
    ...(drill !== undefined && { drill: runTask(drill.family, place) }),
    ...(report !== undefined && { report: runTask(report.family, place) }),
  };
}

/** The variable of a task in which the URL of the job's database is. */
function databaseVariable(job: JobSettings): string {
  const ref = JSON.stringify(job.database.url);
  const found = secretVariables(job, "restore").find(({ source }) => JSON.stringify(source) === ref);
  if (found === undefined) throw new Error(`the restore task of ${job.name} does not get its database's URL`);
  return found.variable;
}

function runTask(family: string, { region, cluster, network }: TaskPlace, command?: readonly string[]) {
  const overrides = JSON.stringify({ containerOverrides: [{ name: CONTAINER_NAME, command }] });
  const { subnetIds, securityGroupIds, assignPublicIp } = network;
  const where = pulumi
    .all([pulumi.output(subnetIds), pulumi.output(securityGroupIds), assignPublicIp])
    .apply(([subnets, groups, publicIp]) => {
      const address = publicIp ? "ENABLED" : "DISABLED";
      return quote(
        `awsvpcConfiguration={subnets=[${subnets.join(",")}],securityGroups=[${groups.join(",")}],assignPublicIp=${address}}`,
      );
    });
  const given = command === undefined ? "" : ` --overrides ${quote(overrides)}`;
  return pulumi.interpolate`aws ecs run-task --region ${region} --cluster ${cluster} --task-definition ${family} --launch-type FARGATE --network-configuration ${where}${given} --query 'tasks[0].taskArn' --output text`;
}
