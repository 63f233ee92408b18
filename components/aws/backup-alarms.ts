import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { firstName, type JobNames, type JobSettings } from "../../providers/config.ts";
import { awsAccount, type AwsAccount } from "./aws-account.ts";
import {
  alarm,
  HOUR_SECONDS,
  LONGEST_LOOK_BACK_HOURS,
  NAMESPACE,
  type AlarmContext,
  RULE_NAME,
} from "./backup-alarms/alarm.ts";
import { markDueTimes, rareLateness, type RareJob } from "./backup-alarms/rare-jobs.ts";
import { receiptsQueue, storedObjectRule } from "./backup-alarms/stored-object.ts";
import { makeTopic, makeTopicKey, subscribe } from "./backup-alarms/topic.ts";
import { familyStart } from "./backup-runner/purposes.ts";
import { firstRun } from "../../providers/fields/cron.ts";
import { cadence } from "../../providers/fields/cadence.ts";
import type { RoleLimits } from "./service-role.ts";
import { fitName } from "../fit-name.ts";
import { GOOD_EXIT_CODES } from "./task-ends.ts";

/** Ends of a task that its exit code does not tell: one that could not start has none. */
const BAD_STOP_CODES = [
  "TaskFailedToStart",
  "SpotInterruption",
  "TerminationNotice",
  "UserInitiated",
  "InfrastructureHealth",
];

/**
 * Tells the topic of every task of the cluster that failed, was killed or could not start: backup, prune, drill, report, restore.
 *
 * @param restarts how often a scheduled task is started again that was killed or could not start, which the message says
 * @param definitions with what the ARNs of the task definitions begin that are watched. Default: all are.
 */
function tellOfFailedTasks(
  { parent, name, stack, topicArn, tags }: AlarmContext,
  clusterArn: pulumi.Input<string>,
  restarts: number,
  definitions?: pulumi.Input<string>,
): void {
  const rule = new aws.cloudwatch.EventRule(
    fitName(`${name}-failed-task`, RULE_NAME),
    {
      description: `Tasks of the backups of ${stack} that failed`,
      eventPattern: pulumi.jsonStringify({
        source: ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        detail: {
          clusterArn: [clusterArn],
          ...(definitions !== undefined && { taskDefinitionArn: [{ prefix: definitions }] }),
          lastStatus: ["STOPPED"],
          $or: [{ containers: { exitCode: [{ "anything-but": GOOD_EXIT_CODES }] } }, { stopCode: BAD_STOP_CODES }],
        },
      }),
      tags,
    },
    { parent },
  );
  new aws.cloudwatch.EventTarget(
    `${name}-failed-task-target`,
    {
      rule: rule.name,
      targetId: "topic",
      arn: topicArn,
      inputTransformer: {
        inputPaths: {
          task: "$.detail.taskArn",
          definition: "$.detail.taskDefinitionArn",
          code: "$.detail.containers[0].exitCode",
          reason: "$.detail.stoppedReason",
        },
        // EventBridge puts a text into quotation marks only where the template has them.
        inputTemplate:
          `"A task of the backups of ${stack} failed: <reason> (exit code <code>)."\n` +
          `"Task <task>"\n"Task definition <definition>"` +
          (restarts === 0
            ? ""
            : `\n"If a schedule started it, and it was killed or could not start, it is started again, ${restarts} times at most."`),
      },
    },
    { parent },
  );
}

/** For how long there may be none of what a metric counts. */
interface Watched {
  /** Hours from one to the next at most, the grace included. */
  readonly hours: number;
  /** Hours that one may be late. */
  readonly graceHours: number;
  /** The second in which the first one is due, where that is known: before, and for the grace, none is late. */
  readonly firstDue: pulumi.Output<number | undefined> | undefined;
}

/** A metric by its names. */
type Metric = Required<
  Pick<aws.types.input.cloudwatch.MetricAlarmMetricQueryMetric, "namespace" | "metricName" | "dimensions">
>;

/**
 * Rings when an hourly sum has been below 1 for some hours, or missing.
 *
 * Of a new job the alarm takes the hours for good that are so long ago that no backup was due since: all hours of its window count no
 * sooner than when the first run was due and the grace is over. `EPOCH` has a value for each hour, whether the metric has one or not;
 * if CloudWatch had none, the alarm would ring at once.
 */
function noneFor(metric: Metric, { hours, graceHours, firstDue }: Watched): aws.cloudwatch.MetricAlarmArgs {
  const common = {
    comparisonOperator: "LessThanThreshold",
    threshold: 1,
    evaluationPeriods: hours,
    datapointsToAlarm: hours,
    treatMissingData: "breaching",
  };
  if (firstDue === undefined) return { ...common, ...metric, statistic: "Sum", period: HOUR_SECONDS };
  const expression = firstDue.apply((due) => {
    if (due === undefined) return "FILL(backups, 0)";
    // The window's first hour; its last one begins when the grace is over.
    const counted = due + Math.ceil(graceHours * HOUR_SECONDS) - (hours - 1) * HOUR_SECONDS;
    return `IF(EPOCH(backups) < ${counted}, 1, FILL(backups, 0))`;
  });
  return {
    ...common,
    metricQueries: [
      { id: "backups", metric: { ...metric, period: HOUR_SECONDS, stat: "Sum" }, returnData: false },
      { id: "counted", label: "Backups, or none due", expression, returnData: true },
    ],
  };
}

/** What the alarms have to know of a job. Its metrics have its first name, as has its folder. */
export interface AlarmJob extends JobNames {
  /** When it runs. A job without a schedule is only watched for tasks that fail. */
  readonly schedule?: JobSettings["schedule"];
  /**
   * The folder of its backups in the bucket, `<prefix>/<stack>/<job>`, without a slash at its end. Left out where the job
   * keeps nothing there.
   */
  readonly prefix?: pulumi.Input<string>;
  /** When it was made, as ISO 8601: before the first run after that, none is late. Default: one is late at once. */
  readonly since?: pulumi.Input<string> | undefined;
}

/** Arguments of {@link BackupAlarms}. */
export interface BackupAlarmsArgs extends RoleLimits {
  /** The stack's name, as it is in the metrics: no other stack of the account and region may have the same. */
  readonly stack: string;
  readonly jobs: readonly AlarmJob[];
  /** The cluster whose tasks are watched: nothing else may run in it, unless `sharedCluster`. */
  readonly clusterArn: pulumi.Input<string>;
  /** The stack's first name, as it is in the metrics. Default: its name. */
  readonly firstStack?: pulumi.Input<string> | undefined;
  /** Whether others run tasks in the cluster: then only task definitions `provision_<stack>_…` are watched. Default false. */
  readonly sharedCluster?: boolean;
  /** The bucket, which has to send its events to EventBridge. */
  readonly bucketName: pulumi.Input<string>;
  /** Where schedules leave what they could not start. */
  readonly deadLetterQueueName: pulumi.Input<string>;
  /**
   * KMS key of the topic, which has to let `cloudwatch.amazonaws.com` and `events.amazonaws.com` use it. Default: one of the topic's
   * own.
   */
  readonly keyArn?: pulumi.Input<string>;
  /** A topic that exists, in place of a new one. Both services have to be allowed to publish to it. */
  readonly topicArn?: pulumi.Input<string>;
  /** Addresses that get the alarms; each has to confirm by a link that AWS sends. Default: none. */
  readonly emails?: readonly string[];
  /** Whether the jobs' schedules are on. If not, the alarms on late and missing backups stay but send nothing. Default true. */
  readonly enabled?: pulumi.Input<boolean>;
  /**
   * Hours that a backup may be late: for how long it takes, and for a run that starts late. A job that runs more rarely than
   * about weekly gets 24 at least. 1 to 144. Default 3.
   */
  readonly graceHours?: number;
  /** How often schedules start a task again that was killed or could not start: messages about one say so. Default 0. */
  readonly restarts?: number;
  /** Percents by which a backup may be smaller than the last one, before compression. Default 50. */
  readonly shrinkPercent?: number;
  /** Tags of whatever has tags. */
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/** The shortest grace of a rare job, whose alarm counts from the time at which it was due. */
const RARE_GRACE_HOURS = 24;

/** Hours that stay of a week for the alarm of a rare job to see what was due. */
const LONGEST_GRACE_HOURS = 144;

/**
 * Tells people when backups do not happen, by signals that do not depend on each other:
 *
 * - **No verified backup in time** (`late`): no `RunSucceeded` in the runner's metrics for as long as the schedule's longest
 *   gap and the grace. No data counts as no backup, so it rings too when nothing runs at all. For what runs more rarely than
 *   weekly, see `markDueTimes`.
 * - **No object where one should be** (`no-object`): S3 itself told of no new manifest for as long. Only for jobs that run at
 *   least every week less the grace: nothing of S3's lasts longer in an alarm.
 * - **A task that failed, was killed, or could not start**: a message right away, with AWS's reason.
 * - **A task that could not even be asked for**: the schedules' dead letter queue is not empty.
 * - **A backup much smaller than the last** (`shrunk`), with the same limit as the second one.
 *
 * A schedule that somebody turned off by hand rings too; schedules that the stack itself turns off (`enabled`) do not, for all
 * jobs alike.
 *
 * A new job rings when its first run was due and the grace is over, and no sooner. That needs `since`; a job that gets its schedule
 * later rings until its first backup. The metrics come from the runner's log, so each job needs
 * `monitor: { kind: log, metrics: cloudwatch }`.
 *
 * Limits: 300 rules an event bus, so 299 jobs with a prefix in an account and region unless AWS raises it. Costs a month: 0.10
 * USD an alarm, 0.30 for each metric of a rare job, 1.00 for the topic's key.
 */
export class BackupAlarms extends pulumi.ComponentResource {
  /** The topic that gets all alarms. */
  readonly topicArn: pulumi.Output<string>;

  constructor(name: string, args: BackupAlarmsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupAlarms", name, {}, opts);
    const { stack, firstStack = stack, tags } = args;
    const graceHours = args.graceHours ?? 3;
    const { enabled = true } = args;
    if (!(graceHours >= 1 && graceHours <= LONGEST_GRACE_HOURS)) {
      throw new pulumi.ResourceError(
        `graceHours is ${graceHours}. Set it to a number from 1 to ${LONGEST_GRACE_HOURS}.`,
        this,
      );
    }
    const account = awsAccount(this);
    this.topicArn =
      args.topicArn === undefined ? this.#makeTopic(`${name}-${stack}`, account, args) : pulumi.output(args.topicArn);
    subscribe(this, name, this.topicArn, args.emails ?? []);
    const context: AlarmContext = {
      parent: this,
      name: `${name}-${stack}`,
      stack,
      topicArn: this.topicArn,
      permissionsBoundary: args.permissionsBoundary,
      rolePath: args.rolePath,
      tags,
    };
    const { sharedCluster = false } = args;
    tellOfFailedTasks(
      context,
      args.clusterArn,
      args.restarts ?? 0,
      sharedCluster ? ofStack(stack, account) : undefined,
    );
    alarm(context, "dead-letters", deadLetters(stack, args.deadLetterQueueName), false);

    const queueArn = args.jobs.some(({ prefix, schedule }) => prefix !== undefined && schedule !== undefined)
      ? receiptsQueue(context, account)
      : undefined;
    const bucketName = pulumi.output(args.bucketName);
    const rare: RareJob[] = [];
    for (const job of args.jobs) {
      const { schedule, prefix, since } = job;
      if (schedule === undefined) continue;
      const firstDue = since === undefined ? undefined : pulumi.output(since).apply((made) => dueAfter(schedule, made));
      const hours = Math.ceil(cadence(schedule.cron).longestHours + graceHours);
      if (hours > LONGEST_LOOK_BACK_HOURS) {
        rare.push({ ...job, schedule });
        const grace = Math.max(Math.ceil(graceHours), RARE_GRACE_HOURS);
        const late = {
          ...rareLateness(firstStack, firstName(job), grace, firstDue),
          alarmDescription: describeLate(stack, job.name, grace),
        };
        alarm(context, "late", { ...late, actionsEnabled: enabled }, true, job);
        continue;
      }
      const watched = { hours, graceHours, firstDue };
      const late = { ...succeeded(firstStack, job, watched), alarmDescription: describeLate(stack, job.name, hours) };
      alarm(context, "late", { ...late, actionsEnabled: enabled }, true, job);
      alarm(context, "shrunk", shrunk(stack, firstStack, job, hours, args.shrinkPercent ?? 50), false, job);
      if (prefix !== undefined && queueArn !== undefined) {
        const rule = storedObjectRule(context, job, prefix, bucketName, queueArn);
        const missing = { ...stored(stack, job.name, watched, rule), actionsEnabled: enabled };
        alarm(context, "no-object", missing, true, job);
      }
    }
    if (rare.length > 0) markDueTimes(context, firstStack, account, rare, enabled);
    this.registerOutputs({ topicArn: this.topicArn });
  }

  #makeTopic(name: string, account: AwsAccount, { stack, keyArn, tags }: BackupAlarmsArgs): pulumi.Output<string> {
    const options = { stack, tags };
    const topicKeyArn = keyArn ?? makeTopicKey(this, name, account, options);
    return makeTopic(this, name, account, { ...options, keyArn: topicKeyArn });
  }
}

/** The second in which a job is first due after it was made; undefined where that is not known. */
function dueAfter(schedule: NonNullable<AlarmJob["schedule"]>, made: string): number | undefined {
  const time = new Date(made);
  return Number.isNaN(time.getTime()) ? undefined : firstRun(schedule, time).getTime() / 1000;
}

function succeeded(stack: pulumi.Input<string>, job: JobNames, watched: Watched): aws.cloudwatch.MetricAlarmArgs {
  const dimensions = { stack, job: firstName(job) };
  return noneFor({ namespace: NAMESPACE, metricName: "RunSucceeded", dimensions }, watched);
}

function stored(
  stack: string,
  job: string,
  watched: Watched,
  rule: pulumi.Input<string>,
): aws.cloudwatch.MetricAlarmArgs {
  return {
    ...noneFor({ namespace: "AWS/Events", metricName: "MatchedEvents", dimensions: { RuleName: rule } }, watched),
    alarmDescription: `S3 has got no backup of the job ${job} of ${stack} for ${watched.hours} hours, whatever the runner says. Check the job's last log.`,
  };
}

/**
 * Compares each backup with the one before: the sizes, repeated from one backup to the next, and the change from hour to
 * hour. The window holds both backups, and the alarm ends by itself when the older one leaves it.
 */
function shrunk(
  stack: string,
  first: pulumi.Input<string>,
  job: JobNames,
  hours: number,
  percent: number,
): aws.cloudwatch.MetricAlarmArgs {
  return {
    alarmDescription: `A backup of the job ${job.name} of ${stack} is more than ${percent} % smaller than the one before it. See whether data is missing in the database before prune lets go of the older backups.`,
    metricQueries: [
      {
        id: "bytes",
        metric: {
          namespace: NAMESPACE,
          metricName: "PlainBytes",
          dimensions: { stack: first, job: firstName(job) },
          period: HOUR_SECONDS,
          stat: "Minimum",
        },
        returnData: false,
      },
      { id: "held", expression: "FILL(bytes, REPEAT)", returnData: false },
      {
        id: "change",
        label: "Change of size in percent",
        expression: "100 * DIFF(held) / (held - DIFF(held))",
        returnData: true,
      },
    ],
    comparisonOperator: "LessThanThreshold",
    threshold: -percent,
    evaluationPeriods: hours,
    datapointsToAlarm: 1,
    treatMissingData: "notBreaching",
  };
}

function deadLetters(stack: string, queue: pulumi.Input<string>): aws.cloudwatch.MetricAlarmArgs {
  return {
    alarmDescription: `EventBridge Scheduler could not start a task of the backups of ${stack}. The message in the queue says why; the alarm ends once the queue is empty: aws sqs purge-queue --queue-url "$(pulumi stack output deadLetterQueue)".`,
    namespace: "AWS/SQS",
    metricName: "ApproximateNumberOfMessagesVisible",
    dimensions: { QueueName: queue },
    statistic: "Maximum",
    period: 300,
    comparisonOperator: "GreaterThanThreshold",
    threshold: 0,
    evaluationPeriods: 1,
    treatMissingData: "notBreaching",
  };
}

/** What the ARNs of the stack's task definitions begin with. */
function ofStack(stack: string, { partition, region, id }: AwsAccount): pulumi.Output<string> {
  return pulumi.interpolate`arn:${partition}:ecs:${region}:${id}:task-definition/${familyStart(stack)}`;
}

function describeLate(stack: string, job: string, hours: number): string {
  return `The job ${job} of ${stack} has had no verified backup for ${hours} hours, or since it was due. Check the job's last log, and run it by hand.`;
}
