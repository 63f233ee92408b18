/** What a person does with the role of holders and the job of a task: on an S3 service behind that role. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { BackupHolders } from "../../../components/aws/backup-holders.ts";
import { BackupRunner } from "../../../components/aws/backup-runner.ts";
import { JobSettings } from "../../../providers/config.ts";
import { s3 } from "../../../providers/storage/s3.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { listBackups } from "../../../runner/backups/catalogue/catalogue.ts";
import type { HoldReport } from "../../../runner/operations/hold.ts";
import { SigningKeys } from "../../../runner/backups/documents/signing.ts";
import { writeRecord } from "../../../runner/backups/documents/write-record.ts";
import { registerSecret } from "../../../tools/services/known-secrets.ts";
import { startVersitygw, type Versitygw } from "../../../tools/services/versitygw.ts";
import { IMAGE, KEY } from "../../helpers/aws-jobs.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { ACCOUNT } from "../../helpers/iam.ts";
import { mockEngine, registered, type RecordedResource } from "../../helpers/mocks.ts";
import { printed } from "../../helpers/reports.ts";
import { startS3Gate, type S3Gate } from "../../helpers/s3-gate.ts";
import { fillBackupOfFiles, objectOf } from "../../helpers/sample-files.ts";
import { startProvision, type Ended } from "../../helpers/sandbox.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { fill, keysIn } from "../../helpers/store.ts";

const SIGNING = registerSecret("the key that signs", "7f".repeat(32));
const keys = new SigningKeys(SIGNING);
const [HELD, OTHER] = ["20260101T000000Z-abcdef", "20260102T000000Z-abcdef"] as const;
const UNTIL = new Date(Date.now() + 20 * 86_400_000);
const job = JobSettings.parse({
  name: "app",
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [
    { kind: "s3" },
    { kind: "dropbox", folder: "/backups", appKey: "abc123def456", refreshToken: { secret: "dropboxToken" } },
  ],
  signing: { key: { secret: "signingKey" } },
  retention: { last: 1, atLeast: 1 },
});
const owner = { stack: "prod", name: "app", keys };
const { signal } = new AbortController();

interface Policy {
  readonly Statement: readonly { readonly Effect: string; readonly Action: readonly string[] }[];
}

let service: Versitygw;
let folder: TemporaryFolder;
let buckets = 0;
let Bucket: string;
let storage: StorageProvider;
let gate: S3Gate | undefined;
let recorded: readonly RecordedResource[];

beforeAll(async () => {
  service = await startVersitygw();
  folder = new TemporaryFolder();
});
afterAll(async () => {
  folder.remove();
  await service.stop();
});

/** A bucket with Object Lock, in which two backups share a file's content, and the archive of one is locked for some days. */
beforeEach(async () => {
  buckets += 1;
  Bucket = `backups-${buckets}`;
  await service.client.createBucket({ Bucket, ObjectLockEnabledForBucket: true });
  const config = s3.schema.parse({ kind: "s3", bucket: Bucket, endpoint: service.url, region: "us-east-1" });
  const { accessKeyId, secretAccessKey } = service;
  storage = await s3.create(config, { secrets: { accessKeyId, secretAccessKey } });
  await fill(
    storage,
    ["a", "b", "c"].map((name) => `prod/app/${objectOf(name)}`),
  );
  await fillBackupOfFiles(storage, HELD, ["a", "b"], keys);
  await fillBackupOfFiles(storage, OTHER, ["b", "c"], keys);
  for (const id of [HELD, OTHER]) {
    await writeRecord({ storage, job: owner, id, signal }, (at) => {
      const checked = { checkedAt: at.toISOString(), outcome: "verified", problems: [] } as const;
      return { format: 1, id, program: "0.1.0", ...checked };
    });
  }
  await fill(storage, [`prod/app/${OTHER}/database.dump.zst`]);
  const lock = { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: UNTIL } as const;
  await service.client.putObject({ Bucket, Key: `prod/app/${HELD}/database.dump.zst`, Body: "x", ...lock });
  recorded = await mockEngine();
  const secretArns = Object.fromEntries(
    ["appUrl", "dropboxToken", "signingKey"].map((name) => [
      name,
      `arn:aws:secretsmanager:eu-central-1:${ACCOUNT}:secret:prod/${name}-AbCdEf`,
    ]),
  );
  const common = { stack: "prod", jobs: [job], bucket: { name: Bucket }, secretArns, keyArn: KEY };
  const holders = [`arn:aws:iam::${ACCOUNT}:role/legal`];
  await registered(
    new BackupRunner("runner", { ...common, image: IMAGE }),
    new BackupHolders("runner", { ...common, holders }),
  );
});
afterEach(async () => {
  await gate?.stop();
  gate = undefined;
  await storage.close();
});

function policyOfHolders(): Policy {
  const { policy } = inputsOf(recorded, "iam/rolePolicy:RolePolicy", /^runner-prod-app-hold-policy$/);
  return JSON.parse(String(policy)) as Policy;
}

/** Runs a command on the job of the task for backups, with the rights of the role and the key that signs. */
async function provision(words: readonly string[], policy = policyOfHolders()): Promise<Ended> {
  await gate?.stop();
  gate = await startS3Gate(service.url, policy);
  const { containerDefinitions } = inputsOf(recorded, "ecs/taskDefinition:TaskDefinition", /^runner-prod-app-backup$/);
  const [{ environment }] = JSON.parse(String(containerDefinitions)) as [
    { environment: { name: string; value: string }[] },
  ];
  const file = join(folder.path, "app.json");
  writeFileSync(file, environment.find(({ name }) => name === "PROVISION_JOB")?.value ?? "");
  return startProvision([...words, "--destination", "0", "--json", "--job", file], {
    PROVISION_SECRET_signingKey: SIGNING,
    PATH: process.env.PATH ?? "",
    HOME: folder.path,
    TMPDIR: folder.path,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: service.accessKeyId,
    AWS_SECRET_ACCESS_KEY: service.secretAccessKey,
    AWS_ENDPOINT_URL_S3: gate.url,
  }).ended;
}

const hold = (id: string, policy?: Policy) => provision(["hold", id, "--reason", "case 4711"], policy);
const release = (id: string) => provision(["release", id, "--reason", "case closed"]);

/** The objects with a legal hold, by what is behind the job's folder. */
async function heldObjects(): Promise<string[]> {
  const found: string[] = [];
  for (const Key of await keysIn(storage, "prod/app")) {
    const status = await service.client.getObjectLegalHold({ Bucket, Key }).catch(() => undefined);
    if (status?.LegalHold?.Status === "ON") found.push(Key.slice("prod/app/".length));
  }
  return found;
}

const reasonOf = async (id: string) => (await listBackups(storage, owner, signal, id))[0]?.holds?.[0]?.reason;

it("holds a backup with all that it needs, by signed records, and is refused nothing", async () => {
  const [report] = printed(await hold(HELD)) as [HoldReport];
  expect(gate?.refused).toEqual([]);
  expect(report).toMatchObject({ id: HELD, outcome: "held", locked: 5 });
  expect(await reasonOf(HELD)).toBe("case 4711");
  expect(await heldObjects()).toEqual(
    [
      ...["database.dump.zst", "files.jsonl.zst", "manifest.json"].map((name) => `${HELD}/${name}`),
      ...["a", "b"].map(objectOf),
    ].sort(),
  );
});

it("releases it, but for what another held backup shares, and leaves what Object Lock still keeps", async () => {
  printed(await hold(HELD));
  printed(await hold(OTHER));
  const [report] = printed(await release(HELD)) as [HoldReport];
  expect(gate?.refused).toEqual([]);
  expect(report).toMatchObject({ id: HELD, outcome: "released", locked: 4 });
  expect(await reasonOf(HELD)).toBeUndefined();
  expect((await heldObjects()).filter((key) => key.startsWith(HELD) || key === objectOf("a"))).toEqual([]);
  const archive = { Bucket, Key: `prod/app/${HELD}/database.dump.zst` };
  const { ObjectLockMode, ObjectLockRetainUntilDate, VersionId } = await service.client.headObject(archive);
  expect([ObjectLockMode, ObjectLockRetainUntilDate?.toISOString().slice(0, 19)]).toEqual([
    "GOVERNANCE",
    UNTIL.toISOString().slice(0, 19),
  ]);
  await expect(service.client.deleteObject({ ...archive, VersionId })).rejects.toThrow();
});

it("lists the backups, and which are held", async () => {
  printed(await hold(HELD));
  const [{ backups }] = printed(await provision(["list"])) as [{ backups: { id: string; held?: object }[] }];
  expect(backups.map(({ id, held }) => [id, held !== undefined])).toEqual([
    [HELD, true],
    [OTHER, false],
  ]);
});

it("is refused whatever removes", async () => {
  const before = await keysIn(storage);
  expect((await provision(["prune"])).code).not.toBe(0);
  expect(gate?.refused.map(({ action }) => action)).toContain("s3:DeleteObject");
  expect(await keysIn(storage)).toEqual(before);
});

const NEEDED = [
  "s3:GetObject",
  "s3:PutObject",
  "s3:PutObjectLegalHold",
  "s3:GetBucketObjectLockConfiguration",
  "s3:ListBucket",
];

it("has no right on the store but what a hold fails without", async () => {
  const actions = policyOfHolders().Statement.flatMap(({ Effect, Action }) => (Effect === "Allow" ? Action : []));
  expect(actions.filter((action) => action.startsWith("s3:")).sort()).toEqual([...NEEDED].sort());
  for (const missing of NEEDED) {
    const Statement = policyOfHolders().Statement.map((statement) => ({
      ...statement,
      Action: statement.Action.filter((action) => action !== missing),
    }));
    const { code } = await hold(HELD, { Statement });
    expect([missing, code]).not.toEqual([missing, 0]);
    expect([missing, gate?.refused.some(({ action }) => action === missing)]).toEqual([missing, true]);
  }
});
