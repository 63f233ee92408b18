import { createHash } from "node:crypto";
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { JobSettings, PolicyStatement } from "../../providers/config.ts";
import { SCHEDULE_VARIABLE, writeSchedule } from "../../providers/environment.ts";
import { awsAccount, type AwsAccount } from "./aws-account.ts";
import { scheduleExpression } from "./backup-schedule/expression.ts";
import { CONTAINER_NAME } from "./backup-runner/container.ts";
import { fitName } from "../fit-name.ts";
import { denyWithoutTls, policy } from "./policy.ts";
import { serviceRole, type RolePolicies, type ServiceRole } from "./service-role.ts";

/** Characters that AWS allows in the names of a schedule and a group, and of a queue. */
const SCHEDULE_NAME = 64;
const QUEUE_NAME = 80;

/** Minutes over which starts are spread. */
const FLEXIBLE_MINUTES = 5;

/** How often a start that failed is tried again, and for how many seconds. */
const MAX_RETRIES = 3;
const MAX_AGE_SECONDS = 3600;

/** Seconds for which the queue keeps what could not be started: 14 days, the most that SQS keeps. */
const KEEP_SECONDS = 1_209_600;

/**
 * Roles at most. A role's policy holds 10,240 characters, which is some 30 entries; an account has 1000 roles. With 64 of them
 * 600 entries are nine or ten a role.
 */
const MAX_ROLES = 64;

/** What is started when. */
export interface ScheduleEntry {
  /** Five fields of cron, and a time zone. */
  readonly schedule: NonNullable<JobSettings["schedule"]>;
  /** ARN of the task definition with its revision. */
  readonly taskDefinitionArn: pulumi.Input<string>;
  readonly family: string;
  /** ARNs of the task's two roles, which the scheduler passes on. */
  readonly roleArns: readonly pulumi.Input<string>[];
  /** Its names before its job was renamed, the first one first. Default: none. */
  readonly former?: readonly string[];
}

/** Where the tasks run; see `BackupNetwork`. */
export interface TaskNetwork {
  readonly subnetIds: pulumi.Input<readonly pulumi.Input<string>[]>;
  readonly securityGroupIds: pulumi.Input<readonly pulumi.Input<string>[]>;
  readonly assignPublicIp: pulumi.Input<boolean>;
}

/** Arguments of {@link BackupSchedule}. */
export interface BackupScheduleArgs {
  /** The stack's name. */
  readonly stack: string;
  /** What is started when, by a name: the job's, or the job's and a purpose. */
  readonly entries: Readonly<Record<string, ScheduleEntry>>;
  readonly clusterArn: pulumi.Input<string>;
  readonly network: TaskNetwork;
  /** Whether anything is started. Default true. */
  readonly enabled?: pulumi.Input<boolean> | undefined;
  /**
   * Minutes over which a start may be put off so that not all begin at once, 0 to 1440. Default 5: a monitor waits ten for a run
   * to begin.
   */
  readonly flexibleMinutes?: number | undefined;
  /** How often a start that failed is tried again within an hour, 0 to 185. Default 3. */
  readonly maxRetries?: number | undefined;
  /** ARN of the KMS key of the schedules. */
  readonly keyArn: pulumi.Input<string>;
  /** ARN of an existing role that starts the tasks, which stays as it is: see `policies`. Default: roles of the component's own. */
  readonly roleArn?: pulumi.Input<string> | undefined;
  /** ARN of the policy that bounds what the roles can ever be allowed. Default: none. */
  readonly permissionsBoundary?: pulumi.Input<string> | undefined;
  /** IAM path of the roles, for instance `/backups/`. Default `/`. */
  readonly rolePath?: pulumi.Input<string> | undefined;
  /** Tags of everything that can have some. AWS knows none for a schedule: its group has them. */
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * Starts tasks on time with EventBridge Scheduler: a group, a schedule for each entry, roles that may start exactly these
 * tasks, and a queue for what could not be started.
 *
 * - A failed start is retried three times in an hour. AWS's default, 185 times in a day, would start a nightly backup at noon.
 * - The flexible window is five minutes: Sentry reports a run as missed after ten.
 * - The queue has SQS's own key: it holds only names of tasks, and a failing KMS key would lose the message about a failure.
 * - The runner reads its schedule from a variable: its monitors need it, and its task definition need not change with it.
 */
export class BackupSchedule extends pulumi.ComponentResource {
  readonly groupName: pulumi.Output<string>;
  /** The schedules' ARNs by entry. */
  readonly scheduleArns: Readonly<Record<string, pulumi.Output<string>>>;
  readonly deadLetterQueueName: pulumi.Output<string>;
  readonly deadLetterQueueUrl: pulumi.Output<string>;
  readonly deadLetterQueueArn: pulumi.Output<string>;
  /** ARNs of the scheduler's roles. */
  readonly roleArns: readonly pulumi.Output<string>[];
  /** What an existing role needs. */
  readonly policies: RolePolicies | undefined;

  /** @throws RunError where a schedule is none that AWS has */
  constructor(name: string, args: BackupScheduleArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupSchedule", name, {}, opts);
    const { stack, network, flexibleMinutes = FLEXIBLE_MINUTES } = args;
    const own = `${name}-${stack}`;
    const tags = { tags: args.tags };
    const account = awsAccount(this);
    const group = new aws.scheduler.ScheduleGroup(fitName(own, SCHEDULE_NAME), tags, {
      parent: this,
    });
    const queue = this.#deadLetterQueue(`${own}-not-started`, tags);
    const roles = new Map<string, ServiceRole>();
    const groups = args.roleArn === undefined ? spread(args.entries) : [["", Object.entries(args.entries)] as const];
    for (const [bucket, entries] of groups) {
      const statements = pulumi
        .all([
          account,
          args.clusterArn,
          queue.arn,
          args.keyArn,
          group.name,
          pulumi.all(entries.flatMap(([, { roleArns }]) => roleArns)),
        ])
        .apply(([where, clusterArn, queueArn, keyArn, groupName, roleArns]) =>
          schedulerStatements(where, {
            clusterArn,
            queueArn,
            keyArn,
            groupName,
            roleArns,
            families: entries.map(([, { family }]) => family),
          }),
        );
      const role = serviceRole(
        `${own}-scheduler-${bucket}`,
        {
          service: "scheduler.amazonaws.com",
          // What AWS compares with is the group, not the single schedule.
          sourceArn: group.arn,
          account: account.id,
          description: `EventBridge Scheduler starts backup tasks of the stack ${stack} with it.`,
          statements,
          existing: args.roleArn,
          permissionsBoundary: args.permissionsBoundary,
          rolePath: args.rolePath,
          tags: args.tags,
        },
        this,
      );
      for (const [key] of entries) roles.set(key, role);
    }
    const schedules = Object.entries(args.entries).map(([key, entry]): [string, pulumi.Output<string>] => {
      const { cron, timezone } = entry.schedule;
      const role = roles.get(key);
      if (role === undefined) throw new Error(`no role for the schedule ${key}`);
      const child = (name: string) => fitName(`${own}-${name}`, SCHEDULE_NAME);
      const schedule = new aws.scheduler.Schedule(
        child(key),
        {
          description: `Starts the task ${entry.family}.`,
          groupName: group.name,
          scheduleExpression: expressionOf(key, cron),
          scheduleExpressionTimezone: timezone,
          flexibleTimeWindow:
            flexibleMinutes === 0 ? { mode: "OFF" } : { mode: "FLEXIBLE", maximumWindowInMinutes: flexibleMinutes },
          state: pulumi.output(args.enabled ?? true).apply((enabled) => (enabled ? "ENABLED" : "DISABLED")),
          kmsKeyArn: args.keyArn,
          target: {
            arn: args.clusterArn,
            roleArn: role.arn,
            ecsParameters: {
              taskDefinitionArn: entry.taskDefinitionArn,
              taskCount: 1,
              launchType: "FARGATE",
              platformVersion: "LATEST",
              propagateTags: "TASK_DEFINITION",
              enableEcsManagedTags: true,
              enableExecuteCommand: false,
              networkConfiguration: {
                subnets: pulumi.output(network.subnetIds).apply((ids) => [...ids]),
                securityGroups: pulumi.output(network.securityGroupIds).apply((ids) => [...ids]),
                assignPublicIp: network.assignPublicIp,
              },
            },
            input: overrides(entry),
            retryPolicy: {
              maximumEventAgeInSeconds: MAX_AGE_SECONDS,
              maximumRetryAttempts: args.maxRetries ?? MAX_RETRIES,
            },
            deadLetterConfig: { arn: queue.arn },
          },
        },
        { parent: this, aliases: (entry.former ?? []).map((former) => ({ name: child(former) })) },
      );
      return [key, schedule.arn];
    });
    this.groupName = group.name;
    this.scheduleArns = Object.fromEntries(schedules);
    this.deadLetterQueueName = queue.name;
    this.deadLetterQueueUrl = queue.url;
    this.deadLetterQueueArn = queue.arn;
    this.roleArns = [...new Set(roles.values())].map(({ arn }) => arn);
    [this.policies] = [...roles.values()].map(({ policies }) => policies);
    this.registerOutputs({
      groupName: this.groupName,
      scheduleArns: this.scheduleArns,
      deadLetterQueueName: this.deadLetterQueueName,
      deadLetterQueueUrl: this.deadLetterQueueUrl,
      deadLetterQueueArn: this.deadLetterQueueArn,
      roleArns: this.roleArns,
    });
  }

  #deadLetterQueue(name: string, tags: Pick<aws.sqs.QueueArgs, "tags">) {
    const queue = new aws.sqs.Queue(
      fitName(name, QUEUE_NAME),
      { messageRetentionSeconds: KEEP_SECONDS, sqsManagedSseEnabled: true, ...tags },
      { parent: this },
    );
    new aws.sqs.QueuePolicy(
      fitName(name, QUEUE_NAME),
      {
        queueUrl: queue.id,
        policy: policy(denyWithoutTls("sqs:*", queue.arn)),
      },
      { parent: this },
    );
    return queue;
  }
}

type NamedEntry = readonly [key: string, entry: ScheduleEntry];

/** The entries by role. Which one an entry has depends on its own name alone: another entry more or less changes nothing. */
function spread(entries: BackupScheduleArgs["entries"]): Map<string, NamedEntry[]> {
  const found = new Map<string, NamedEntry[]>();
  for (const entry of Object.entries(entries)) {
    const number = createHash("sha256").update(entry[1].former?.[0] ?? entry[0]).digest().readUInt16BE() % MAX_ROLES;
    const bucket = String(number).padStart(2, "0");
    const others = found.get(bucket);
    if (others === undefined) found.set(bucket, [entry]);
    else others.push(entry);
  }
  return found;
}

/** What the scheduler may do: start these tasks in this cluster, hand them their roles, and tell of what it could not start. */
function schedulerStatements(
  { partition, region, id }: pulumi.Unwrap<AwsAccount>,
  needs: {
    readonly clusterArn: string;
    readonly queueArn: string;
    readonly keyArn: string;
    readonly groupName: string;
    readonly roleArns: readonly string[];
    readonly families: readonly string[];
  },
): PolicyStatement[] {
  const ecs = `arn:${partition}:ecs:${region}:${id}`;
  return [
    {
      Effect: "Allow",
      Action: ["ecs:RunTask"],
      Resource: [...new Set(needs.families)].map((family) => `${ecs}:task-definition/${family}:*`),
      Condition: { ArnEquals: { "ecs:cluster": needs.clusterArn } },
    },
    {
      Effect: "Allow",
      Action: ["ecs:TagResource"],
      Resource: [`${ecs}:task/${needs.clusterArn.split("/").at(-1) ?? ""}/*`],
      Condition: { StringEquals: { "ecs:CreateAction": "RunTask" } },
    },
    {
      Effect: "Allow",
      Action: ["iam:PassRole"],
      Resource: [...new Set(needs.roleArns)],
      Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
    { Effect: "Allow", Action: ["sqs:SendMessage"], Resource: [needs.queueArn] },
    {
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: [needs.keyArn],
      Condition: {
        ArnLike: {
          "kms:EncryptionContext:aws:scheduler:schedule:arn": `arn:${partition}:scheduler:${region}:${id}:schedule/${needs.groupName}/*`,
        },
      },
    },
  ];
}

/** What the schedule adds to the task definition. */
function overrides({ schedule }: ScheduleEntry): string {
  const environment = [{ name: SCHEDULE_VARIABLE, value: writeSchedule(schedule) }];
  return JSON.stringify({
    containerOverrides: [{ name: CONTAINER_NAME, environment }],
  });
}

function expressionOf(key: string, cron: string): string {
  try {
    return scheduleExpression(cron);
  } catch (error) {
    throw new pulumi.RunError(`The schedule ${key} cannot run at "${cron}": ${(error as Error).message}.`);
  }
}
