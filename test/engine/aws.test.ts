import { S3 } from "@aws-sdk/client-s3";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunInput } from "../../components/aws/backup-schedule/run-machine.ts";
import { JobConfig } from "../../providers/config.ts";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { secret, startEngine, type EngineStack, type Outcome, type StackConfig } from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { encodingsOf } from "../helpers/encodings-of.ts";
import { startMoto, type Moto } from "../../tools/services/moto.ts";
import { awsCall } from "./aws/call.ts";
import { registeredContainer, runTask, secretValue, type Overrides } from "./aws/ecs-task.ts";
import { awsProgram } from "./aws/program.ts";

const engine = await startEngine({ say: () => undefined });
const plugin = await engine.awsPlugin();
if (plugin === undefined) {
  console.warn("Pulumi's aws plugin is neither here nor to be downloaded: the AWS target is not tested on the engine.");
}
afterAll(() => engine.stop());

/** What a test may take: waiting for a lifecycle configuration takes a minute with this provider, whatever it is asked for. */
const UP_MS = 240_000;

const IMAGE = `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:${"ab".repeat(32)}`;
const NIGHTLY = { cron: "0 3 * * *", timezone: "America/Sao_Paulo" };

/** A bucket with its two companions, and without a lock. */
const COPIED = { objectLock: "off", accessLogs: {}, replica: { region: "eu-west-1" } };

interface JobOutputs {
  readonly taskDefinitions: Readonly<Record<"backup" | "prune" | "drill" | "report" | "restore", string>>;
  readonly schedules: Readonly<Record<string, string>>;
  readonly roles: Readonly<Record<string, string>>;
  readonly logGroup: string;
  readonly run: string;
  readonly follow: string;
  readonly restore: string;
}

describe.skipIf(plugin === undefined)(
  "a stack of the target aws, on the real engine with the Terraform provider and moto",
  { timeout: UP_MS },
  () => {
    let moto: Moto;
    let postgres: Postgres;
    let s3: S3;
    let dev: EngineStack;
    let staging: EngineStack;
    let promoted: Promise<Outcome>;
    let notesArn: string;
    let identity: string;
    let recipient: string;
    let first: Outcome;
    /** Whatever was printed or stored. */
    const seen: string[] = [];
    const passwords = ["m4rker-of-the-f1rst-role", "m4rker-of-the-sec0nd-role"];

    /** The URL of a database, for the one or the other of two roles. */
    const urlOf = (database: string, role: 0 | 1 = 0) =>
      `postgres://backup_${role}:${passwords[role] ?? ""}@127.0.0.1:${postgres.port}/${database}`;

    const app = () => ({
      name: "app",
      schedule: NIGHTLY,
      database: { kind: "postgres", url: { secret: "appUrl" } },
      destinations: [{ kind: "s3" }],
      encryption: { recipients: [recipient], identity: { secret: "ageIdentity" } },
      retention: { last: 7 },
      drill: { target: { secret: "drillUrl" }, acceptSharedUser: true, schedule: { cron: "0 6 * * 0" } },
    });
    const notes = () => ({
      name: "notes",
      schedule: { cron: "0 2 * * 0" },
      database: { kind: "postgres", url: { arn: notesArn } },
      destinations: [{ kind: "s3" }],
      retention: { last: 7 },
    });

    function configOf(
      change: {
        readonly jobs?: readonly object[];
        readonly role?: 0 | 1;
        readonly image?: string;
        readonly bucket?: object;
        readonly holders?: readonly string[];
      } = {},
    ) {
      const { jobs = [app()], role = 0, image = IMAGE, bucket = {}, holders } = change;
      return {
        ...moto.config,
        target: "aws",
        secrets: {
          appUrl: secret(urlOf("shop", role)),
          drillUrl: secret(urlOf("postgres")),
          ageIdentity: secret(identity),
        },
        jobs,
        aws: { image, bucket, alarms: { emails: ["ops@example.com"] }, ...(holders && { holders }) },
      } as StackConfig;
    }

    async function up(change: Parameters<typeof configOf>[0] = {}): Promise<string[]> {
      await dev.configure(configOf(change));
      const outcome = await dev.up();
      seen.push(outcome.output, await dev.exportState());
      return did(outcome);
    }

    /** The outputs of a job. */
    async function job(stack: EngineStack, name: string): Promise<JobOutputs> {
      const { jobs } = await stack.outputs();
      const outputs = (jobs?.value as Record<string, JobOutputs>)[name];
      if (outputs === undefined) throw new Error(`the stack has no job ${name}`);
      return outputs;
    }

    /** What the schedule of a task hands to the state machine, which hands it to ECS. */
    async function scheduled(arn: string): Promise<{ readonly taskDefinition: string; readonly overrides: Overrides }> {
      const [group = "", name = ""] = arn.split("/").slice(1);
      const { Target } = await awsCall<{ Target: { Arn: string; Input: string } }>(moto.url, "scheduler", {
        path: `/schedules/${name}?groupName=${group}`,
      });
      const { taskDefinition, environment } = JSON.parse(Target.Input) as RunInput;
      const overrides = {
        environment: environment.map(({ Name: variable, Value }) => ({ name: variable, value: Value })),
      };
      return { taskDefinition, overrides };
    }

    const bucketOf = async (stack: EngineStack) => String((await stack.outputs()).bucket?.value);
    const keysOf = async (bucket: string) =>
      ((await s3.listObjectsV2({ Bucket: bucket })).Contents ?? []).map(({ Key = "" }) => Key);

    beforeAll(async () => {
      [moto, postgres] = await Promise.all([startMoto(), startPostgres()]);
      s3 = new S3({
        endpoint: moto.url,
        region: "us-east-1",
        forcePathStyle: true,
        credentials: { accessKeyId: "test", secretAccessKey: "test" },
      });
      await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
      for (const [index, password] of passwords.entries()) {
        await sql(postgres, "postgres", `CREATE ROLE backup_${index} LOGIN SUPERUSER PASSWORD '${password}'`);
      }
      identity = await generateX25519Identity();
      recipient = await identityToRecipient(identity);
      const { ARN } = await awsCall<{ ARN: string }>(moto.url, "secretsmanager", {
        target: "secretsmanager.CreateSecret",
        body: { Name: "team/notes-url", SecretString: urlOf("shop"), ClientRequestToken: crypto.randomUUID() },
      });
      notesArn = ARN;
      const program = awsProgram(plugin ?? "official");
      dev = await engine.stack({ program, stack: "dev", config: configOf() });
      staging = await engine.stack({ program, stack: "staging" });
      const preview = await dev.preview();
      expect((await s3.listBuckets()).Buckets ?? []).toEqual([]);
      seen.push(preview.output);
      first = await dev.up();
      seen.push(first.output, await dev.exportState());
      // It takes a minute of waiting, which the tests below may use.
      await staging.configure(configOf({ image: String((await dev.outputs()).image?.value), bucket: COPIED }));
      promoted = staging.up();
      promoted.catch(() => undefined);
    }, UP_MS);
    afterAll(async () => {
      await promoted.catch(() => undefined);
      s3.destroy();
      await Promise.all([moto.stop(), postgres.stop()]);
    });

    it("makes everything, and nothing twice", () => {
      expect(first.summary.create).toBeGreaterThan(60);
      expect(Object.keys(first.summary)).toEqual(["create"]);
    });

    it("changes nothing the second time", async () => {
      await dev.preview({ expectNoChanges: true });
      expect(await up()).toEqual([]);
    });

    it("starts the runner, as ECS would, to back up, verify, prune, drill and restore a real database", async () => {
      const { schedules, restore } = await job(dev, "app");
      const bucket = await bucketOf(dev);

      const { taskDefinition, overrides } = await scheduled(schedules.backup ?? "");
      const backup = await runTask(moto.url, taskDefinition, overrides);
      expect(backup.code, backup.stderr + backup.stdout).toBe(0);
      expect(backup.stdout + backup.stderr).toContain('"RunSucceeded":1');
      const keys = await keysOf(bucket);
      expect(keys.every((key) => key.startsWith("dev/app/"))).toBe(true);
      expect(keys.map((key) => key.split("/").at(-1))).toEqual(
        expect.arrayContaining([
          "database.dump.zst.age",
          "manifest.json",
          expect.stringMatching(/^verified-.*\.json$/),
        ]),
      );

      for (const purpose of ["prune", "drill"] as const) {
        const task = await scheduled(schedules[purpose] ?? "");
        const ended = await runTask(moto.url, task.taskDefinition, task.overrides);
        expect(ended.code, ended.stderr + ended.stdout).toBe(0);
      }
      expect(await keysOf(bucket)).toEqual(expect.arrayContaining(keys));

      // The command of the stack's outputs, with another place to restore to.
      await emptyDatabase(postgres, "copy");
      const [, family = ""] = / --task-definition (\S+) /.exec(restore) ?? [];
      const [, json = ""] = / --overrides '(.*?)' /.exec(restore) ?? [];
      const { containerOverrides } = JSON.parse(json) as { containerOverrides: [{ command: string[] }] };
      const command = containerOverrides[0].command;
      expect(command).toEqual(["restore", "latest", "--to", "env:PROVISION_SECRET_appUrl"]);
      const environment = [{ name: "COPY_URL", value: postgres.url("copy") }];
      const ended = await runTask(moto.url, family, {
        command: [...command.slice(0, -1), "env:COPY_URL"],
        environment,
      });
      expect(ended.code, ended.stderr).toBe(0);
      const { tables, differences } = await compareDatabases(postgres.url("shop"), postgres.url("copy"));
      expect(differences).toEqual([]);
      expect(tables.length).toBeGreaterThan(10);
    });

    it("hands the runner a job that its own schema takes", async () => {
      const { taskDefinitions } = await job(dev, "app");
      const { environment, image } = await registeredContainer(moto.url, taskDefinitions.backup);
      expect(image).toBe(IMAGE);
      const text = environment.find(({ name }) => name === "PROVISION_JOB")?.value ?? "";
      expect(JobConfig.parse(JSON.parse(text))).toMatchObject({ name: "app", stack: "dev" });
    });

    it("changes the schedule, and when its alarms expect a backup, when the schedule changes", async () => {
      const changed = { ...app(), schedule: { ...NIGHTLY, cron: "30 4 * * *" } };
      expect((await up({ jobs: [changed] })).sort()).toEqual([
        "update aws:cloudwatch/metricAlarm:MetricAlarm provision-alarms-dev-app-late",
        "update aws:cloudwatch/metricAlarm:MetricAlarm provision-alarms-dev-app-no-object",
        "update aws:scheduler/schedule:Schedule provision-schedule-dev-app",
      ]);
    });

    it("changes the secret's value alone when a secret is rotated", async () => {
      const { taskDefinitions } = await job(dev, "app");
      const steps = await up({ role: 1, jobs: [{ ...app(), schedule: { ...NIGHTLY, cron: "30 4 * * *" } }] });
      expect(new Set(steps.map((step) => step.split(" ").slice(1).join(" ")))).toEqual(
        new Set(["aws:secretsmanager/secretVersion:SecretVersion provision-secrets-dev-appUrl-value"]),
      );
      const { secrets } = await registeredContainer(moto.url, taskDefinitions.backup);
      const arn = secrets.find(({ name }) => name === "PROVISION_SECRET_appUrl")?.valueFrom ?? "";
      expect(await secretValue(moto.url, arn)).toBe(urlOf("shop", 1));
      const ended = await runTask(moto.url, taskDefinitions.backup);
      expect(ended.code, ended.stderr + ended.stdout).toBe(0);
    });

    it("adds a job, and takes it away again, without touching the other", async () => {
      // What all jobs share is replaced or gets longer, as the lists of who uses a key or a secret; nothing that the other job needs is changed.
      const shared =
        /Dashboard|provision-key-key|provisionSigningKey-policy|provision-schedule-dev-run-tasks|provision-alarms-dev-(due|zeros)/;
      const ofOthers = (steps: readonly string[]) =>
        steps.filter((step) => !/\bnotes\b|notes_/.test(step) && !shared.test(step));
      await up();
      const added = await up({ jobs: [app(), notes()] });
      expect(added.filter((step) => step.startsWith("create")).length).toBeGreaterThan(10);
      expect(ofOthers(added)).toEqual([]);
      const { taskDefinitions } = await job(dev, "notes");
      const ended = await runTask(moto.url, taskDefinitions.backup);
      expect(ended.code, ended.stderr + ended.stdout).toBe(0);
      const removed = await up();
      expect(ofOthers(removed)).toEqual([]);
      expect((await keysOf(await bucketOf(dev))).some((key) => key.startsWith("dev/notes/"))).toBe(true);
    });

    it("renames a job where it stands, with its backups, and keeps the log of one that is removed", async () => {
      const { logGroup, taskDefinitions } = await job(dev, "app");
      const steps = await up({ jobs: [{ ...app(), name: "shop", rename: { from: "app" } }] });
      expect(steps.filter((step) => !step.startsWith("update "))).toEqual([]);
      expect(steps.length).toBeGreaterThan(5);
      const renamed = await job(dev, "shop");
      expect(renamed).toMatchObject({ logGroup, taskDefinitions });
      const ended = await runTask(moto.url, renamed.taskDefinitions.backup);
      expect(ended.code, ended.stderr + ended.stdout).toBe(0);
      expect((await keysOf(await bucketOf(dev))).some((key) => key.startsWith("dev/shop/"))).toBe(false);
      // The log groups of this job, and of the one that the test before has removed.
      const { logGroups } = await awsCall<{ logGroups: { logGroupName: string }[] }>(moto.url, "logs", {
        target: "Logs_20140328.DescribeLogGroups",
        body: {},
      });
      const names = logGroups.map(({ logGroupName }) => logGroupName);
      expect(names).toContain(logGroup);
      expect(names.some((name) => name.startsWith("provision-runner-dev-notes"))).toBe(true);
      await up({ jobs: [{ ...app(), rename: { from: ["app", "shop"] } }] });
      expect(await up()).toEqual([]);
    });

    it("is promoted: the same digest in a second stack of the account", async () => {
      const { summary, output } = await promoted;
      seen.push(output, await staging.exportState());
      expect(Object.keys(summary)).toEqual(["create"]);
      expect((await staging.outputs()).image?.value).toBe(IMAGE);
      const { taskDefinitions } = await job(staging, "app");
      expect((await registeredContainer(moto.url, taskDefinitions.backup)).image).toBe(IMAGE);
      expect(await bucketOf(staging)).not.toBe(await bucketOf(dev));
      await dev.preview({ expectNoChanges: true });
    });

    it("logs accesses and copies to a second bucket, and repeats neither", async () => {
      await promoted;
      const Bucket = await bucketOf(staging);
      const [{ LoggingEnabled }, { ReplicationConfiguration }] = await Promise.all([
        s3.getBucketLogging({ Bucket }),
        s3.getBucketReplication({ Bucket }),
      ]);
      expect(LoggingEnabled).toMatchObject({
        TargetBucket: expect.stringMatching(/^provision-staging-access-/) as unknown,
        TargetPrefix: "access/",
      });
      const [rule, ...others] = ReplicationConfiguration?.Rules ?? [];
      expect(others).toEqual([]);
      expect(rule).toMatchObject({
        Status: "Enabled",
        Destination: {
          Bucket: expect.stringMatching(/^arn:aws:s3:::provision-staging-replica-/) as unknown,
          EncryptionConfiguration: { ReplicaKmsKeyID: expect.stringMatching(/^arn:aws:kms:.*:key\//) as unknown },
        },
      });
      const replica = rule?.Destination?.Bucket?.split(":").at(-1);
      expect((await s3.getBucketVersioning({ Bucket: replica })).Status).toBe("Enabled");
      await staging.preview({ expectNoChanges: true });
    });

    it("gives a bucket a lock without replacing it, and refuses to take one away", async () => {
      await promoted;
      await staging.configure(configOf({ bucket: { ...COPIED, objectLock: { days: 7 } } }));
      const { steps } = await staging.preview();
      const buckets = steps.filter(({ type }) => type.startsWith("aws:s3")).map(({ op, name }) => `${op} ${name}`);
      expect(buckets.filter((step) => !step.startsWith("update")).sort()).toEqual([
        "create provision-bucket-object-lock",
        "create provision-bucket-replica-object-lock",
      ]);
      await dev.configure(configOf({ bucket: { objectLock: "off" } }));
      await expect(dev.preview()).rejects.toThrow(/has Object Lock, which S3 never turns off again/);
      await dev.configure(configOf());
    });

    it("gets a task that publishes reports, and keeps the others as they are, once the job asks for them", async () => {
      await up();
      const report = { schedule: { cron: "0 7 * * 1" }, publish: true, keep: 2 };
      const steps = await up({ jobs: [{ ...app(), report }] });
      expect(steps.filter((step) => step.startsWith("create")).sort()).toEqual([
        "create aws:ecs/taskDefinition:TaskDefinition provision-runner-dev-app-report",
        "create aws:iam/role:Role provision-runner-dev-app-report",
        "create aws:iam/rolePolicy:RolePolicy provision-runner-dev-app-report-policy",
        "create aws:scheduler/schedule:Schedule provision-schedule-dev-app_report",
      ]);
      // Who uses the key, and what the state machine may start.
      const shared = /^update .* (provision-key-key|provision-schedule-dev-run-tasks-policy)$/;
      expect(steps.filter((step) => !step.startsWith("create") && !shared.test(step))).toEqual([]);
      expect(await up({ jobs: [{ ...app(), report }] })).toEqual([]);

      const { schedules, taskDefinitions } = await job(dev, "app");
      const backup = await runTask(moto.url, taskDefinitions.backup);
      expect(backup.code, backup.stderr + backup.stdout).toBe(0);
      const { taskDefinition, overrides } = await scheduled(schedules.report ?? "");
      expect(overrides.environment).toEqual([{ name: "PROVISION_SCHEDULE", value: "0 3 * * * America/Sao_Paulo" }]);
      const ended = await runTask(moto.url, taskDefinition, overrides);
      expect([ended.code, ended.stderr]).toEqual([0, ""]);
      const bucket = await bucketOf(dev);
      const [page = "", signature] = (await keysOf(bucket)).filter((key) => key.startsWith("dev/app/reports/"));
      expect(signature).toBe(`${page}.sig`);
      const { Body } = await s3.getObject({ Bucket: bucket, Key: page });
      expect(await Body?.transformToString()).toMatch(/Recoverable to \d{4}-\d\d-\d\d \d\d:\d\d/);
    });

    it("gets a role with which people hold backups, and keeps the others as they are, once it names them", async () => {
      await up();
      const holders = ["arn:aws:iam::123456789012:root"];
      const steps = await up({ holders });
      expect(steps.filter((step) => step.startsWith("create aws:")).sort()).toEqual([
        "create aws:iam/role:Role provision-holders-dev-app-hold",
        "create aws:iam/rolePolicy:RolePolicy provision-holders-dev-app-hold-policy",
      ]);
      // Who uses the key, and who reads the one that signs.
      const shared = /^update .* provision-(key-key|secrets-dev-provisionSigningKey-policy)$/;
      expect(steps.filter((step) => !step.startsWith("create") && !shared.test(step))).toEqual([]);
      expect((await job(dev, "app")).roles.hold).toMatch(/:role\/provision-holders-dev-app-hold-/);
      expect(await up({ holders })).toEqual([]);
    });

    it("finds no drift when it looks", async () => {
      expect(Object.keys((await dev.refresh()).summary)).toEqual(["same"]);
    });

    it("leaves the bucket with its backups when it is destroyed", async () => {
      const bucket = await bucketOf(dev);
      const { cluster, deadLetterQueue, key } = await dev.outputs();
      expect([cluster?.value, deadLetterQueue?.value, key?.value]).toEqual([
        expect.stringMatching(/^provision-runner-dev/),
        expect.stringMatching(/^http.*\/provision-schedule-dev-not-started/),
        expect.stringMatching(/^arn:aws:kms:us-east-1:/),
      ]);
      const keys = await keysOf(bucket);
      seen.push((await dev.destroy()).output);
      expect(await keysOf(bucket)).toEqual(keys);
      expect(keys.length).toBeGreaterThan(5);
    });

    it("has shown no secret, neither in what it printed nor in its state", () => {
      expect(seen.length).toBeGreaterThan(10);
      const all = seen.join("\n");
      expect(all).toContain("provision-secrets-dev-appUrl-value");
      for (const text of [...passwords, identity, postgres.password]) {
        for (const { trace } of encodingsOf(text)) expect(all).not.toContain(trace);
      }
    });
  },
);

/** The steps that changed something at AWS. */
function did(outcome: Outcome): string[] {
  return outcome.steps
    .filter(({ type }) => type.startsWith("aws:"))
    .map(({ op, type, name }) => `${op} ${type} ${name}`);
}
