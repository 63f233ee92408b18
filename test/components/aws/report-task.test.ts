/** The task that publishes reports, with its own command, variables and secrets, on an S3 service behind its own role. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { BackupRunner } from "../../../components/aws/backup-runner.ts";
import { JobSettings } from "../../../providers/config.ts";
import { writeSchedule } from "../../../providers/environment.ts";
import { SigningKeys } from "../../../runner/backups/documents/signing.ts";
import { registerSecret } from "../../../tools/services/known-secrets.ts";
import { startVersitygw, type Versitygw } from "../../../tools/services/versitygw.ts";
import { IMAGE, KEY } from "../../helpers/aws-jobs.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { mockEngine, registered, type RecordedResource } from "../../helpers/mocks.ts";
import { startS3Gate, type S3Gate } from "../../helpers/s3-gate.ts";
import { startProvision, type Ended } from "../../helpers/sandbox.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { SCHEDULE, yearOfBackups } from "../../helpers/year-of-backups.ts";

const SIGNING = registerSecret("the key that signs", "7f".repeat(32));
const secret = (name: string) => `arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/${name}-AbCdEf`;
const job = JobSettings.parse({
  name: "app",
  schedule: SCHEDULE,
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [{ kind: "s3" }],
  encryption: {
    recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    identity: { secret: "ageIdentity" },
  },
  signing: { key: { secret: "signingKey" } },
  retention: { daily: 30 },
  drill: { target: { secret: "drillUrl" } },
  monitor: { kind: "sentry", dsn: { secret: "sentryDsn" } },
  report: { schedule: { cron: "0 7 * * 1" }, publish: true, keep: 3 },
});

const year = yearOfBackups({ stack: "prod", name: "app" }, new Date(), new SigningKeys(SIGNING));
/** The newest nights that have a backup. */
const recent = year.nights.flatMap(({ id }) => id ?? []).slice(-6);
const UNTIL = new Date(Date.now() + 20 * 86_400_000);
const REPORTS = "prod/app/reports";

interface Container {
  readonly command: string[];
  readonly environment: { readonly name: string; readonly value: string }[];
  readonly secrets: { readonly name: string; readonly valueFrom: string }[];
}

let service: Versitygw;
let gate: S3Gate | undefined;
let folder: TemporaryFolder;
let buckets = 0;
let Bucket: string;
let recorded: readonly RecordedResource[];

beforeAll(async () => {
  service = await startVersitygw();
  folder = new TemporaryFolder();
});
afterAll(async () => {
  folder.remove();
  await service.stop();
});

/** A bucket with Object Lock, in which are six backups, whose archives are locked, and reports of four days with something of a person's. */
beforeEach(async () => {
  buckets += 1;
  Bucket = `backups-${buckets}`;
  await service.client.createBucket({ Bucket, ObjectLockEnabledForBucket: true });
  const lock = { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: UNTIL } as const;
  const stored = [...year.stores[0]].filter(([key]) => recent.some((id) => key.includes(id)));
  const isArchive = ([key]: [string, string]) => key.endsWith(".zst.age");
  // As a backup does: the archive before the manifest and the records.
  for (const [Key, Body] of stored.filter(isArchive)) await service.client.putObject({ Bucket, Key, Body, ...lock });
  for (const [Key, Body] of stored.filter((each) => !isArchive(each))) {
    await service.client.putObject({ Bucket, Key, Body });
  }
  for (const name of [...[1, 2, 3, 4].flatMap((day) => [page(day), `${page(day)}.sig`]), "notes.html", "old.txt"]) {
    await service.client.putObject({ Bucket, Key: `${REPORTS}/${name}`, Body: "x" });
  }
  recorded = await mockEngine();
  const names = ["appUrl", "ageIdentity", "signingKey", "drillUrl", "sentryDsn"];
  const secretArns = Object.fromEntries(names.map((name) => [name, secret(name)]));
  const common = { stack: "prod", image: IMAGE, secretArns, keyArn: KEY };
  await registered(new BackupRunner("runner", { ...common, jobs: [job], bucket: { name: Bucket } }));
  return async () => {
    await gate?.stop();
    gate = undefined;
  };
});

const page = (day: number) => `2020010${day}T070000Z.html`;

interface Policy {
  readonly Statement: readonly { readonly Action: readonly string[] }[];
}

/** Runs the task as ECS would, with the rights of its role, or with some of them taken away. */
async function publish(change: (policy: Policy) => Policy = (policy) => policy): Promise<Ended> {
  const { policy } = inputsOf(recorded, "iam/rolePolicy:RolePolicy", /^runner-prod-app-report-policy$/);
  gate = await startS3Gate(service.url, change(JSON.parse(String(policy)) as Policy));
  const { containerDefinitions } = inputsOf(recorded, "ecs/taskDefinition:TaskDefinition", /^runner-prod-app-report$/);
  const [{ command, environment, secrets }] = JSON.parse(String(containerDefinitions)) as [Container];
  expect(secrets).toEqual([{ name: "PROVISION_SECRET_signingKey", valueFrom: secret("signingKey") }]);
  return startProvision(command, {
    ...Object.fromEntries(environment.map(({ name, value }) => [name, value])),
    PROVISION_SECRET_signingKey: SIGNING,
    PROVISION_SCHEDULE: writeSchedule(SCHEDULE),
    PATH: process.env.PATH ?? "",
    HOME: folder.path,
    TMPDIR: folder.path,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: service.accessKeyId,
    AWS_SECRET_ACCESS_KEY: service.secretAccessKey,
    AWS_ENDPOINT_URL_S3: gate.url,
  }).ended;
}

async function keys(): Promise<string[]> {
  return ((await service.client.listObjectsV2({ Bucket })).Contents ?? []).map(({ Key = "" }) => Key);
}

const reports = async () =>
  (await keys()).filter((key) => key.startsWith(`${REPORTS}/`)).map((key) => key.slice(REPORTS.length + 1));
const textOf = async (name: string) =>
  (await service.client.getObject({ Bucket, Key: `${REPORTS}/${name}` })).Body?.transformToString();

it("publishes a signed page on what is recoverable and locked, and removes the oldest pages alone", async () => {
  const before = await keys();
  const ended = await publish();
  expect([ended.code, ended.stderr]).toEqual([0, ""]);
  const made = (await reports()).filter((name) => !before.includes(`${REPORTS}/${name}`));
  expect(made).toEqual([
    expect.stringMatching(/^\d{8}T\d{6}Z\.html$/),
    expect.stringMatching(/^\d{8}T\d{6}Z\.html\.sig$/),
  ]);
  const [name = "", signature = ""] = made;
  expect(signature).toBe(`${name}.sig`);
  const html = (await textOf(name)) ?? "";
  expect(html).toMatch(/Recoverable to \d{4}-\d\d-\d\d 03:00 Europe\/Berlin/);
  expect(html).toMatch(/It is locked by the store until \d{4}-\d\d-\d\d/);
  expect(await textOf(signature)).toMatch(/^-----BEGIN SSH SIGNATURE-----/);
  const gone = [1, 2].flatMap((day) => [page(day), `${page(day)}.sig`]).map((each) => `${REPORTS}/${each}`);
  expect(await keys()).toEqual(
    [...before.filter((key) => !gone.includes(key)), ...made.map((each) => `${REPORTS}/${each}`)].sort(),
  );
  for (const key of gone) expect(ended.stdout).toContain(`removed: ${key} in s3 ${Bucket}`);
});

it("is refused the archives, whose locks it learns all the same, and nothing else", async () => {
  await publish();
  const archives = recent.map((id) => `prod/app/${id}/database.dump.zst.age`);
  expect(new Set(gate?.refused.map(({ key }) => key))).toEqual(new Set(archives));
  expect(new Set(gate?.refused.map(({ action }) => action))).toEqual(new Set(["s3:GetObject"]));
});

it("publishes, and says which pages stay, where the role may remove none", async () => {
  const before = await reports();
  const { code, stdout } = await publish((policy) => ({
    ...policy,
    Statement: policy.Statement.map((statement) => ({
      ...statement,
      Action: statement.Action.filter((action) => action !== "s3:DeleteObject"),
    })),
  }));
  expect(code).toBe(0);
  expect(stdout).toMatch(
    new RegExp(
      `^Older pages stay in s3 ${Bucket}\\. 4 of 4 objects could not be removed .*Fix: Allow s3:DeleteObject`,
      "m",
    ),
  );
  expect(await reports()).toEqual(expect.arrayContaining(before));
  expect(await reports()).toHaveLength(before.length + 2);
});
