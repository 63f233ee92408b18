import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { firstName, type JobNames, type JobSettings } from "../../../providers/config.ts";
import type { AwsAccount } from "../aws-account.ts";
import { scheduleExpression } from "../backup-schedule/expression.ts";
import { fitName } from "../../fit-name.ts";
import { formerNames } from "../former-names.ts";
import { policy } from "../policy.ts";
import { roleLimits } from "../service-role.ts";
import { HOUR_SECONDS, LONGEST_LOOK_BACK_HOURS, NAMESPACE, type AlarmContext } from "./alarm.ts";

/** A job that runs too rarely for an alarm to look back to its last run. */
export interface RareJob extends JobNames {
  readonly schedule: NonNullable<JobSettings["schedule"]>;
}

/** Characters that the names of a schedule, a group and a role may have. */
const NAME = 64;

/** Jobs that one call can write metrics for: two for each, and CloudWatch takes 1000. */
const JOBS_A_CALL = 500;

/**
 * Marks in a metric when a rare job is due, so that its alarm sees within a week what did not follow.
 *
 * CloudWatch looks back a week, and the last run of a weekly or monthly job is further away than that. So EventBridge
 * Scheduler itself writes `BackupDue` = 1 whenever the job is due, whatever becomes of the job's own schedule and task, and
 * the alarm ({@link rareLateness}) counts the hours since then without a `RunSucceeded`. Every day it also writes a 0 to both
 * metrics: without it they would be empty for weeks, which an alarm cannot tell from a scheduler that writes nothing.
 *
 * Other than the schedules of tasks, these have no flexible window, as the alarm counts from the hour; no key, as there is nothing in
 * them but names; and no dead letter queue, as the alarm itself rings when nothing is written.
 *
 * @param firstStack the stack's name in the metrics
 * @param enabled whether jobs become due at all: false where the stack has turned their schedules off
 */
export function markDueTimes(
  { parent, name, stack, tags, ...limits }: AlarmContext,
  firstStack: pulumi.Input<string>,
  account: AwsAccount,
  jobs: readonly RareJob[],
  enabled: pulumi.Input<boolean>,
): void {
  const group = new aws.scheduler.ScheduleGroup(
    fitName(`${name}-due`, NAME),
    { tags },
    {
      parent,
    },
  );
  const role = new aws.iam.Role(
    fitName(`${name}-due-role`, NAME),
    {
      assumeRolePolicy: policy({
        Sid: "MarkDueTimes",
        Effect: "Allow",
        Principal: { Service: "scheduler.amazonaws.com" },
        Action: "sts:AssumeRole",
        Condition: { StringEquals: { "aws:SourceAccount": account.id, "aws:SourceArn": group.arn } },
      }),
      ...roleLimits(limits),
      tags,
    },
    { parent },
  );
  const rolePolicy = new aws.iam.RolePolicy(
    `${name}-due-role-policy`,
    {
      role: role.id,
      policy: policy({
        Sid: "WriteMetrics",
        Effect: "Allow",
        Action: "cloudwatch:PutMetricData",
        // This action knows no resource but the namespace.
        Resource: "*",
        Condition: { StringEquals: { "cloudwatch:namespace": NAMESPACE } },
      }),
    },
    { parent },
  );
  const dueState = pulumi.output(enabled).apply((due) => (due ? "ENABLED" : "DISABLED"));
  const childName = (child: string) => fitName(`${name}-${child}`, NAME);
  const schedule = (
    child: string,
    expression: string,
    timezone: string,
    state: pulumi.Input<string>,
    data: readonly ((stack: string) => Datum)[],
    aliases: pulumi.Alias[] = [],
  ): void => {
    new aws.scheduler.Schedule(
      childName(child),
      {
        groupName: group.name,
        description: `Marks when backups of ${stack} are due, for their alarms`,
        scheduleExpression: expression,
        scheduleExpressionTimezone: timezone,
        flexibleTimeWindow: { mode: "OFF" },
        state,
        target: {
          arn: pulumi.interpolate`arn:${account.partition}:scheduler:::aws-sdk:cloudwatch:putMetricData`,
          roleArn: role.arn,
          input: pulumi
            .output(firstStack)
            .apply((first) => JSON.stringify({ Namespace: NAMESPACE, MetricData: data.map((each) => each(first)) })),
          retryPolicy: { maximumEventAgeInSeconds: HOUR_SECONDS, maximumRetryAttempts: 5 },
        },
      },
      { parent, dependsOn: [rolePolicy], aliases },
    );
  };
  for (const job of jobs) {
    const { cron, timezone } = job.schedule;
    const data = [datum(firstName(job), "BackupDue", 1)];
    const aliases = formerNames(job, (former) => childName(`${former}-due`));
    schedule(`${job.name}-due`, scheduleExpression(cron), timezone, dueState, data, aliases);
  }
  for (let start = 0; start < jobs.length; start += JOBS_A_CALL) {
    const zeros = jobs
      .slice(start, start + JOBS_A_CALL)
      .map(firstName)
      .flatMap((job) => [datum(job, "BackupDue", 0), datum(job, "RunSucceeded", 0)]);
    schedule(start === 0 ? "zeros" : `zeros-${start / JOBS_A_CALL + 1}`, "rate(1 day)", "UTC", "ENABLED", zeros);
  }
}

/** A value of a metric as `PutMetricData` takes it. */
interface Datum {
  readonly MetricName: string;
  readonly Value: number;
  readonly Unit: "Count";
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}

function datum(job: string, metric: string, value: number): (stack: string) => Datum {
  return (stack) => {
    const dimensions = [
      { Name: "stack", Value: stack },
      { Name: "job", Value: job },
    ];
    return { MetricName: metric, Value: value, Unit: "Count", Dimensions: dimensions };
  };
}

/**
 * An alarm on a rare job that was due and has had no success since, nor in the same week before. It ends with a success or
 * after a week, so a monthly job sends one message a month.
 *
 * @param graceHours hours that a run may take after the job was due
 * @param firstDue the second in which a new job is first due: before, missing data mean nothing
 */
export function rareLateness(
  stack: pulumi.Input<string>,
  job: string,
  graceHours: number,
  firstDue?: pulumi.Output<number | undefined>,
): aws.cloudwatch.MetricAlarmArgs {
  // Of the successes the whole sum: the hours before one would otherwise keep the alarm going for a week.
  const overdue = "IF(RUNNING_SUM(FILL(due, 0)) > 0 AND SUM(FILL(succeeded, 0)) < 1, 1, 0)";
  // An hour that is over when the job is due is one before.
  const expression = firstDue?.apply((due) =>
    due === undefined ? overdue : `IF(EPOCH(due) < ${Math.floor(due / HOUR_SECONDS) * HOUR_SECONDS}, 0, ${overdue})`,
  );
  const metric = (id: string, metricName: string) => ({
    id,
    metric: {
      namespace: NAMESPACE,
      metricName,
      dimensions: { stack, job },
      period: HOUR_SECONDS,
      stat: "Sum",
    },
    returnData: false,
  });
  return {
    metricQueries: [
      metric("due", "BackupDue"),
      metric("succeeded", "RunSucceeded"),
      {
        id: "overdue",
        label: "Due without a backup",
        expression: expression ?? overdue,
        returnData: true,
      },
    ],
    comparisonOperator: "GreaterThanOrEqualToThreshold",
    threshold: 1,
    evaluationPeriods: LONGEST_LOOK_BACK_HOURS,
    datapointsToAlarm: graceHours,
    treatMissingData: "breaching",
  };
}
