import * as aws from "@pulumi/aws";
import { describe, expect, it } from "vitest";
import { BackupRunner, type BackupRunnerArgs } from "../../../components/aws/backup-runner.ts";
import { JobConfig, JobSettings } from "../../../providers/config.ts";
import { loadJob } from "../../../runner/run/job.ts";
import { app, bucket, EXISTING_SECRET, IMAGE, KEY, secretArns, web } from "../../helpers/aws-jobs.ts";
import { mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

function args(changes: Partial<BackupRunnerArgs> = {}): BackupRunnerArgs {
  return { stack: "prod", jobs: [app, web], image: IMAGE, bucket, secretArns, keyArn: KEY, ...changes };
}

interface Container {
  readonly command: string[];
  readonly environment: { name: string; value: string }[];
  readonly secrets: { name: string; valueFrom: string }[];
}

function ofType(recorded: readonly RecordedResource[], type: string) {
  return new Map(recorded.filter((one) => one.type === type).map(({ name, inputs }) => [name, inputs]));
}

/** The only container of a task definition. */
function container(definition: Readonly<Record<string, unknown>> | undefined): Container {
  const [only] = JSON.parse(String(definition?.containerDefinitions)) as Container[];
  if (only === undefined) throw new Error("the task definition has no container");
  return only;
}

async function deploy(changes: Partial<BackupRunnerArgs> = {}, preview = false) {
  const recorded = await mockEngine({ preview });
  const runner = new BackupRunner("runner", args(changes));
  await registered(runner);
  return { recorded, runner, tasks: ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition") };
}

describe.each([false, true])("BackupRunner (preview: %s)", (preview) => {
  it("makes one task definition, role and policy for each purpose that a job has", async () => {
    const { recorded } = await deploy({}, preview);
    const names = recorded.map(({ type, name }) => `${type.split(":").at(-1) ?? ""} ${name}`).sort();
    const roles = ["backup", "drill", "prune", "restore", "start"].map((purpose) => `runner-prod-app-${purpose}`);
    const webRoles = ["backup", "restore", "start"].map((purpose) => `runner-prod-web-${purpose}`);
    expect(names).toEqual(
      [
        "BackupRunner runner",
        "Cluster runner-prod",
        "LogGroup runner-prod-app",
        "LogGroup runner-prod-web",
        ...[...roles, ...webRoles].flatMap((name) => [`Role ${name}`, `RolePolicy ${name}-policy`]),
        ...[...roles, ...webRoles].filter((name) => !name.endsWith("-start")).map((name) => `TaskDefinition ${name}`),
      ].sort(),
    );
  });

  it("tells a task's family before the deployment", async () => {
    const { runner } = await deploy({}, preview);
    expect(
      Object.entries(runner.tasks).map(([job, tasks]) => [job, Object.values(tasks).map((task) => task.family)]),
    ).toEqual([
      [
        "app",
        [
          "provision_prod_app_backup",
          "provision_prod_app_prune",
          "provision_prod_app_drill",
          "provision_prod_app_restore",
        ],
      ],
      ["web", ["provision_prod_web_backup", "provision_prod_web_restore"]],
    ]);
  });

  it("takes a key, and so a job, that is not known before the deployment", async () => {
    const recorded = await mockEngine({ preview });
    const key = new aws.kms.Key("key");
    const runner = new BackupRunner(
      "runner",
      args({ bucket: { name: bucket.name, keyArn: key.arn }, keyArn: key.arn }),
    );
    await registered(runner);
    const tasks = ofType(recorded, "aws:ecs/taskDefinition:TaskDefinition");
    expect(tasks.size).toBe(6);
    const known = typeof tasks.get("runner-prod-app-backup")?.containerDefinitions === "string";
    expect(known).toBe(!preview);
  });
});

describe("a task definition", () => {
  it("runs the image as a user without privileges, with nothing to write to but the scratch folder", async () => {
    const { tasks } = await deploy();
    const definition = tasks.get("runner-prod-app-backup");
    expect(definition).toMatchObject({
      family: "provision_prod_app_backup",
      requiresCompatibilities: ["FARGATE"],
      networkMode: "awsvpc",
      cpu: "1024",
      memory: "2048",
      runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" },
      volumes: [{ name: "scratch" }],
      skipDestroy: true,
    });
    expect(definition).not.toHaveProperty("ephemeralStorage");
    expect(container(definition)).toMatchObject({
      name: "runner",
      image: IMAGE,
      essential: true,
      user: "10001:10001",
      privileged: false,
      readonlyRootFilesystem: true,
      stopTimeout: 120,
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ["ALL"] } },
      mountPoints: [{ sourceVolume: "scratch", containerPath: "/scratch", readOnly: false }],
      logConfiguration: {
        logDriver: "awslogs",
        options: {
          "awslogs-group": "runner-prod-app",
          "awslogs-region": "eu-central-1",
          "awslogs-stream-prefix": "backup",
        },
      },
    });
  });

  it("says what ECS would otherwise add by itself", async () => {
    const { tasks } = await deploy();
    expect(container(tasks.get("runner-prod-web-backup"))).toMatchObject({
      cpu: 0,
      volumesFrom: [],
      portMappings: [],
      systemControls: [],
    });
  });

  it("has the size that its job asks for, and the other processor where the stack does", async () => {
    const sizes = { app: { cpu: 4096, memory: 16_384, scratchGiB: 100 } };
    const { tasks } = await deploy({ sizes, architecture: "X86_64" });
    expect(tasks.get("runner-prod-app-drill")).toMatchObject({
      cpu: "4096",
      memory: "16384",
      ephemeralStorage: { sizeInGib: 100 },
      runtimePlatform: { cpuArchitecture: "X86_64" },
    });
    expect(tasks.get("runner-prod-web-backup")).toMatchObject({ cpu: "1024", memory: "2048" });
  });

  it.each([
    [{ cpu: 1000 }, "sizes.app.cpu: expected one of 256, 512, 1024, 2048, 4096, 8192, 16384, got 1000."],
    [
      { cpu: 256, memory: 4096 },
      "sizes.app: Fargate has no 4096 MiB of memory with 256 CPU units; it has 512, 1024, 2048.",
    ],
    [
      { memory: 1024 },
      "sizes.app: Fargate has no 1024 MiB of memory with 1024 CPU units; it has 2048 to 8192 in steps of 1024.",
    ],
    [{ scratchGiB: 20 }, "sizes.app.scratchGiB: expected a whole number from 21 to 200, got 20."],
    [{ scratchGiB: 201 }, "sizes.app.scratchGiB: expected a whole number from 21 to 200, got 201."],
    [{ scratchGiB: 30.5 }, "sizes.app.scratchGiB: expected a whole number from 21 to 200, got 30.5."],
  ])("is refused with a size that Fargate has not: %o", async (size, message) => {
    await mockEngine();
    expect(() => new BackupRunner("runner", args({ sizes: { app: size } }))).toThrow(message);
    await registered();
  });

  it("gets the secrets that its purpose needs, each from its own ARN, and no value", async () => {
    const { tasks } = await deploy();
    const variables = (name: string) =>
      Object.fromEntries(container(tasks.get(name)).secrets.map((secret) => [secret.name, secret.valueFrom]));
    const some = (...names: string[]) =>
      Object.fromEntries(names.map((name) => [`PROVISION_SECRET_${name}`, secretArns[name]]));
    expect(variables("runner-prod-app-backup")).toEqual(some("appUrl", "dropboxToken", "sentryDsn"));
    expect(variables("runner-prod-app-prune")).toEqual(some("dropboxToken", "sentryDsn"));
    expect(variables("runner-prod-app-drill")).toEqual(some("ageIdentity", "dropboxToken", "drillUrl", "sentryDsn"));
    expect(variables("runner-prod-app-restore")).toEqual(some("ageIdentity", "appUrl", "dropboxToken", "drillUrl"));
    const web = Object.entries(variables("runner-prod-web-backup"));
    expect(web).toEqual([[expect.stringMatching(/^PROVISION_ARN_[0-9A-F]{16}$/), EXISTING_SECRET]]);
  });

  it("gets the key of a job's files to back them up and to restore them", async () => {
    const key = { secret: "dropboxToken" };
    const files = { kind: "supabase-storage", url: "https://abcdefghijklmnopqrst.supabase.co", key };
    const { tasks } = await deploy({ jobs: [JobSettings.parse({ ...web, files })] });
    const names = (name: string) => container(tasks.get(name)).secrets.map((secret) => secret.name);
    for (const purpose of ["backup", "restore"]) {
      expect(names(`runner-prod-web-${purpose}`)).toContain("PROVISION_SECRET_dropboxToken");
    }
  });

  it("is refused where nobody knows a secret's ARN", async () => {
    await mockEngine();
    const others = Object.fromEntries(Object.entries(secretArns).filter(([name]) => name !== "appUrl"));
    expect(() => new BackupRunner("runner", args({ secretArns: others }))).toThrow(
      "The job app refers to the secret appUrl, of which no ARN is known. Put it into secretArns.",
    );
    await registered();
  });

  it("does what its purpose says", async () => {
    const { tasks } = await deploy();
    const commands = [...tasks].map(([name, definition]) => [name, container(definition).command.join(" ")]);
    expect(Object.fromEntries(commands)).toEqual({
      "runner-prod-app-backup": "backup --no-prune",
      "runner-prod-app-prune": "prune",
      "runner-prod-app-drill": "drill",
      "runner-prod-app-restore": "list",
      "runner-prod-web-backup": "backup --no-prune",
      "runner-prod-web-restore": "list",
    });
  });

  it("publishes reports where the job asks for them, with their secrets alone, and leaves the other tasks as they are", async () => {
    const report = { schedule: { cron: "0 7 * * 1", timezone: "UTC" }, publish: true } as const;
    const signing = { key: { secret: "signingKey" } };
    const signed = { ...app, signing, report: { ...report, keep: 5 } };
    const arns = { ...secretArns, signingKey: (secretArns.appUrl ?? "").replace("appUrl", "signingKey") };
    const { tasks } = await deploy({ jobs: [signed, { ...web, report }], secretArns: arns });
    const { command, secrets } = container(tasks.get("runner-prod-app-report"));
    expect(command).toEqual(["report", "--publish", "--sign", "--keep", "5"]);
    expect(secrets.map(({ name }) => name)).toEqual(["PROVISION_SECRET_dropboxToken", "PROVISION_SECRET_signingKey"]);
    expect(container(tasks.get("runner-prod-web-report"))).toMatchObject({
      command: ["report", "--publish"],
      secrets: [],
    });
    const without = await deploy({ jobs: [{ ...app, signing }, web], secretArns: arns });
    expect([...tasks].filter(([name]) => !name.endsWith("-report"))).toEqual([...without.tasks]);
  });

  it("has the stack's tags, as has all that can have some", async () => {
    const { recorded } = await deploy({ tags: { team: "data" } });
    const taggable = recorded.filter(({ type }) => !/RolePolicy$|^provision:/.test(type));
    expect(taggable.length).toBeGreaterThan(0);
    expect(taggable.filter(({ inputs }) => JSON.stringify(inputs.tags) !== '{"team":"data"}')).toEqual([]);
    expect(ofType(recorded, "aws:cloudwatch/logGroup:LogGroup").get("runner-prod-app")).toMatchObject({
      retentionInDays: 365,
      kmsKeyId: KEY,
    });
  });
});

describe("the job in a task definition", () => {
  async function variables(name: string): Promise<Record<string, string>> {
    const { tasks } = await deploy();
    return Object.fromEntries(container(tasks.get(name)).environment.map(({ name: key, value }) => [key, value]));
  }

  it("is what the runner reads: with its stack, the stack's bucket and CloudWatch's metrics", async () => {
    const job = JobConfig.parse(JSON.parse((await variables("runner-prod-app-backup")).PROVISION_JOB ?? ""));
    const { database, encryption, signing, compression, retention, verify, objectives, anomalies, timeoutMinutes } =
      app;
    const [s3, dropbox] = app.destinations;
    expect(job).toEqual({
      name: "app",
      ...{ database, encryption, signing, compression, retention, verify, objectives, anomalies, timeoutMinutes },
      stack: "prod",
      destinations: [{ ...s3, bucket: "prod-backups", sse: { kmsKeyId: KEY } }, dropbox],
      drill: { target: { secret: "drillUrl" } },
      monitor: [...app.monitor, { kind: "log", progressSeconds: 60, metrics: "cloudwatch", namespace: "Provision" }],
    });
  });

  it("gets its schedule from the scheduler, as the runner loads it", async () => {
    const environment: Record<string, string> = {
      ...(await variables("runner-prod-app-backup")),
      PROVISION_SCHEDULE: "0 3 * * * Europe/Rome",
    };
    const job = await loadJob(undefined, environment);
    expect(job.schedule).toEqual({ cron: "0 3 * * *", timezone: "Europe/Rome" });
    expect(environment.TMPDIR).toBe("/scratch");
  });

  it("refers to an existing secret by the variable that holds it", async () => {
    const { tasks } = await deploy();
    const { environment, secrets } = container(tasks.get("runner-prod-web-restore"));
    const job = JobConfig.parse(JSON.parse(environment[0]?.value ?? ""));
    expect(job.database.url).toEqual({ env: secrets[0]?.name });
    expect(JSON.stringify(environment)).not.toContain("arn:aws:secretsmanager");
  });

  it("keeps a bucket and a key of its own", async () => {
    const own = { ...web, destinations: [{ ...web.destinations[0], bucket: "mine" }] } as typeof web;
    const { tasks } = await deploy({ jobs: [own] });
    const job = JobConfig.parse(JSON.parse(container(tasks.get("runner-prod-web-backup")).environment[0]?.value ?? ""));
    expect(job.destinations[0]).toMatchObject({ bucket: "mine" });
    expect(job.destinations[0]).not.toHaveProperty("sse");
  });
});

describe("the roles", () => {
  it("can be taken by tasks of this account and region alone, with a boundary and a path where they are asked for", async () => {
    const boundary = "arn:aws:iam::123456789012:policy/boundary";
    const { recorded } = await deploy({ permissionsBoundary: boundary, rolePath: "/backups/" });
    const roles = [...ofType(recorded, "aws:iam/role:Role").values()];
    expect(roles).toHaveLength(8);
    for (const role of roles) {
      expect(role).toMatchObject({ permissionsBoundary: boundary, path: "/backups/" });
      expect(JSON.parse(String(role.assumeRolePolicy))).toMatchObject({
        Statement: [
          {
            Principal: { Service: "ecs-tasks.amazonaws.com" },
            Condition: {
              StringEquals: { "aws:SourceAccount": "123456789012" },
              ArnLike: { "aws:SourceArn": "arn:aws:ecs:eu-central-1:123456789012:*" },
            },
          },
        ],
      });
    }
  });

  it("have names that fit, and differ, however long those of the stack and the jobs are", async () => {
    const long = "x".repeat(40);
    const jobs = [
      { ...web, name: `${long.slice(1)}a` },
      { ...web, name: `${long.slice(1)}b` },
    ];
    const { recorded } = await deploy({ stack: long, jobs });
    const names = [...ofType(recorded, "aws:iam/role:Role").keys()];
    expect(names).toHaveLength(6);
    expect(names.filter((name) => name.length > 54)).toEqual([]);
  });
});

it("makes nothing but a cluster without a job", async () => {
  const { recorded, runner } = await deploy({ jobs: [] });
  expect(recorded.map(({ name }) => name)).toEqual(["runner", "runner-prod"]);
  expect(await unwrap(runner.clusterName)).toBe("runner-prod");
  expect(runner.tasks).toEqual({});
});
