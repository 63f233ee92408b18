import * as aws from "@pulumi/aws";
import { describe, expect, it } from "vitest";
import {
  BackupSchedule,
  type BackupScheduleArgs,
  type ScheduleEntry,
} from "../../../components/aws/backup-schedule.ts";
import type { RunInput } from "../../../components/aws/backup-schedule/run-machine.ts";
import { KEY } from "../../helpers/aws-jobs.ts";
import { mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

const task = (family: string): Omit<ScheduleEntry, "schedule"> => ({
  family,
  taskDefinitionArn: `arn:aws:ecs:eu-central-1:123456789012:task-definition/${family}:7`,
  roleArns: [`arn:aws:iam::123456789012:role/${family}`, "arn:aws:iam::123456789012:role/start"],
});

const nightly: ScheduleEntry = {
  schedule: { cron: "30 3 * * 1-5", timezone: "America/Sao_Paulo" },
  ...task("provision_prod_app_backup"),
};
const weekly: ScheduleEntry = {
  schedule: { cron: "0 5 * * 0", timezone: "UTC" },
  ...task("provision_prod_app_prune"),
};

function args(changes: Partial<BackupScheduleArgs> = {}): BackupScheduleArgs {
  return {
    stack: "prod",
    entries: { app: nightly, "app-prune": weekly },
    clusterArn: "arn:aws:ecs:eu-central-1:123456789012:cluster/runner-prod",
    network: { subnetIds: ["subnet-1", "subnet-2"], securityGroupIds: ["sg-1"], assignPublicIp: true },
    keyArn: KEY,
    ...changes,
  };
}

interface ScheduleInputs {
  readonly [key: string]: unknown;
  readonly target: Readonly<Record<string, unknown>>;
}

function schedules(recorded: readonly RecordedResource[]): Map<string, ScheduleInputs> {
  const found = recorded.filter(({ type }) => type === "aws:scheduler/schedule:Schedule");
  return new Map(found.map(({ name, inputs }) => [name, inputs as ScheduleInputs]));
}

async function deploy(changes: Partial<BackupScheduleArgs> = {}, preview = false) {
  const recorded = await mockEngine({ preview });
  const schedule = new BackupSchedule("schedule", args(changes));
  await registered(schedule);
  return { recorded, schedule };
}

describe.each([false, true])("BackupSchedule (preview: %s)", (preview) => {
  it("makes a group, a schedule for each entry, what runs the tasks, roles and a queue for what could not be started", async () => {
    const { recorded } = await deploy({}, preview);
    const kinds = recorded.map(({ type, name }) => `${type.split(":").at(-1) ?? ""} ${name}`).sort();
    expect(kinds).toEqual([
      "BackupSchedule schedule",
      "Queue schedule-prod-not-started",
      "QueuePolicy schedule-prod-not-started",
      "Role schedule-prod-run-tasks",
      "Role schedule-prod-start-run",
      "RolePolicy schedule-prod-run-tasks-policy",
      "RolePolicy schedule-prod-start-run-policy",
      "Schedule schedule-prod-app",
      "Schedule schedule-prod-app-prune",
      "ScheduleGroup schedule-prod",
      "StateMachine schedule-prod-run",
    ]);
  });

  it("takes a cluster and a key that are not known before the deployment", async () => {
    const recorded = await mockEngine({ preview });
    const cluster = new aws.ecs.Cluster("cluster");
    const schedule = new BackupSchedule("schedule", args({ clusterArn: cluster.arn }));
    await registered(schedule);
    expect(schedules(recorded).size).toBe(2);
    const machine = recorded.find(({ type }) => type === "aws:sfn/stateMachine:StateMachine");
    expect(typeof machine?.inputs.definition === "string").toBe(!preview);
  });
});

describe("a schedule", () => {
  it("has its task run in its time zone, in a window, with few retries and a queue for what fails", async () => {
    const { recorded } = await deploy();
    const { target, ...rest } = schedules(recorded).get("schedule-prod-app") ?? { target: {} };
    expect(rest).toEqual({
      description: "Starts the task provision_prod_app_backup.",
      groupName: "schedule-prod",
      scheduleExpression: "cron(30 3 ? * 2-6 *)",
      scheduleExpressionTimezone: "America/Sao_Paulo",
      flexibleTimeWindow: { mode: "FLEXIBLE", maximumWindowInMinutes: 5 },
      state: "ENABLED",
      kmsKeyArn: KEY,
    });
    expect(target).toMatchObject({
      arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:schedule-prod-run",
      roleArn: "arn:aws:iam::123456789012:role/schedule-prod-start-run",
      retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 3 },
      deadLetterConfig: { arn: "arn:aws:sqs:eu-central-1:123456789012:schedule-prod-not-started" },
    });
  });

  it("says which task, when it is started, and after how long it is stopped", async () => {
    const hasty = { ...weekly, timeoutMinutes: 30 };
    const { recorded } = await deploy({ entries: { app: nightly, "app-prune": hasty } });
    const input = (name: string) => JSON.parse(String(schedules(recorded).get(name)?.target.input)) as RunInput;
    expect(input("schedule-prod-app")).toMatchObject({
      taskDefinition: "arn:aws:ecs:eu-central-1:123456789012:task-definition/provision_prod_app_backup:7",
      environment: [{ Name: "PROVISION_SCHEDULE", Value: "30 3 * * 1-5 America/Sao_Paulo" }],
      restarts: 2,
    });
    expect(input("schedule-prod-app-prune").environment).toEqual([
      { Name: "PROVISION_SCHEDULE", Value: "0 5 * * 0 UTC" },
    ]);
    const minutes = (name: string) => (input(name).looks * input(name).lookSeconds) / 60;
    expect([minutes("schedule-prod-app"), minutes("schedule-prod-app-prune")]).toEqual([
      expect.closeTo(1440 + 15, -1),
      30 + 15,
    ]);
  });

  it("changes alone when its time changes, and when another entry comes but for what the machine may do", async () => {
    const before = await deploy();
    const changed = { ...nightly, schedule: { cron: "0 4 * * *", timezone: "UTC" } };
    const other = { ...weekly, family: "provision_prod_other_prune" };
    const after = await deploy({ entries: { other, app: changed, "app-prune": weekly } });
    const others = (recorded: readonly RecordedResource[]) =>
      new Map(recorded.filter(({ type }) => !type.startsWith("provision:")).map((one) => [one.name, one.inputs]));
    const now = others(after.recorded);
    const differing = [...others(before.recorded)].filter(([name, inputs]) => {
      return JSON.stringify(now.get(name)) !== JSON.stringify(inputs);
    });
    expect(differing.map(([name]) => name).sort()).toEqual(["schedule-prod-app", "schedule-prod-run-tasks-policy"]);
  });

  it("can be off, punctual, and tried again never", async () => {
    const { recorded } = await deploy({ enabled: false, flexibleMinutes: 0, maxRetries: 0 });
    expect(schedules(recorded).get("schedule-prod-app")).toMatchObject({
      state: "DISABLED",
      flexibleTimeWindow: { mode: "OFF" },
      target: { retryPolicy: { maximumRetryAttempts: 0 } },
    });
  });

  it("is refused at a time that AWS does not have", async () => {
    await mockEngine();
    const both = { ...nightly, schedule: { cron: "0 3 1 * 1", timezone: "UTC" } };
    expect(() => new BackupSchedule("schedule", args({ entries: { app: both } }))).toThrow(
      'The schedule app cannot run at "0 3 1 * 1": it names days of the month ("1") and days of the week ("1"), which ' +
        "EventBridge Scheduler cannot; write * for one of the two.",
    );
    await registered();
  });

  it("tells of failed starts in a queue that has the stack's tags", async () => {
    const { recorded } = await deploy({ tags: { team: "data" } });
    const queue = recorded.find(({ type }) => type === "aws:sqs/queue:Queue");
    expect(queue?.inputs).toMatchObject({ sqsManagedSseEnabled: true, tags: { team: "data" } });
  });
});

describe("the roles", () => {
  it("can be taken for schedules of the group, and for state machines of the account, alone", async () => {
    const { recorded } = await deploy({ permissionsBoundary: "arn:aws:iam::123456789012:policy/b", rolePath: "/x/" });
    const of = (name: string) => recorded.find((one) => one.type === "aws:iam/role:Role" && one.name === name)?.inputs;
    for (const [name, service, source] of [
      ["schedule-prod-start-run", "scheduler", "scheduler:eu-central-1:123456789012:schedule-group/schedule-prod"],
      ["schedule-prod-run-tasks", "states", "states:eu-central-1:123456789012:stateMachine:*"],
    ] as const) {
      expect(of(name)).toMatchObject({ permissionsBoundary: "arn:aws:iam::123456789012:policy/b", path: "/x/" });
      expect(JSON.parse(String(of(name)?.assumeRolePolicy))).toMatchObject({
        Statement: [
          {
            Principal: { Service: `${service}.amazonaws.com` },
            Condition: {
              StringEquals: { "aws:SourceAccount": "123456789012" },
              ArnLike: { "aws:SourceArn": `arn:aws:${source}` },
            },
          },
        ],
      });
    }
  });

  it("are two and one more for each further 24 schedules, with policies that IAM takes, for 600 entries with the longest names", async () => {
    const long = "x".repeat(30);
    const arn = (name: string) => `arn:aws:iam::123456789012:role/${name.padEnd(64, "x")}`;
    const entries = Object.fromEntries(
      Array.from({ length: 600 }, (_, number): [string, ScheduleEntry] => {
        const name = `${long}${number}`;
        const roleArns = [arn(name), arn(`start-${name}`)];
        return [name, { ...nightly, roleArns, family: `provision_${long}xxxxxxxxxx_${name}_backup` }];
      }),
    );
    const { recorded, schedule } = await deploy({ entries });
    expect(schedule.roleArns.length).toBe(1);
    const policies = recorded.filter(({ type }) => type === "aws:iam/rolePolicy:RolePolicy");
    expect(policies).toHaveLength(1 + 600 / 24);
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, without whitespace.
    expect(Math.max(...policies.map(({ inputs }) => String(inputs.policy).length))).toBeLessThan(10_240);
    const text = policies.map(({ inputs }) => String(inputs.policy)).join();
    for (const { family, roleArns } of Object.values(entries)) {
      expect(text).toContain(`:task-definition/${family}:*"`);
      for (const roleArn of roleArns) expect(text).toContain(JSON.stringify(roleArn));
    }
  });
});

describe("the queue for what could not be started", () => {
  it("is encrypted, keeps what it has for two weeks, and speaks TLS only", async () => {
    const { recorded, schedule } = await deploy();
    const found = (type: string) => recorded.find((one) => one.type === type)?.inputs;
    expect(found("aws:sqs/queue:Queue")).toEqual({ messageRetentionSeconds: 1_209_600, sqsManagedSseEnabled: true });
    expect(JSON.parse(String(found("aws:sqs/queuePolicy:QueuePolicy")?.policy))).toMatchObject({
      Statement: [{ Effect: "Deny", Action: "sqs:*", Condition: { Bool: { "aws:SecureTransport": "false" } } }],
    });
    expect(await unwrap(schedule.deadLetterQueueName)).toBe("schedule-prod-not-started");
  });
});
