import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it, vi } from "vitest";
import { BackupAlarms, type BackupAlarmsArgs } from "../../../components/aws/backup-alarms.ts";
import { inputsOf, longName, longStacks, names, statements } from "../../helpers/aws.ts";
import { mockEngine, registered, unwrap } from "../../helpers/mocks.ts";

const ALARM = "cloudwatch/metricAlarm:MetricAlarm";
const RULE = "cloudwatch/eventRule:EventRule";

const daily = { name: "app", schedule: { cron: "0 3 * * *", timezone: "UTC" }, prefix: "x/prod/app" };
const weekly = { name: "crm", schedule: { cron: "30 4 * * 0", timezone: "America/Sao_Paulo" }, prefix: "x/prod/crm" };
const monthly = { name: "books", schedule: { cron: "0 0 1 * *", timezone: "UTC" } };
const byHand = { name: "web", prefix: "x/prod/web" };

function args(changes: Partial<BackupAlarmsArgs> = {}): BackupAlarmsArgs {
  return {
    stack: "prod",
    jobs: [daily],
    clusterArn: "arn:cluster",
    bucketName: "backups",
    deadLetterQueueName: "dead",
    keyArn: "arn:key",
    ...changes,
  };
}

describe.each([false, true])("BackupAlarms (preview: %s)", (preview) => {
  it("watches a daily job by each signal", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupAlarms("alarms", args({ emails: ["ops@example.com"] })));
    expect(names(recorded)).toEqual([
      "EventRule alarms-prod-app-stored",
      "EventRule alarms-prod-failed-task",
      "EventTarget alarms-prod-app-stored-target",
      "EventTarget alarms-prod-failed-task-target",
      "MetricAlarm alarms-prod-app-late",
      "MetricAlarm alarms-prod-app-no-object",
      "MetricAlarm alarms-prod-app-shrunk",
      "MetricAlarm alarms-prod-dead-letters",
      "Queue alarms-prod-receipts",
      "QueuePolicy alarms-prod-receipts-policy",
      "Topic alarms-prod",
      "TopicPolicy alarms-prod-policy",
      "TopicSubscription alarms-email-ops@example.com",
    ]);
    expect(inputsOf(recorded, ALARM, /-late$/)).toMatchObject({
      namespace: "Provision",
      metricName: "RunSucceeded",
      dimensions: { stack: "prod", job: "app" },
      statistic: "Sum",
      period: 3600,
      evaluationPeriods: 27,
      datapointsToAlarm: 27,
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      treatMissingData: "breaching",
    });
    expect(inputsOf(recorded, ALARM, /-no-object$/)).toMatchObject({
      namespace: "AWS/Events",
      metricName: "MatchedEvents",
      evaluationPeriods: 27,
      treatMissingData: "breaching",
    });
    expect(inputsOf(recorded, ALARM, /-shrunk$/)).toMatchObject({ threshold: -50, treatMissingData: "notBreaching" });
    expect(inputsOf(recorded, ALARM, /-dead-letters$/)).toMatchObject({
      namespace: "AWS/SQS",
      metricName: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: "dead" },
      alarmDescription: expect.stringContaining("purge-queue") as unknown,
      threshold: 0,
      treatMissingData: "notBreaching",
    });
  });

  it("warns of an address that has not confirmed, and of no other", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
    await mockEngine({
      preview,
      states: {
        "aws:sns/topicSubscription:TopicSubscription": (name) => ({ pendingConfirmation: name.includes("new@") }),
      },
    });
    await registered(new BackupAlarms("alarms", args({ emails: ["ops@example.com", "new@example.com"] })));
    const told = warn.mock.calls.map(([message]) => message);
    warn.mockRestore();
    // What a new subscription will say, a preview does not know.
    expect(told).toEqual(preview ? [] : [expect.stringContaining("new@example.com gets no alarms before")]);
  });

  it("marks when a rare job is due, and counts from there", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupAlarms("alarms", args({ jobs: [weekly, monthly] })));
    expect(names(recorded).filter((name) => /MetricAlarm|Schedule|Role/.test(name))).toEqual([
      "MetricAlarm alarms-prod-books-late",
      "MetricAlarm alarms-prod-crm-late",
      "MetricAlarm alarms-prod-dead-letters",
      "Role alarms-prod-due-role",
      "RolePolicy alarms-prod-due-role-policy",
      "Schedule alarms-prod-books-due",
      "Schedule alarms-prod-crm-due",
      "Schedule alarms-prod-zeros",
      "ScheduleGroup alarms-prod-due",
    ]);
    expect(inputsOf(recorded, ALARM, /crm-late$/)).toMatchObject({
      metricQueries: [
        { id: "due", metric: { metricName: "BackupDue", dimensions: { stack: "prod", job: "crm" } } },
        { id: "succeeded", metric: { metricName: "RunSucceeded", dimensions: { stack: "prod", job: "crm" } } },
        { id: "overdue", returnData: true },
      ],
      evaluationPeriods: 168,
      datapointsToAlarm: 24,
      treatMissingData: "breaching",
    });
    expect(inputsOf(recorded, "scheduler/schedule:Schedule", /crm-due$/)).toMatchObject({
      scheduleExpression: "cron(30 4 ? * 1 *)",
      scheduleExpressionTimezone: "America/Sao_Paulo",
      flexibleTimeWindow: { mode: "OFF" },
    });
  });
});

describe.each([true, false])("BackupAlarms with schedules that are enabled: %s", (enabled) => {
  it("tells of what is late, and marks what is due, only then", async () => {
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ jobs: [daily, monthly], enabled })));
    for (const name of [/app-late$/, /app-no-object$/, /books-late$/]) {
      expect([name, inputsOf(recorded, ALARM, name).actionsEnabled]).toEqual([name, enabled]);
    }
    const stateOf = (name: RegExp) => inputsOf(recorded, "scheduler/schedule:Schedule", name).state;
    expect(stateOf(/books-due$/)).toBe(enabled ? "ENABLED" : "DISABLED");
    // Without the zeros the alarm would take the missing data for a scheduler that is down.
    expect(stateOf(/zeros$/)).toBe("ENABLED");
    // A backup by hand may still shrink, and a task fail.
    for (const name of [/app-shrunk$/, /dead-letters$/]) {
      expect(inputsOf(recorded, ALARM, name)).not.toHaveProperty("actionsEnabled");
    }
  });
});

/** The input of a schedule's target. */
function inputOf(schedule: Readonly<Record<string, unknown>>): { Namespace: string; MetricData: Datum[] } {
  return JSON.parse((schedule.target as { input: string }).input) as { Namespace: string; MetricData: Datum[] };
}

interface Datum {
  readonly MetricName: string;
  readonly Value: number;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}

/** Whether EventBridge takes an event for one of a pattern, as far as patterns are used here. */
function isMatch(pattern: unknown, value: unknown): boolean {
  const values = Array.isArray(value) ? (value as unknown[]) : [value];
  if (Array.isArray(pattern)) return values.some((each) => pattern.some((wanted) => isWanted(wanted, each)));
  return values.some((each) =>
    Object.entries(pattern as object).every(([field, wanted]: [string, unknown]) =>
      field === "$or"
        ? (wanted as unknown[]).some((one) => isMatch(one, each))
        : isMatch(wanted, (each as Record<string, unknown> | undefined)?.[field]),
    ),
  );
}

/** Whether a value is one of those that stand for it: itself, or one of all but some. */
function isWanted(wanted: unknown, value: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return wanted === value;
  return value !== undefined && !(wanted as { "anything-but": unknown[] })["anything-but"].includes(value);
}

describe("BackupAlarms", () => {
  it("looks back at most a week, whatever the schedule", async () => {
    const crons = ["*/5 * * * *", "0 8,20 * * 1-5", "0 3 * * 1,4", "0 3 * * 0", "0 3 1 * 1", "0 3 1 * *", "0 0 29 2 *"];
    // What cannot be said to EventBridge Scheduler has no schedule there either.
    const jobs = crons
      .filter((cron) => cron !== "0 3 1 * 1")
      .map((cron, index) => ({ ...daily, name: `job-${index}`, schedule: { cron, timezone: "UTC" } }));
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ jobs, graceHours: 48 })));
    const alarms = recorded.filter(({ type }) => type.endsWith(":MetricAlarm"));
    expect(alarms.length).toBeGreaterThan(12);
    for (const { name, inputs } of alarms) {
      const { evaluationPeriods: n, datapointsToAlarm: m = n, metricQueries } = inputs;
      const periods = [
        inputs.period,
        ...((metricQueries ?? []) as { metric?: { period: number } }[]).map((q) => q.metric?.period),
      ];
      const period = Math.max(...periods.filter((value): value is number => typeof value === "number"));
      expect([name, Number(n) * period <= 7 * 86_400, Number(m) <= Number(n)]).toEqual([name, true, true]);
    }
    const late = alarms.filter(({ name }) => name.endsWith("-late"));
    expect(late.map(({ inputs }) => [inputs.evaluationPeriods, inputs.datapointsToAlarm])).toEqual([
      [49, 49],
      [108, 108],
      [144, 144],
      [168, 48],
      [168, 48],
      [168, 48],
    ]);
  });

  it("writes due times with a role that can write nothing else", async () => {
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ jobs: [monthly, weekly] })));
    const due = inputsOf(recorded, "scheduler/schedule:Schedule", /books-due$/);
    const dimensions = [
      { Name: "stack", Value: "prod" },
      { Name: "job", Value: "books" },
    ];
    expect(inputOf(due)).toEqual({
      Namespace: "Provision",
      MetricData: [{ MetricName: "BackupDue", Value: 1, Unit: "Count", Dimensions: dimensions }],
    });
    expect(due.target).toMatchObject({ arn: "arn:aws:scheduler:::aws-sdk:cloudwatch:putMetricData" });
    const zeros = inputsOf(recorded, "scheduler/schedule:Schedule", /zeros$/);
    expect(zeros.scheduleExpression).toBe("rate(1 day)");
    expect(
      inputOf(zeros).MetricData.map(({ MetricName, Value, Dimensions }) => [MetricName, Value, Dimensions[1]?.Value]),
    ).toEqual([
      ["BackupDue", 0, "books"],
      ["RunSucceeded", 0, "books"],
      ["BackupDue", 0, "crm"],
      ["RunSucceeded", 0, "crm"],
    ]);
    const { WriteMetrics, ...others } = statements(inputsOf(recorded, "iam/rolePolicy:RolePolicy").policy);
    expect(others).toEqual({});
    expect(WriteMetrics).toMatchObject({
      Action: "cloudwatch:PutMetricData",
      Condition: { StringEquals: { "cloudwatch:namespace": "Provision" } },
    });
    const { MarkDueTimes } = statements(inputsOf(recorded, "iam/role:Role").assumeRolePolicy);
    expect(MarkDueTimes?.Condition).toEqual({
      StringEquals: {
        "aws:SourceAccount": "123456789012",
        "aws:SourceArn": "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/alarms-prod-due",
      },
    });
  });

  it("lets S3 prove each job's manifests, and no other job's", async () => {
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ jobs: [{ ...daily, prefix: "a*b/prod/app" }] })));
    expect(JSON.parse(String(inputsOf(recorded, RULE, /stored$/).eventPattern))).toEqual({
      source: ["aws.s3"],
      "detail-type": ["Object Created"],
      detail: {
        bucket: { name: ["backups"] },
        object: { key: [{ wildcard: "a\\*b/prod/app/*/manifest.json" }] },
      },
    });
    expect(inputsOf(recorded, ALARM, /no-object$/).dimensions).toEqual({ RuleName: "alarms-prod-app-stored" });
    const receipts = inputsOf(recorded, "sqs/queue:Queue");
    expect(receipts).toMatchObject({ sqsManagedSseEnabled: true, messageRetentionSeconds: 60 });
    const { TakeEvents } = statements(inputsOf(recorded, "sqs/queuePolicy:QueuePolicy").policy);
    expect(TakeEvents?.Condition).toEqual({
      ArnLike: { "aws:SourceArn": "arn:aws:events:eu-central-1:123456789012:rule/*" },
    });
  });

  it("tells of every task that fails, is stopped or is started again, but not of one that found another at work", async () => {
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args()));
    const pattern = JSON.parse(String(inputsOf(recorded, RULE, /failed-task$/).eventPattern)) as object;
    const tells = (stopCode: string, exitCode?: number, more: object = {}) => {
      const containers = [exitCode === undefined ? {} : { exitCode }];
      const detail = { clusterArn: "arn:cluster", lastStatus: "STOPPED", stopCode, containers, ...more };
      return isMatch(pattern, { source: "aws.ecs", "detail-type": "ECS Task State Change", detail });
    };
    const exits = Array.from({ length: 256 }, (_, code) => code);
    expect(exits.filter((code) => !tells("EssentialContainerExited", code))).toEqual([0, 6]);
    // A task that is stopped from outside, for running too long, is one of `UserInitiated`.
    const lost = [
      "TaskFailedToStart",
      "SpotInterruption",
      "TerminationNotice",
      "UserInitiated",
      "InfrastructureHealth",
    ];
    expect(lost.filter((code) => !tells(code) || !tells(code, 0))).toEqual([]);
    expect(tells("EssentialContainerExited", 1, { lastStatus: "RUNNING" })).toBe(false);
    expect(tells("EssentialContainerExited", 1, { clusterArn: "arn:other" })).toBe(false);
    expect(inputsOf(recorded, "cloudwatch/eventTarget:EventTarget", /failed-task/)).toMatchObject({
      arn: "arn:aws:sns:eu-central-1:123456789012:Topic/alarms-prod",
    });
  });

  it("says with a failed task whether it is started again", async () => {
    const template = async (changes: Partial<BackupAlarmsArgs>) => {
      const recorded = await mockEngine();
      await registered(new BackupAlarms("alarms", args(changes)));
      const target = inputsOf(recorded, "cloudwatch/eventTarget:EventTarget", /failed-task/);
      return (target.inputTransformer as { inputTemplate: string }).inputTemplate;
    };
    expect(await template({})).not.toContain("again");
    const lines = (await template({ restarts: 2 })).split("\n");
    expect(lines.at(-1)).toMatch(/^"If a schedule started it, .* is started again, 2 times at most\."$/);
    // EventBridge takes lines of text in quotation marks.
    expect(lines.filter((line) => !/^".*"$/.test(line))).toEqual([]);
  });

  it("lets only alarms of the account and EventBridge publish to the encrypted topic", async () => {
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ tags: { team: "db" } })));
    expect(inputsOf(recorded, "sns/topic:Topic")).toMatchObject({
      kmsMasterKeyId: "arn:key",
      tags: { team: "db" },
    });
    const { DenyWithoutTls, PublishAlarms, PublishEvents, ...others } = statements(
      inputsOf(recorded, "sns/topicPolicy:TopicPolicy").policy,
    );
    expect(others).toEqual({});
    expect(DenyWithoutTls?.Effect).toBe("Deny");
    expect(PublishAlarms).toMatchObject({
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
    });
    expect(PublishEvents).toMatchObject({ Principal: { Service: "events.amazonaws.com" } });
    // With a condition, EventBridge's messages would be lost.
    expect(PublishEvents).not.toHaveProperty("Condition");
  });

  it("gives the topic a key of its own, for its publishers alone, where none is named", async () => {
    const recorded = await mockEngine();
    const { keyArn, ...rest } = args({ tags: { team: "db" } });
    expect(keyArn).toBe("arn:key");
    await registered(new BackupAlarms("alarms", rest));
    const key = inputsOf(recorded, "kms/key:Key");
    expect(key).toMatchObject({ enableKeyRotation: true, deletionWindowInDays: 30, tags: { team: "db" } });
    const { Administer, UseThroughServices, PublishAlarms, PublishEvents, ...others } = statements(key.policy);
    expect(others).toEqual({});
    expect(Administer?.Action).not.toContain("kms:*");
    expect(UseThroughServices?.Condition?.StringEquals).toEqual({
      "kms:ViaService": ["sns.eu-central-1.amazonaws.com"],
    });
    const use = { Effect: "Allow", Action: ["kms:Decrypt", "kms:GenerateDataKey*"], Resource: "*" };
    expect(PublishAlarms).toEqual({
      Sid: "PublishAlarms",
      ...use,
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: {
        StringEquals: { "aws:SourceAccount": "123456789012" },
        ArnLike: { "aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:*" },
      },
    });
    // KMS gets no source of what EventBridge sends: a condition on it would lose the events.
    expect(PublishEvents).toEqual({
      Sid: "PublishEvents",
      ...use,
      Principal: { Service: "events.amazonaws.com" },
      Condition: { ArnLike: { "kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:eu-central-1:123456789012:*" } },
    });
    expect(inputsOf(recorded, "sns/topic:Topic").kmsMasterKeyId).toBe(
      "arn:aws:kms:eu-central-1:123456789012:key/alarms-prod-key",
    );
  });

  it("uses a topic that exists", async () => {
    const recorded = await mockEngine();
    const alarms = new BackupAlarms("alarms", args({ topicArn: "arn:theirs", emails: ["a@example.com"] }));
    await registered(alarms);
    expect(names(recorded).filter((name) => /^(Topic|Key)/.test(name))).toEqual([
      "TopicSubscription alarms-email-a@example.com",
    ]);
    expect(await unwrap(alarms.topicArn)).toBe("arn:theirs");
    for (const { inputs } of recorded.filter(({ type }) => type.endsWith(":MetricAlarm"))) {
      expect(inputs.alarmActions).toEqual(["arn:theirs"]);
    }
  });

  it("watches a job without a schedule, or a bucket, for what can be known of it", async () => {
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ jobs: [byHand, { name: "far", schedule: daily.schedule }] })));
    expect(names(recorded).filter((name) => /MetricAlarm|stored|receipts/.test(name))).toEqual([
      "MetricAlarm alarms-prod-dead-letters",
      "MetricAlarm alarms-prod-far-late",
      "MetricAlarm alarms-prod-far-shrunk",
    ]);
  });

  it.each([0, 0.5, 145, Number.NaN])("refuses a grace of %d hours", async (graceHours) => {
    await mockEngine();
    expect(() => new BackupAlarms("alarms", args({ graceHours }))).toThrow(/graceHours is .*from 1 to 144/);
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("keeps two long stacks apart, within the limits of every name", async () => {
    const jobs = [
      { ...daily, name: longName("app") },
      { ...weekly, name: longName("crm") },
    ];
    const recorded = await mockEngine();
    await registered(...longStacks.map((stack) => new BackupAlarms("alarms", args({ stack, jobs }))));
    // Pulumi makes these names of the children's, and adds eight characters.
    const limits = {
      EventRule: 64,
      Schedule: 64,
      ScheduleGroup: 64,
      Role: 64,
      Queue: 80,
      Topic: 256,
      MetricAlarm: 255,
    };
    for (const [kind, limit] of Object.entries(limits)) {
      const children = recorded.filter(({ type }) => type.endsWith(`:${kind}`)).map(({ name }) => name);
      expect([kind, children.length > 1]).toEqual([kind, true]);
      expect([kind, new Set(children).size]).toEqual([kind, children.length]);
      for (const child of children) expect(child.length + 8).toBeLessThanOrEqual(limit);
    }
  });

  it("watches 200 jobs within the limits of a rule and of a call", async () => {
    const jobs = Array.from({ length: 200 }, (_, index) => ({ ...weekly, name: `job-${index}` }));
    const recorded = await mockEngine();
    await registered(new BackupAlarms("alarms", args({ jobs })));
    const zeros = inputOf(inputsOf(recorded, "scheduler/schedule:Schedule", /zeros$/));
    expect(zeros.MetricData).toHaveLength(400);
    expect(JSON.stringify(zeros).length).toBeLessThan(256 * 1024);
    for (const { inputs } of recorded.filter(({ type }) => type.endsWith(":EventRule"))) {
      expect(String(inputs.eventPattern).length).toBeLessThan(2048);
    }
  });
});
