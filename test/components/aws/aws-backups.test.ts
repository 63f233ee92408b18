import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { AwsBackups, type AwsBackupsArgs } from "../../../components/aws/aws-backups.ts";
import { AwsSettings } from "../../../components/aws/settings.ts";
import { JobConfig, JobSettings } from "../../../providers/config.ts";
import { app, IMAGE, web } from "../../helpers/aws-jobs.ts";
import { watchOptions } from "../../helpers/aws.ts";
import { isSecret, mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

const MARKER = "m4rker-of-a-secret";

const calls = {
  "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] },
  "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-b", "subnet-a"] },
  "aws:index/getAvailabilityZones:getAvailabilityZones": { names: ["eu-central-1a", "eu-central-1b"] },
};

const states = { "aws:ec2/vpc:Vpc": { ipv6CidrBlock: "2a05:d014:1:ab00::/56" } };

async function deploy(
  aws: object = {},
  changes: Partial<AwsBackupsArgs> = {},
  preview = false,
  transformations: readonly pulumi.ResourceTransformation[] = [],
) {
  const recorded = await mockEngine({ preview, calls, states, stdout: () => `sha256:${"0".repeat(64)}` });
  const watch = watchOptions();
  const backups = new AwsBackups(
    "provision",
    {
      stack: "prod",
      region: "eu-central-1",
      aws: AwsSettings.parse({ image: IMAGE, ...aws }) as AwsSettings,
      jobs: [app, web],
      secrets: Object.fromEntries(
        ["appUrl", "dropboxToken", "ageIdentity", "drillUrl", "sentryDsn", "unused"].map((name) => [
          name,
          `${name}-${MARKER}`,
        ]),
      ),
      jobSecretNames: ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "sentryDsn"],
      source: process.cwd(),
      ...changes,
    },
    { transformations: [...(watch.opts.transformations ?? []), ...transformations] },
  );
  await registered(backups);
  return { recorded, backups, watch };
}

function ofType(recorded: readonly RecordedResource[], type: string): readonly RecordedResource[] {
  return recorded.filter((resource) => resource.type === type);
}

describe.each([false, true])("AwsBackups (preview: %s)", (preview) => {
  it("makes each part once, and what every job needs", async () => {
    const { recorded } = await deploy({}, {}, preview);
    const parts = recorded.map(({ type }) => type).filter((type) => type.startsWith("provision:aws:"));
    expect([...new Set(parts)].sort()).toEqual([
      "provision:aws:AwsBackups",
      "provision:aws:BackupAlarms",
      "provision:aws:BackupBucket",
      "provision:aws:BackupDashboard",
      "provision:aws:BackupImage",
      "provision:aws:BackupKey",
      "provision:aws:BackupNetwork",
      "provision:aws:BackupRunner",
      "provision:aws:BackupSchedule",
      "provision:aws:BackupSecrets",
    ]);
    expect(parts).toHaveLength(10);
    expect(ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition")).toHaveLength(6);
    // The backup, the prune and the drill of the one; the other is run by hand.
    expect(ofType(recorded, "aws:scheduler/schedule:Schedule").map(({ name }) => name)).toEqual(
      expect.arrayContaining(["app", "app_prune", "app_drill"].map((entry) => `provision-schedule-prod-${entry}`)),
    );
  });

  it("gives AWS the secrets of the jobs alone, and as secrets", async () => {
    const { recorded } = await deploy({}, {}, preview);
    const versions = ofType(recorded, "aws:secretsmanager/secretVersion:SecretVersion");
    expect(versions).toHaveLength(5);
    for (const { inputs } of versions) expect(isSecret(inputs.secretString)).toBe(true);
    const others = recorded.filter((resource) => !versions.includes(resource));
    expect(JSON.stringify(others)).not.toContain(MARKER);
    expect(JSON.stringify(versions)).not.toContain("unused");
  });

  it("hands the runner jobs that its own schema takes", async () => {
    const { recorded } = await deploy({}, {}, preview);
    const definitions = ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition");
    const texts = definitions.flatMap(({ inputs }) => {
      // What is known only after the deployment is no text in a preview.
      if (typeof inputs.containerDefinitions !== "string") return [];
      const [container] = JSON.parse(inputs.containerDefinitions) as [
        { environment: { name: string; value: string }[] },
      ];
      return container.environment.filter(({ name }) => name === "PROVISION_JOB").map(({ value }) => value);
    });
    expect(texts).toHaveLength(preview ? texts.length : 6);
    for (const text of texts) expect(JobConfig.parse(JSON.parse(text)).stack).toBe("prod");
  });
});

describe("AwsBackups", () => {
  it("tells the commands that a person needs", async () => {
    const { backups } = await deploy();
    const { app: outputs, web: byHand } = backups.jobs;
    const start =
      "aws ecs run-task --region eu-central-1 --cluster provision-runner-prod --task-definition " +
      "arn:aws:ecs:eu-central-1:123456789012:task-definition/provision_prod_app_backup:1 " +
      "--launch-type FARGATE --network-configuration 'awsvpcConfiguration={subnets=[subnet-a,subnet-b]," +
      "securityGroups=[provision-network-prod-id],assignPublicIp=ENABLED}'";
    if (outputs === undefined || byHand === undefined) throw new Error("a job has no outputs");
    expect(await unwrap(outputs.run)).toBe(`${start} --query 'tasks[0].taskArn' --output text`);
    expect(await unwrap(outputs.follow)).toBe("aws logs tail provision-runner-prod-app --follow --region eu-central-1");
    expect(await unwrap(outputs.restore)).toContain(
      `:task-definition/provision_prod_app_restore:1 --launch-type FARGATE`,
    );
    expect(await unwrap(outputs.restore)).toContain(
      `--overrides '{"containerOverrides":[{"name":"runner","command":["restore","latest","--to","env:PROVISION_SECRET_appUrl"]}]}'`,
    );
    expect(Object.keys(outputs.schedules)).toEqual(["backup", "prune", "drill"]);
    expect(Object.keys(byHand.schedules)).toEqual([]);
    expect(byHand.prune).toBeUndefined();
    expect(await unwrap(byHand.restore)).toMatch(/"--to","env:PROVISION_ARN_[0-9A-F]{16}"/);
  });

  it("prunes a scheduled job with a retention at noon where nobody says otherwise", async () => {
    if (app.schedule === undefined) throw new Error("the job has no schedule");
    const job = { ...web, name: "app", schedule: app.schedule, retention: { last: 7 } };
    const { recorded } = await deploy({}, { jobs: [job] });
    const schedule = ofType(recorded, "aws:scheduler/schedule:Schedule").find(({ name }) => name.endsWith("app_prune"));
    expect(schedule?.inputs).toMatchObject({
      scheduleExpression: "cron(0 12 * * ? *)",
      scheduleExpressionTimezone: "America/Sao_Paulo",
    });
  });

  it("starts a report on its own time, and tells it when the job's backups run", async () => {
    const report = { schedule: { cron: "0 7 * * 1", timezone: "UTC" }, publish: true } as const;
    const jobs = [app, web].map((job) => ({ ...job, report }));
    const { recorded, backups } = await deploy({}, { jobs });
    const of = (name: string) => {
      const inputs = ofType(recorded, "aws:scheduler/schedule:Schedule").find((one) => one.name.endsWith(name))?.inputs;
      const { input } = inputs?.target as { input: string };
      return {
        at: inputs?.scheduleExpression,
        environment: (JSON.parse(input) as { environment: unknown }).environment,
      };
    };
    const nightly = [{ Name: "PROVISION_SCHEDULE", Value: "0 3 * * * America/Sao_Paulo" }];
    expect(of("-app_report")).toEqual({ at: "cron(0 7 ? * 2 *)", environment: nightly });
    expect(of("-web_report")).toEqual({ at: "cron(0 7 ? * 2 *)", environment: [] });
    expect(Object.keys(backups.jobs.app?.schedules ?? {})).toEqual(["backup", "prune", "drill", "report"]);
    expect(await unwrap(backups.jobs.web?.report ?? expect.fail())).toContain(
      ":task-definition/provision_prod_web_report:1 ",
    );
  });

  it("leaves an existing bucket as it is, and asks for no key of it", async () => {
    const { recorded } = await deploy({ bucket: { existing: "acme-backups" } });
    expect(recorded.filter(({ type }) => type.startsWith("aws:s3/"))).toEqual([]);
    const [definition] = ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition");
    expect(String(definition?.inputs.containerDefinitions)).toContain("acme-backups");
    expect(String(definition?.inputs.containerDefinitions)).not.toContain("kmsKeyId");
  });

  it("protects the bucket, its replica and their keys where that is asked for", async () => {
    const { watch } = await deploy({ bucket: { protect: true, replica: { region: "eu-west-1" } } });
    const kept = ["bucket", "key-key", "bucket-replica", "bucket-replica-key"].map((name) => `provision-${name}`);
    expect(kept.filter((name) => watch.of(name).protect !== true)).toEqual([]);
  });

  it("looks for objects only of jobs that keep some in the stack's own bucket", async () => {
    const elsewhere = { ...app, destinations: app.destinations.filter(({ kind }) => kind !== "s3") };
    const { recorded } = await deploy({}, { jobs: [elsewhere] });
    expect(recorded.map(({ name }) => name).filter((name) => name.includes("no-object"))).toEqual([]);
    const own = await deploy({}, { jobs: [app] });
    const rule = ofType(own.recorded, "aws:cloudwatch/eventRule:EventRule").find(({ name }) => name.includes("stored"));
    expect(String(rule?.inputs.eventPattern)).toContain("prod/app/*/manifest.json");
  });

  it("builds the image where none is named, with a key that outlives the stack's", async () => {
    const bucket = { removeOnDestroy: true, confirmRemoval: "prod" };
    const { recorded } = await deploy({ image: undefined, build: { keepImages: 5 }, bucket });
    const [repository, ...others] = ofType(recorded, "aws:ecr/repository:Repository");
    expect(others).toEqual([]);
    expect(repository?.inputs.encryptionConfigurations).toEqual([{ encryptionType: "KMS" }]);
    expect(ofType(recorded, "command:local:Command")).toHaveLength(2);
  });

  it("opens the ports of the jobs' kinds, and further ones", async () => {
    const { recorded } = await deploy({ network: { ports: [6432] } });
    const ports = ofType(recorded, "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule").map(
      ({ inputs }) => inputs.fromPort,
    );
    expect(new Set(ports)).toEqual(new Set([443, 5432, 6432]));
  });

  it("puts the settings where they belong", async () => {
    const { recorded } = await deploy({
      architecture: "x86_64",
      sizes: { app: { cpu: 4096, memory: 8192, scratchGiB: 50 } },
      logs: { retentionDays: 30 },
      schedules: { enabled: false, flexibleMinutes: 0, maxRetries: 1 },
      tags: { team: "data", "provision:stack": "another" },
    });
    const definition = ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition").find(({ name }) =>
      name.includes("app-backup"),
    );
    expect(
      ofType(recorded, "aws:cloudwatch/metricAlarm:MetricAlarm").find(({ name }) => name.endsWith("app-late"))?.inputs,
    ).toMatchObject({ actionsEnabled: false });
    expect(definition?.inputs).toMatchObject({
      cpu: "4096",
      memory: "8192",
      ephemeralStorage: { sizeInGib: 50 },
      runtimePlatform: { cpuArchitecture: "X86_64" },
      tags: { "provision:stack": "prod", team: "data" },
    });
    for (const { inputs } of ofType(recorded, "aws:cloudwatch/logGroup:LogGroup"))
      expect(inputs.retentionInDays).toBe(30);
    const schedules = ofType(recorded, "aws:scheduler/schedule:Schedule").filter(({ name }) =>
      name.includes("-schedule-"),
    );
    expect(schedules).toHaveLength(3);
    for (const { inputs } of schedules)
      expect(inputs).toMatchObject({ state: "DISABLED", flexibleTimeWindow: { mode: "OFF" } });
  });

  it("connects to a cluster, a log group, a key and security groups that exist, and makes none", async () => {
    const clusterArn = "arn:aws:ecs:eu-central-1:123456789012:cluster/shared";
    const keyArn = "arn:aws:kms:eu-central-1:123456789012:key/theirs";
    const { recorded, backups } = await deploy({
      clusterArn,
      keyArn,
      logs: { group: "/platform/backups" },
      network: { securityGroupIds: ["sg-0a1b2c3d4e5f60718"] },
      alarms: { topicArn: "arn:aws:sns:eu-central-1:123456789012:ops" },
    });
    const kinds = ["cluster:Cluster", "logGroup:LogGroup", "key:Key", "alias:Alias", "securityGroup:SecurityGroup"];
    expect(recorded.filter(({ type }) => kinds.some((kind) => type.endsWith(`/${kind}`)))).toEqual([]);
    expect(await unwrap(backups.cluster)).toBe("shared");
    expect(await unwrap(backups.key)).toBe(keyArn);
    expect(await unwrap(backups.securityGroupId)).toBe("sg-0a1b2c3d4e5f60718");
    const outputs = backups.jobs.app;
    expect(await unwrap(pulumi.output([outputs?.run, outputs?.follow]))).toEqual([
      expect.stringMatching(/ --cluster shared .*securityGroups=\[sg-0a1b2c3d4e5f60718\]/),
      "aws logs tail /platform/backups --log-stream-name-prefix prod/app/ --follow --region eu-central-1",
    ]);
    const definition = ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition").find(({ name }) =>
      name.endsWith("-app-backup"),
    );
    const [container] = JSON.parse(String(definition?.inputs.containerDefinitions)) as {
      logConfiguration: { options: Record<string, string> };
    }[];
    expect(container?.logConfiguration.options).toMatchObject({
      "awslogs-group": "/platform/backups",
      "awslogs-stream-prefix": "prod/app/backup",
    });
    const start = ofType(recorded, "aws:iam/rolePolicy:RolePolicy").find(({ name }) => name.includes("app-start"));
    expect(String(start?.inputs.policy)).toContain(
      '"arn:aws:logs:eu-central-1:123456789012:log-group:/platform/backups:*"',
    );
    for (const { inputs } of ofType(recorded, "aws:scheduler/schedule:Schedule").filter(({ name }) =>
      name.includes("-schedule-"),
    )) {
      expect(inputs).toMatchObject({ kmsKeyArn: keyArn });
    }
    const [machine] = ofType(recorded, "aws:sfn/stateMachine:StateMachine");
    expect(String(machine?.inputs.definition).match(/"Cluster":"[^"]*"/g)).toEqual(
      Array.from({ length: 3 }, () => `"Cluster":"${clusterArn}"`),
    );
    // Others run tasks there too, which are no business of the backups' alarms.
    const failed = ofType(recorded, "aws:cloudwatch/eventRule:EventRule").find(({ name }) => name.includes("failed"));
    expect(JSON.parse(String(failed?.inputs.eventPattern))).toMatchObject({
      detail: {
        clusterArn: [clusterArn],
        taskDefinitionArn: [{ prefix: "arn:aws:ecs:eu-central-1:123456789012:task-definition/provision_prod_" }],
      },
    });
  });

  it("gives every role the path and the boundary that the account asks for", async () => {
    const limits = { path: "/backup/", permissionsBoundary: "arn:aws:iam::123456789012:policy/boundary" };
    const monthly = { ...app, name: "books", schedule: { cron: "0 3 1 * *", timezone: "UTC" } };
    const { recorded } = await deploy(
      {
        permissionsBoundary: limits.permissionsBoundary,
        rolePath: limits.path,
        bucket: { accessLogs: {}, replica: { region: "eu-west-1" } },
      },
      { jobs: [app, web, monthly] },
    );
    const roles = ofType(recorded, "aws:iam/role:Role");
    const kinds = ["-runner-", "-schedule-", "-replica-", "-due-"];
    expect(kinds.filter((kind) => !roles.some(({ name }) => name.includes(kind)))).toEqual([]);
    expect(roles.map(({ name, inputs }) => ({ name, ...inputs }))).toEqual(
      roles.map(({ name }) => expect.objectContaining({ name, ...limits }) as unknown),
    );
  });

  it("leaves a renamed stack's backups and metrics in the folder and under the name that it had first", async () => {
    const monthly = { ...app, name: "books", schedule: { cron: "0 3 1 * *", timezone: "UTC" } };
    const first = { name: pulumi.output("first"), id: pulumi.output("0".repeat(32)) };
    const { recorded } = await deploy(
      { bucket: { existing: "acme" }, holders: ["arn:aws:iam::123456789012:role/legal"] },
      { jobs: [app, monthly], first },
    );
    const of = (type: string) => ofType(recorded, type);
    for (const { inputs } of of("aws:ecs/taskDefinition:TaskDefinition")) {
      expect(String(inputs.containerDefinitions)).toContain('\\"stack\\":\\"first\\"');
    }
    const policies = of("aws:iam/rolePolicy:RolePolicy")
      .map(({ inputs }) => String(inputs.policy))
      .join();
    expect(policies).toContain("/first/app/*");
    expect(policies).not.toContain("/prod/app/*");
    const rules = of("aws:cloudwatch/eventRule:EventRule")
      .map(({ inputs }) => String(inputs.eventPattern))
      .join();
    expect(rules).toContain("first/app/*/manifest.json");
    const watched = JSON.stringify(
      [...of("aws:cloudwatch/metricAlarm:MetricAlarm"), ...of("aws:scheduler/schedule:Schedule")].map(
        ({ inputs }) => inputs,
      ),
    );
    expect(watched).toContain('"dimensions":{"job":"app","stack":"first"}');
    expect(watched).not.toMatch(/"stack":"prod"|stack\\+",\\+"Value\\+":\\+"prod/);
    const [dashboard] = of("aws:cloudwatch/dashboard:Dashboard");
    expect(String(dashboard?.inputs.dashboardBody)).toContain('"stack","first","job","app"');
  });

  it("changes what a renamed job has where it stands, and leaves its folder, its metrics and its names at AWS", async () => {
    const monthly = { schedule: { cron: "0 3 1 * *", timezone: "UTC" } };
    const named = (names: object, others: object) => JobSettings.parse({ ...app, ...others, ...names });
    const before = await deploy({}, { jobs: [named({ name: "app" }, {}), named({ name: "books" }, monthly)] });
    const after = await deploy(
      {},
      {
        jobs: [
          named({ name: "store", rename: { from: ["app", "shop"] } }, {}),
          named({ name: "ledger", rename: { from: "books" } }, monthly),
        ],
      },
    );
    // What belongs to no component has no aliases.
    const children = after.recorded.filter(({ name }) => name !== "provision-first-stack");
    const aliases = children.flatMap(({ name }) =>
      [after.watch.of(name).aliases ?? []].flat().map((alias) => (alias as { name: string }).name),
    );
    const found = new Set([...after.recorded.map(({ name }) => name), ...aliases]);
    const lost = before.recorded.map(({ name }) => name).filter((name) => !found.has(name));
    expect(lost).toEqual([]);
    expect(aliases).toContain("provision-runner-prod-shop");
    const asAws = ({ recorded }: typeof after) => ({
      families: ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition")
        .map(({ inputs }) => String(inputs.family))
        .sort(),
      dimensions: ofType(recorded, "aws:cloudwatch/metricAlarm:MetricAlarm")
        .flatMap(({ inputs }) => JSON.stringify(inputs).match(/"job":"\w+"/g) ?? [])
        .sort(),
      jobs: ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition")
        .map(({ inputs }) => /\\"name\\":\\"(\w+)\\"/.exec(String(inputs.containerDefinitions))?.[1] ?? "")
        .sort(),
      keys: ofType(recorded, "aws:cloudwatch/eventRule:EventRule")
        .map(({ inputs }) => String(inputs.eventPattern))
        .sort(),
    });
    expect(asAws(after)).toEqual(asAws(before));
    expect(asAws(before).jobs).toEqual([...Array<string>(4).fill("app"), ...Array<string>(4).fill("books")]);
    expect(Object.keys(after.backups.jobs)).toEqual(["store", "ledger"]);
    const [late] = ofType(after.recorded, "aws:cloudwatch/metricAlarm:MetricAlarm").filter(({ name }) =>
      name.endsWith("-store-late"),
    );
    expect(late?.inputs.alarmDescription).toContain("The job store of prod");
  });

  it("lets a program change any argument and option of each resource, by Pulumi's transformations", async () => {
    const monthly = { ...app, name: "books", schedule: { cron: "0 3 1 * *", timezone: "UTC" } };
    const { recorded, watch } = await deploy(
      {
        image: undefined,
        build: {},
        bucket: { accessLogs: {}, replica: { region: "eu-west-1" } },
        network: { create: {}, dualStackTasks: true },
        alarms: { emails: ["ops@example.com"] },
      },
      { jobs: [app, web, monthly] },
      false,
      [
        ({ type, props, opts }) =>
          type.startsWith("provision:") ? undefined : { props: { ...props, changed: true }, opts },
        ({ type, props, opts }) =>
          type === "aws:cloudwatch/logGroup:LogGroup"
            ? { props: { ...props, deletionProtectionEnabled: true }, opts: { ...opts, retainOnDelete: true } }
            : undefined,
      ],
    );
    const resources = recorded.filter(
      ({ type, name }) => !type.startsWith("provision:") && name !== "provision-first-stack",
    );
    expect(resources.length).toBeGreaterThan(100);
    expect(resources.filter(({ inputs }) => inputs.changed !== true).map(({ name }) => name)).toEqual([]);
    const logs = ofType(recorded, "aws:cloudwatch/logGroup:LogGroup");
    expect(logs.map(({ inputs }) => inputs.deletionProtectionEnabled)).toEqual([true, true, true]);
    expect(watch.of("provision-runner-prod-app").parent).toBeDefined();
  });
});
