import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { JobSettings, PolicyStatement } from "../../providers/config.ts";
import { awsAccount, type AwsAccount } from "./aws-account.ts";
import { scheduleExpression } from "./backup-schedule/expression.ts";
import { runInput, runMachine } from "./backup-schedule/run-machine.ts";
import { fitName } from "../fit-name.ts";
import { denyWithoutTls, policy } from "./policy.ts";
import { serviceRole, trustPolicy, type RolePolicies, type ServiceRole } from "./service-role.ts";

/** What the scheduler may do: have tasks run, and leave what it could not start in the queue. */
function schedulerStatements(
  { partition, region, id }: pulumi.Unwrap<AwsAccount>,
  needs: {
    readonly machineArns: readonly string[];
    readonly queueArn: string;
    readonly keyArn: string;
    readonly groupName: string;
  },
): PolicyStatement[] {
  return [
    { Effect: "Allow", Action: ["states:StartExecution"], Resource: needs.machineArns },
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

/** What the state machine may do: start these tasks in this cluster, hand them their roles, see and stop them, and fill the queue. */
function machineStatements(
  { partition, region, id }: pulumi.Unwrap<AwsAccount>,
  needs: {
    readonly clusterArn: string;
    readonly queueArn: string;
    readonly roleArns: readonly string[];
    readonly families: readonly string[];
  },
): PolicyStatement[] {
  const ecs = `arn:${partition}:ecs:${region}:${id}`;
  const tasks = `${ecs}:task/${needs.clusterArn.split("/").at(-1) ?? ""}/*`;
  return [
    {
      Effect: "Allow",
      Action: ["ecs:RunTask"],
      Resource: needs.families.map((family) => `${ecs}:task-definition/${family}:*`),
      Condition: { ArnEquals: { "ecs:cluster": needs.clusterArn } },
    },
    {
      Effect: "Allow",
      Action: ["ecs:TagResource"],
      Resource: [tasks],
      Condition: { StringEquals: { "ecs:CreateAction": "RunTask" } },
    },
    { Effect: "Allow", Action: ["ecs:DescribeTasks", "ecs:StopTask"], Resource: [tasks] },
    {
      Effect: "Allow",
      Action: ["iam:PassRole"],
      Resource: needs.roleArns,
      Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
    { Effect: "Allow", Action: ["sqs:SendMessage"], Resource: [needs.queueArn] },
  ];
}

/** Characters that AWS allows in the names of a schedule and a group, and of a queue. */
const SCHEDULE_NAME = 64;
const QUEUE_NAME = 80;

/** Minutes over which starts are spread. */
const FLEXIBLE_MINUTES = 5;

/** How often a start that failed is tried again, and for how many seconds. */
const MAX_RETRIES = 3;
const MAX_AGE_SECONDS = 3600;

/** Retries that fit into that time: the pauses between them grow from half a minute to ten. */
const MOST_RETRIES = 8;

/** Seconds for which the queue keeps what could not be started: 14 days, the most that SQS keeps. */
const KEEP_SECONDS = 1_209_600;

/** How often a task is started again that was killed or could not start. */
const RESTARTS = 2;

/** Minutes that a job's run may take if it does not say so. */
const TIMEOUT_MINUTES = 1_440;

/**
 * Schedules that share a state machine. Its role's policy, of 10,240 characters, names each one's task and two roles: a pattern in their place
 * would let it hand a stranger's role to a task.
 */
const A_MACHINE = 24;

/** Characters of a state machine's name. */
const MACHINE_NAME = 80;

/** What is started when. */
export interface ScheduleEntry {
  /** Five fields of cron, and a time zone. */
  readonly schedule: NonNullable<JobSettings["schedule"]>;
  /** The schedule that the runner takes for its job's, or `none` where the job has no schedule. Default: `schedule`. */
  readonly jobSchedule?: NonNullable<JobSettings["schedule"]> | "none";
  /** ARN of the task definition with its revision. */
  readonly taskDefinitionArn: pulumi.Input<string>;
  readonly family: string;
  /** ARNs of the task's two roles, which are passed on to it. */
  readonly roleArns: readonly pulumi.Input<string>[];
  /** Minutes after which the runner ends by itself; a quarter of an hour later its task is stopped. Default 1440. */
  readonly timeoutMinutes?: number;
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
  /**
   * How often a task is started again that could not start, was killed (for want of memory, say), or lost its host, 0 to 3. What ends
   * with an exit code of the runner's is not. Default 2, five and ten minutes later.
   */
  readonly restarts?: number | undefined;
  /** ARN of the KMS key of the schedules. */
  readonly keyArn: pulumi.Input<string>;
  /** ARN of an existing role of the schedules, which stays as it is: see `policies`. Default: one of the component's own. */
  readonly roleArn?: pulumi.Input<string> | undefined;
  /** The same of the state machine that runs the tasks: see `machinePolicies`. */
  readonly machineRoleArn?: pulumi.Input<string> | undefined;
  /** ARN of the policy that bounds what the roles can ever be allowed. Default: none. */
  readonly permissionsBoundary?: pulumi.Input<string> | undefined;
  /** IAM path of the roles, for instance `/backups/`. Default `/`. */
  readonly rolePath?: pulumi.Input<string> | undefined;
  /** Tags of everything that can have some. AWS knows none for a schedule: its group has them. */
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * Starts tasks on time with EventBridge Scheduler: a group, a schedule for each entry, and a queue for what could not be started.
 * Between the schedules and the tasks is a state machine of Step Functions for each 24 of them: it stops a task that runs for too long,
 * and starts one again that was killed or could not start (see `runMachine`).
 *
 * - A failed start is retried three times in an hour. AWS's default, 185 times in a day, would start a nightly backup at noon.
 * - The flexible window is five minutes: Sentry reports a run as missed after ten.
 * - The queue has SQS's own key: it holds only names of tasks, and a failing KMS key would lose the message about a failure.
 * - The runner reads its schedule from a variable: its monitors need it, and its task definition need not change with it.
 * - An execution's history stays for 90 days and holds nothing but names; no log of it is written.
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
  /** What an existing role of the schedules needs. */
  readonly policies: RolePolicies | undefined;
  /** What an existing role of the state machine needs. */
  readonly machinePolicies: RolePolicies | undefined;

  /** @throws RunError where a schedule is none that AWS has */
  constructor(name: string, args: BackupScheduleArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupSchedule", name, {}, opts);
    const { stack, flexibleMinutes = FLEXIBLE_MINUTES } = args;
    const own = `${name}-${stack}`;
    const tags = { tags: args.tags };
    const account = awsAccount(this);
    const group = new aws.scheduler.ScheduleGroup(fitName(own, SCHEDULE_NAME), tags, {
      parent: this,
    });
    const queue = this.#deadLetterQueue(`${own}-not-started`, tags);
    const machines = this.#machines(own, account, queue, args);
    const machineOf = new Map(machines.flatMap(({ keys, arn }) => keys.map((key) => [key, arn])));
    const role = serviceRole(
      `${own}-start-run`,
      {
        // What AWS compares with is the group, not the single schedule.
        trust: trustPolicy({ service: "scheduler.amazonaws.com", sourceArn: group.arn, account: account.id }),
        description: `EventBridge Scheduler has backup tasks of the stack ${stack} run with it.`,
        statements: pulumi
          .all([account, pulumi.all(machines.map(({ arn }) => arn)), queue.arn, args.keyArn, group.name])
          .apply(([where, machineArns, queueArn, keyArn, groupName]) =>
            schedulerStatements(where, { machineArns, queueArn, keyArn, groupName }),
          ),
        existing: args.roleArn,
        permissionsBoundary: args.permissionsBoundary,
        rolePath: args.rolePath,
        tags: args.tags,
      },
      this,
    );
    const state = pulumi.output(args.enabled ?? true).apply((enabled) => (enabled ? "ENABLED" : "DISABLED"));
    const schedules = Object.entries(args.entries).map(([key, entry]): [string, pulumi.Output<string>] => {
      const { cron, timezone } = entry.schedule;
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
          state,
          kmsKeyArn: args.keyArn,
          target: {
            arn: machineOf.get(key) ?? "",
            roleArn: role.arn,
            input: pulumi.output(entry.taskDefinitionArn).apply((arn) =>
              JSON.stringify(
                runInput(arn, entry.jobSchedule ?? entry.schedule, {
                  timeoutMinutes: entry.timeoutMinutes ?? TIMEOUT_MINUTES,
                  restarts: args.restarts ?? RESTARTS,
                }),
              ),
            ),
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
    this.roleArns = [role.arn];
    this.policies = role.policies;
    this.machinePolicies = machines[0]?.policies;
    this.registerOutputs({
      groupName: this.groupName,
      scheduleArns: this.scheduleArns,
      deadLetterQueueName: this.deadLetterQueueName,
      deadLetterQueueUrl: this.deadLetterQueueUrl,
      deadLetterQueueArn: this.deadLetterQueueArn,
      roleArns: this.roleArns,
    });
  }

  /** The machines, each with the keys of its entries. An existing role has one machine for all. */
  #machines(own: string, account: AwsAccount, queue: aws.sqs.Queue, args: BackupScheduleArgs) {
    const entries = Object.entries(args.entries);
    const size = args.machineRoleArn === undefined ? A_MACHINE : Math.max(1, entries.length);
    return Array.from({ length: Math.max(1, Math.ceil(entries.length / size)) }, (_, index) => {
      const part = entries.slice(index * size, (index + 1) * size);
      const suffix = index === 0 ? "" : `-${index + 1}`;
      const given = { ...args, entries: Object.fromEntries(part) };
      const role = this.#machineRole(`${own}-run-tasks${suffix}`, account, queue, given);
      const { arn } = this.#machine(`${own}-run${suffix}`, account, queue, role, args);
      return { keys: part.map(([key]) => key), arn, policies: role.policies };
    });
  }

  #machineRole(name: string, account: AwsAccount, queue: aws.sqs.Queue, args: BackupScheduleArgs): ServiceRole {
    const entries = Object.values(args.entries);
    return serviceRole(
      name,
      {
        trust: trustPolicy({
          service: "states.amazonaws.com",
          // The machine has no name before its role is there: all of the account's in this region.
          sourceArn: pulumi.interpolate`arn:${account.partition}:states:${account.region}:${account.id}:stateMachine:*`,
          account: account.id,
        }),
        description: `Step Functions runs backup tasks of the stack ${args.stack} with it.`,
        statements: pulumi
          .all([
            account,
            args.clusterArn,
            queue.arn,
            pulumi.all([...new Set(entries.flatMap(({ roleArns }) => roleArns))]),
          ])
          .apply(([where, clusterArn, queueArn, roleArns]) =>
            machineStatements(where, { clusterArn, queueArn, roleArns, families: entries.map(({ family }) => family) }),
          ),
        existing: args.machineRoleArn,
        permissionsBoundary: args.permissionsBoundary,
        rolePath: args.rolePath,
        tags: args.tags,
      },
      this,
    );
  }

  #machine(
    name: string,
    account: AwsAccount,
    queue: aws.sqs.Queue,
    role: ServiceRole,
    { network, clusterArn, maxRetries = MAX_RETRIES, tags }: BackupScheduleArgs,
  ): aws.sfn.StateMachine {
    const { subnetIds, securityGroupIds, assignPublicIp } = network;
    const definition = pulumi
      .all([account.partition, clusterArn, queue.id, subnetIds, securityGroupIds, assignPublicIp])
      .apply(([partition, cluster, queueUrl, subnets, groups, publicIp]) =>
        JSON.stringify(
          runMachine({
            partition,
            clusterArn: cluster,
            subnetIds: subnets,
            securityGroupIds: groups,
            assignPublicIp: publicIp,
            queueUrl,
            maxRetries: Math.min(maxRetries, MOST_RETRIES),
          }),
        ),
      );
    return new aws.sfn.StateMachine(
      fitName(name, MACHINE_NAME),
      { definition, roleArn: role.arn, tags },
      { parent: this },
    );
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

function expressionOf(key: string, cron: string): string {
  try {
    return scheduleExpression(cron);
  } catch (error) {
    throw new pulumi.RunError(`The schedule ${key} cannot run at "${cron}": ${(error as Error).message}.`);
  }
}
