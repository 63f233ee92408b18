import { beforeAll, describe, expect, it } from "vitest";
import { BackupAlarms } from "../../../components/aws/backup-alarms.ts";
import { BackupBucket } from "../../../components/aws/backup-bucket.ts";
import { BackupHolders } from "../../../components/aws/backup-holders.ts";
import { BackupKey } from "../../../components/aws/backup-key.ts";
import { BackupRunner } from "../../../components/aws/backup-runner.ts";
import { BackupSchedule } from "../../../components/aws/backup-schedule.ts";
import { JobSettings } from "../../../providers/config.ts";
import { app, bucket, EXISTING_SECRET, IMAGE, KEY, secretArns, web } from "../../helpers/aws-jobs.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { ACCOUNT, EVERYTHING, isAllowed } from "../../helpers/iam.ts";
import { mockEngine, registered, type RecordedResource } from "../../helpers/mocks.ts";

const REGION = "eu-central-1";
const BUCKET = "arn:aws:s3:::prod-backups";
const ID = "20261124T030000Z-abcdef";
const CLUSTER = `arn:aws:ecs:${REGION}:${ACCOUNT}:cluster/runner-prod`;
const SOURCE = "arn:aws:s3:::bucket";
const REPLICA_REGION = "eu-west-1";
const REPLICA = "arn:aws:s3:::bucket-replica";
const REPLICA_KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/bucket-replica-key`;
const TOPIC_KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/alarms-prod-key`;
const OTHER_KEY = KEY.replace("11111111", "99999999");

/** Roles by what they are for. */
type Role =
  | "backup"
  | "prune"
  | "drill"
  | "report"
  | "restore"
  | "start"
  | "scheduler"
  | "machine"
  | "due"
  | "replicate"
  | "hold";

/** Something that a role may try: the action, on what, under which circumstances, and which roles may. */
interface Attempt {
  readonly action: string;
  readonly resource: string;
  readonly context?: Record<string, string | string[]>;
  readonly allowed: readonly Role[];
}

const policies = new Map<string, unknown>();

const report = { schedule: { cron: "0 7 * * 1", timezone: "UTC" }, publish: true } as const;

/** The policies of keys: that of the stack's as it is made, and the one that AWS gives a key where nobody says otherwise. */
const keyPolicies = new Map<string, unknown>([
  [
    OTHER_KEY,
    {
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "kms:*", Resource: "*" },
      ],
    },
  ],
]);

function collect(recorded: readonly RecordedResource[]): void {
  for (const { type, name, inputs } of recorded) {
    if (type !== "aws:iam/rolePolicy:RolePolicy") continue;
    policies.set(name.replace(/-policy$/, ""), JSON.parse(String(inputs.policy)));
  }
}

beforeAll(async () => {
  const recorded = await mockEngine();
  const own = JobSettings.parse({
    name: "own",
    database: { kind: "postgres", url: { secret: "appUrl" } },
    destinations: [
      {
        kind: "s3",
        bucket: "own-bucket",
        prefix: "a/b",
        sse: { kmsKeyId: "alias/own" },
        objectLock: { mode: "governance", days: 30 },
        removeVersions: true,
      },
      { kind: "s3", bucket: "keyed", accessKeyId: { secret: "appUrl" }, secretAccessKey: { secret: "appUrl" } },
      { kind: "s3", bucket: "elsewhere", endpoint: "https://minio.example.com:9000" },
    ],
    retention: { last: 3 },
    drill: {},
    report,
  });
  const runner = new BackupRunner("runner", {
    stack: "prod",
    jobs: [{ ...app, report }, web, own],
    image: IMAGE,
    bucket,
    secretArns,
    keyArn: KEY,
  });
  const task = runner.tasks.app?.backup;
  if (task === undefined) throw new Error("the job app has no task for backups");
  const schedule = new BackupSchedule("schedule", {
    stack: "prod",
    entries: {
      app: {
        schedule: { cron: "0 3 * * *", timezone: "UTC" },
        family: task.family,
        taskDefinitionArn: task.taskDefinitionArn,
        roleArns: [task.roleArn, task.executionRoleArn],
      },
    },
    clusterArn: runner.clusterArn,
    network: { subnetIds: ["subnet-1"], securityGroupIds: ["sg-1"], assignPublicIp: true },
    keyArn: KEY,
  });
  const key = new BackupKey("key", { stack: "prod" });
  const copied = new BackupBucket("bucket", {
    stack: "prod",
    jobs: [app],
    keyArn: KEY,
    replica: { region: REPLICA_REGION },
  });
  const alarms = new BackupAlarms("alarms", {
    stack: "prod",
    jobs: [{ name: "books", schedule: { cron: "0 3 1 * *", timezone: "UTC" } }],
    clusterArn: runner.clusterArn,
    bucketName: copied.bucketName,
    deadLetterQueueName: schedule.deadLetterQueueName,
  });
  const holders = new BackupHolders("runner", {
    stack: "prod",
    jobs: [app, { ...web, signing: { key: { arn: EXISTING_SECRET }, formerKeys: [{ ssm: "/team/key" }] } }, own],
    holders: [`arn:aws:iam::${ACCOUNT}:role/legal`],
    bucket,
    secretArns,
    keyArn: KEY,
    secretKeyArns: [OTHER_KEY],
  });
  await registered(runner, schedule, key, copied, alarms, holders);
  collect(recorded);
  for (const [arn, name] of [
    [KEY, /^key-key$/],
    [REPLICA_KEY, /^bucket-replica-key$/],
    [TOPIC_KEY, /^alarms-prod-key$/],
  ] as const) {
    keyPolicies.set(arn, JSON.parse(String(inputsOf(recorded, "kms/key:Key", name).policy)));
  }
});

/** Whether a role of the stack may do something. */
async function mayDo(role: string, attempt: Omit<Attempt, "allowed">): Promise<boolean> {
  const policy = policies.get(role);
  if (policy === undefined) throw new Error(`there is no role ${role}`);
  return simulate(role, policy, attempt);
}

/** Whether a policy of a role, and the policy of the key where it is one, allow an action. */
function simulate(role: string, policy: unknown, attempt: Omit<Attempt, "allowed">): Promise<boolean> {
  const principal = `arn:aws:iam::${ACCOUNT}:role/${role}`;
  return isAllowed({ ...attempt, principal, policy, resourcePolicy: keyPolicies.get(attempt.resource) });
}

const object = (job: string, file: string) => `${BUCKET}/prod/${job}/${ID}/${file}`;
const manifest = object("app", "manifest.json");
const dump = object("app", "database.dump.zst.age");
const create = { "s3:if-none-match": "*", "s3:ObjectCreationOperation": "true" };
const list = (prefix: string) => ({ "s3:prefix": prefix });
const viaS3 = (arn: string, region = REGION) => ({
  "kms:ViaService": `s3.${region}.amazonaws.com`,
  "kms:EncryptionContext:aws:s3:arn": arn,
});
const secretArn = (name: string) => secretArns[name] ?? "";
const viaSecrets = (name: string) => ({
  "kms:ViaService": `secretsmanager.${REGION}.amazonaws.com`,
  "kms:EncryptionContext:SecretARN": secretArn(name),
});
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const family = (name: string) => `arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/${name}:3`;
const toTasks = { "iam:PassedToService": "ecs-tasks.amazonaws.com" };
const logs = (group: string) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${group}`;
const repository = (name: string) => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${name}`;

const readers: readonly Role[] = ["backup", "drill", "restore"];
const users: readonly Role[] = [...readers, "prune", "hold"];
const all: readonly Role[] = [...users, "report"];
const lease = `${BUCKET}/prod/app/lease/0000000001.json`;
const mark = `${BUCKET}/prod/app/lease/prune-20261124T031500Z-abcdef.json`;
const page = `${BUCKET}/prod/app/reports/20261124T070000Z.html`;

/** What roles of the job app may try, and who of them succeeds. */
const attempts: readonly Attempt[] = [
  // Making backups: only new objects, only in the job's own folder.
  { action: "s3:PutObject", resource: dump, context: create, allowed: ["backup"] },
  { action: "s3:PutObject", resource: dump, context: { "s3:ObjectCreationOperation": "false" }, allowed: ["backup"] },
  { action: "s3:PutObject", resource: dump, context: { "s3:ObjectCreationOperation": "true" }, allowed: [] },
  { action: "s3:PutObject", resource: object("web", "manifest.json"), context: create, allowed: [] },
  { action: "s3:PutObject", resource: `${BUCKET}/prod/app-2/x`, context: create, allowed: [] },
  { action: "s3:PutObject", resource: `${BUCKET}/dev/app/x`, context: create, allowed: [] },
  { action: "s3:PutObject", resource: object("app", "drilled-1.json"), context: create, allowed: ["backup", "drill"] },
  { action: "s3:PutObject", resource: object("app", "drilled-1.json"), allowed: [] },
  { action: "s3:PutObject", resource: object("app", "verified-1.json"), context: create, allowed: ["backup"] },
  { action: "s3:AbortMultipartUpload", resource: dump, allowed: ["backup", "prune"] },
  // A lease: its numbers are new objects, too, and what is left of them is pruned.
  { action: "s3:PutObject", resource: lease, context: create, allowed: ["backup"] },
  { action: "s3:PutObject", resource: lease, context: { "s3:ObjectCreationOperation": "true" }, allowed: [] },
  { action: "s3:GetObject", resource: lease, allowed: readers },
  // The mark of a prune, by which a hold sees it.
  { action: "s3:PutObject", resource: mark, context: create, allowed: ["backup", "prune"] },
  { action: "s3:PutObject", resource: mark, allowed: [] },
  { action: "s3:GetObject", resource: mark, allowed: [...readers, "prune"] },
  { action: "s3:ListBucket", resource: BUCKET, context: list("prod/app/lease/"), allowed: all },
  { action: "s3:DeleteObject", resource: lease, allowed: ["prune"] },
  // Reading.
  { action: "s3:GetObject", resource: manifest, allowed: all },
  { action: "s3:GetObject", resource: object("app", "verified-20261124T031500Z.json"), allowed: all },
  { action: "s3:GetObject", resource: object("app", "held-20261124T031500Z.json"), allowed: all },
  ...["held", "released"].flatMap((outcome): Attempt[] => [
    {
      action: "s3:PutObject",
      resource: object("app", `${outcome}-1.json`),
      context: create,
      allowed: ["backup", "hold"],
    },
    { action: "s3:PutObject", resource: object("app", `${outcome}-1.json`), allowed: [] },
    { action: "s3:PutObject", resource: object("web", `${outcome}-1.json`), context: create, allowed: [] },
  ]),
  { action: "s3:GetObject", resource: object("app", "files.jsonl.zst"), allowed: users },
  { action: "s3:GetObject", resource: `${BUCKET}/prod/app/files/ab/abcd-000001.zst`, allowed: readers },
  { action: "s3:GetObject", resource: dump, allowed: readers },
  { action: "s3:GetObject", resource: object("web", "manifest.json"), allowed: [] },
  { action: "s3:GetObject", resource: "arn:aws:s3:::another-bucket/prod/app/x", allowed: [] },
  { action: "s3:GetObjectVersion", resource: dump, allowed: [] },
  { action: "s3:GetObjectRetention", resource: dump, allowed: ["report"] },
  { action: "s3:GetObjectRetention", resource: object("web", "database.dump.zst"), allowed: [] },
  { action: "s3:ListBucket", resource: BUCKET, context: list("prod/app/"), allowed: all },
  { action: "s3:ListBucket", resource: BUCKET, context: list("prod/web/"), allowed: [] },
  { action: "s3:ListBucket", resource: BUCKET, context: list("prod/app"), allowed: [] },
  { action: "s3:ListBucket", resource: BUCKET, allowed: [] },
  { action: "s3:ListBucketVersions", resource: BUCKET, context: list("prod/app/"), allowed: [] },
  { action: "s3:ListBucketMultipartUploads", resource: BUCKET, allowed: ["backup", "prune"] },
  // Publishing reports: only pages and signatures, in their own folder.
  ...[page, `${page}.sig`].flatMap((resource): Attempt[] => [
    { action: "s3:PutObject", resource, context: create, allowed: ["backup", "report"] },
    {
      action: "s3:PutObject",
      resource,
      context: { "s3:ObjectCreationOperation": "false" },
      allowed: ["backup", "report"],
    },
    { action: "s3:PutObject", resource, context: { "s3:ObjectCreationOperation": "true" }, allowed: [] },
    { action: "s3:GetObject", resource, allowed: [...readers, "report"] },
    { action: "s3:DeleteObject", resource, allowed: ["prune", "report"] },
    { action: "s3:DeleteObjectVersion", resource, allowed: [] },
    { action: "s3:AbortMultipartUpload", resource, allowed: ["backup", "prune", "report"] },
  ]),
  { action: "s3:PutObject", resource: page.replace(".html", ".json"), context: create, allowed: ["backup"] },
  { action: "s3:PutObject", resource: page.replace("/app/", "/web/"), context: create, allowed: [] },
  { action: "s3:DeleteObject", resource: page.replace(".html", ".json"), allowed: ["prune"] },
  { action: "s3:DeleteObject", resource: page.replace("/app/", "/web/"), allowed: [] },
  { action: "s3:DeleteObject", resource: manifest, allowed: ["prune"] },
  // Removing and changing.
  { action: "s3:DeleteObject", resource: dump, allowed: ["prune"] },
  { action: "s3:DeleteObject", resource: object("web", "manifest.json"), allowed: [] },
  { action: "s3:DeleteObjectVersion", resource: dump, allowed: [] },
  { action: "s3:BypassGovernanceRetention", resource: dump, allowed: [] },
  { action: "s3:PutObjectRetention", resource: dump, allowed: [] },
  // A legal hold, on what a backup needs and nothing else. It changes no lock with an end.
  ...[manifest, dump, object("app", "files.jsonl.zst"), `${BUCKET}/prod/app/files/ab/abcd-000001.zst.age`].flatMap(
    (resource): Attempt[] => [
      { action: "s3:PutObjectLegalHold", resource, allowed: ["hold"] },
      { action: "s3:PutObjectLegalHold", resource: resource.replace("/app/", "/web/"), allowed: [] },
      { action: "s3:PutObjectRetention", resource, allowed: [] },
    ],
  ),
  ...[lease, page, object("app", "verified-1.json")].map((resource): Attempt => ({
    action: "s3:PutObjectLegalHold",
    resource,
    allowed: [],
  })),
  { action: "s3:GetObjectLegalHold", resource: dump, allowed: [] },
  { action: "s3:GetBucketObjectLockConfiguration", resource: BUCKET, allowed: ["hold"] },
  { action: "s3:PutObjectTagging", resource: dump, allowed: [] },
  { action: "s3:PutBucketPolicy", resource: BUCKET, allowed: [] },
  { action: "s3:PutLifecycleConfiguration", resource: BUCKET, allowed: [] },
  { action: "s3:PutBucketObjectLockConfiguration", resource: BUCKET, allowed: [] },
  { action: "s3:PutBucketVersioning", resource: BUCKET, allowed: [] },
  { action: "s3:DeleteBucket", resource: BUCKET, allowed: [] },
  // The key: through S3, for this bucket, or with it through Secrets Manager, for the job's secrets.
  {
    action: "kms:GenerateDataKey",
    resource: KEY,
    context: viaS3(BUCKET),
    allowed: ["backup", "drill", "prune", "report", "hold"],
  },
  { action: "kms:Decrypt", resource: KEY, context: viaS3(BUCKET), allowed: all },
  { action: "kms:Decrypt", resource: KEY, context: viaS3("arn:aws:s3:::another-bucket"), allowed: [] },
  { action: "kms:Decrypt", resource: KEY, allowed: [] },
  { action: "kms:Decrypt", resource: OTHER_KEY, context: viaS3(BUCKET), allowed: [] },
  { action: "kms:Decrypt", resource: KEY, context: viaSecrets("appUrl"), allowed: ["start"] },
  { action: "kms:ScheduleKeyDeletion", resource: KEY, allowed: [] },
  // Secrets, image and logs: only ECS, before the program starts.
  { action: "secretsmanager:GetSecretValue", resource: secretArn("appUrl"), allowed: ["start"] },
  { action: "secretsmanager:GetSecretValue", resource: secretArn("drillUrl"), allowed: ["start"] },
  { action: "secretsmanager:GetSecretValue", resource: `${EXISTING_SECRET}-AbCdEf`, allowed: [] },
  { action: "secretsmanager:GetSecretValue", resource: secretArn("appUrl").replace("appUrl", "other"), allowed: [] },
  { action: "secretsmanager:PutSecretValue", resource: secretArn("appUrl"), allowed: [] },
  { action: "ecr:GetAuthorizationToken", resource: "*", allowed: ["start"] },
  { action: "ecr:BatchGetImage", resource: repository("provision"), allowed: ["start"] },
  { action: "ecr:BatchGetImage", resource: repository("another"), allowed: [] },
  { action: "ecr:PutImage", resource: repository("provision"), allowed: [] },
  {
    action: "logs:CreateLogStream",
    resource: `${logs("runner-prod-app")}:log-stream:backup/runner/1`,
    allowed: ["start"],
  },
  {
    action: "logs:PutLogEvents",
    resource: `${logs("runner-prod-app")}:log-stream:backup/runner/1`,
    allowed: ["start"],
  },
  { action: "logs:PutLogEvents", resource: `${logs("runner-prod-web")}:log-stream:backup/runner/1`, allowed: [] },
  { action: "logs:DeleteLogGroup", resource: logs("runner-prod-app"), allowed: [] },
  // Starting tasks.
  {
    action: "ecs:RunTask",
    resource: family("provision_prod_app_backup"),
    context: { "ecs:cluster": CLUSTER },
    allowed: ["machine"],
  },
  {
    action: "ecs:RunTask",
    resource: family("provision_prod_app_restore"),
    context: { "ecs:cluster": CLUSTER },
    allowed: [],
  },
  {
    action: "ecs:RunTask",
    resource: family("provision_prod_web_backup"),
    context: { "ecs:cluster": CLUSTER },
    allowed: [],
  },
  {
    action: "ecs:RunTask",
    resource: family("provision_prod_app_backup"),
    context: { "ecs:cluster": `${CLUSTER}-2` },
    allowed: [],
  },
  ...["ecs:StopTask", "ecs:DescribeTasks"].flatMap((action): Attempt[] => [
    { action, resource: `arn:aws:ecs:${REGION}:${ACCOUNT}:task/runner-prod/1`, allowed: ["machine"] },
    { action, resource: `arn:aws:ecs:${REGION}:${ACCOUNT}:task/runner-other/1`, allowed: [] },
  ]),
  {
    action: "states:StartExecution",
    resource: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:schedule-prod-run`,
    allowed: ["scheduler"],
  },
  {
    action: "states:StartExecution",
    resource: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:schedule-prod-run-2`,
    allowed: [],
  },
  {
    action: "ecs:TagResource",
    resource: `arn:aws:ecs:${REGION}:${ACCOUNT}:task/runner-prod/1`,
    context: { "ecs:CreateAction": "RunTask" },
    allowed: ["machine"],
  },
  { action: "ecs:TagResource", resource: `arn:aws:ecs:${REGION}:${ACCOUNT}:task/runner-prod/1`, allowed: [] },
  { action: "iam:PassRole", resource: role("runner-prod-app-backup"), context: toTasks, allowed: ["machine"] },
  { action: "iam:PassRole", resource: role("runner-prod-app-start"), context: toTasks, allowed: ["machine"] },
  { action: "iam:PassRole", resource: role("runner-prod-app-prune"), context: toTasks, allowed: [] },
  { action: "iam:PassRole", resource: role("admin"), context: toTasks, allowed: [] },
  {
    action: "iam:PassRole",
    resource: role("runner-prod-app-backup"),
    context: { "iam:PassedToService": "lambda.amazonaws.com" },
    allowed: [],
  },
  {
    action: "sqs:SendMessage",
    resource: `arn:aws:sqs:${REGION}:${ACCOUNT}:schedule-prod-not-started`,
    allowed: ["scheduler", "machine"],
  },
  { action: "sqs:SendMessage", resource: `arn:aws:sqs:${REGION}:${ACCOUNT}:another`, allowed: [] },
  {
    action: "kms:Decrypt",
    resource: KEY,
    context: {
      "kms:EncryptionContext:aws:scheduler:schedule:arn": `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/schedule-prod/app`,
    },
    allowed: ["scheduler"],
  },
  {
    action: "kms:Decrypt",
    resource: KEY,
    context: {
      "kms:EncryptionContext:aws:scheduler:schedule:arn": `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/another/app`,
    },
    allowed: [],
  },
  { action: "iam:PutRolePolicy", resource: role("runner-prod-app-backup"), allowed: [] },
  // Marking due times.
  {
    action: "cloudwatch:PutMetricData",
    resource: "*",
    context: { "cloudwatch:namespace": "Provision" },
    allowed: ["due"],
  },
  { action: "cloudwatch:PutMetricData", resource: "*", context: { "cloudwatch:namespace": "AWS/S3" }, allowed: [] },
  // Copying to the replica: new objects and delete markers, but never the removal of a version.
  { action: "s3:GetReplicationConfiguration", resource: SOURCE, allowed: ["replicate"] },
  { action: "s3:GetObjectVersionForReplication", resource: `${SOURCE}/prod/app/x`, allowed: ["replicate"] },
  { action: "s3:GetObjectVersionForReplication", resource: dump, allowed: [] },
  { action: "s3:ReplicateObject", resource: `${REPLICA}/prod/app/x`, allowed: ["replicate"] },
  { action: "s3:ReplicateObject", resource: `${SOURCE}/prod/app/x`, allowed: [] },
  { action: "s3:ReplicateDelete", resource: `${REPLICA}/prod/app/x`, allowed: ["replicate"] },
  { action: "s3:GetObject", resource: `${REPLICA}/prod/app/x`, allowed: [] },
  { action: "s3:DeleteObject", resource: `${REPLICA}/prod/app/x`, allowed: [] },
  { action: "s3:DeleteObjectVersion", resource: `${REPLICA}/prod/app/x`, allowed: [] },
  { action: "kms:Decrypt", resource: KEY, context: viaS3(SOURCE), allowed: ["replicate"] },
  { action: "kms:Encrypt", resource: REPLICA_KEY, context: viaS3(REPLICA, REPLICA_REGION), allowed: ["replicate"] },
  { action: "kms:Encrypt", resource: REPLICA_KEY, context: viaS3(REPLICA), allowed: [] },
  { action: "kms:Decrypt", resource: REPLICA_KEY, context: viaS3(REPLICA, REPLICA_REGION), allowed: [] },
];

const names: Readonly<Partial<Record<Role, string>>> = {
  scheduler: "schedule-prod-start-run",
  machine: "schedule-prod-run-tasks",
  due: "alarms-prod-due-role",
  replicate: "bucket-replica-role",
};
const roles: readonly Role[] = [
  "backup",
  "prune",
  "drill",
  "report",
  "restore",
  "start",
  "scheduler",
  "machine",
  "due",
  "replicate",
  "hold",
];
const nameOf = (one: Role) => names[one] ?? `runner-prod-app-${one}`;

describe("the roles of a job", () => {
  it.each(attempts)("are right about $action on $resource with $context: $allowed", async ({ allowed, ...attempt }) => {
    const able = [];
    for (const one of roles) if (await mayDo(nameOf(one), attempt)) able.push(one);
    expect(able).toEqual(roles.filter((one) => allowed.includes(one)));
  });

  it("are the table of this snapshot", async () => {
    const tables: Record<string, { allowed: string[]; denied: string[] }> = {};
    for (const one of roles) {
      const table = { allowed: [] as string[], denied: [] as string[] };
      for (const attempt of attempts) {
        const { action, resource, context = {} } = attempt;
        const circumstances = Object.entries(context).map(([key, value]) => ` ${key}=${String(value)}`);
        table[(await mayDo(nameOf(one), attempt)) ? "allowed" : "denied"].push(
          `${action} ${resource}${circumstances.join("")}`,
        );
      }
      tables[one] = table;
    }
    expect(tables).toMatchSnapshot();
  });
});

describe.each([
  ["the stack's key", KEY, ["s3", "secretsmanager", "scheduler"]],
  ["the topic's key", TOPIC_KEY, ["sns"]],
  ["the replica's key", REPLICA_KEY, ["s3"], REPLICA_REGION],
] as const)("%s", (_, key, services: readonly string[], region: string = REGION) => {
  const administrator = (action: string, context?: Record<string, string>) =>
    simulate("deploy", EVERYTHING, { action, resource: key, ...(context !== undefined && { context }) });

  // What the AWS provider asks of KMS to make, read, change and remove the key and its alias.
  it.each([
    "CreateAlias",
    "UpdateAlias",
    "DeleteAlias",
    "DescribeKey",
    "EnableKey",
    "DisableKey",
    "EnableKeyRotation",
    "DisableKeyRotation",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListResourceTags",
    "PutKeyPolicy",
    "TagResource",
    "UntagResource",
    "UpdateKeyDescription",
    "ScheduleKeyDeletion",
    "CancelKeyDeletion",
  ])("lets the role that deploys the stack %s", async (action) => {
    expect(await administrator(`kms:${action}`)).toBe(true);
  });

  it("lets an administrator use it through its services, and not by hand", async () => {
    for (const action of ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"]) {
      for (const service of ["s3", "secretsmanager", "scheduler", "sns", "sqs", "ecr", "ssm"]) {
        const may = await administrator(action, { "kms:ViaService": `${service}.${region}.amazonaws.com` });
        expect([service, may]).toEqual([service, services.includes(service)]);
      }
      expect(await administrator(action)).toBe(false);
    }
    expect(await administrator("kms:CreateGrant", { "kms:GrantIsForAWSResource": "true" })).toBe(false);
  });
});

describe("the roles of other jobs", () => {
  it("reach the folder below their destination's prefix, and an existing secret", async () => {
    const may = (name: string, attempt: Omit<Attempt, "allowed">) => mayDo(`runner-prod-web-${name}`, attempt);
    const folder = `${BUCKET}/team-a/prod/web/${ID}`;
    expect(await may("backup", { action: "s3:PutObject", resource: `${folder}/x`, context: create })).toBe(true);
    expect(await may("backup", { action: "s3:PutObject", resource: object("web", "x"), context: create })).toBe(false);
    const value = { action: "secretsmanager:GetSecretValue" };
    expect(await may("start", { ...value, resource: `${EXISTING_SECRET}-AbCdEf` })).toBe(true);
    expect(await may("start", { ...value, resource: `${EXISTING_SECRET}-2-AbCdEf` })).toBe(false);
    expect(await may("start", { ...value, resource: secretArn("appUrl") })).toBe(false);
  });

  it("read the keys that sign the records of holds, wherever they are, and nothing else that is secret", async () => {
    const may = (attempt: Omit<Attempt, "allowed">) => mayDo("runner-prod-web-hold", attempt);
    const value = { action: "secretsmanager:GetSecretValue" };
    expect(await may({ ...value, resource: `${EXISTING_SECRET}-AbCdEf` })).toBe(true);
    expect(await may({ ...value, resource: secretArn("appUrl") })).toBe(false);
    const parameter = `arn:aws:ssm:${REGION}:${ACCOUNT}:parameter/team/key`;
    expect(await may({ action: "ssm:GetParameters", resource: parameter })).toBe(true);
    expect(await may({ action: "ssm:GetParameters", resource: `${parameter}-2` })).toBe(false);
    const context = {
      "kms:ViaService": `ssm.${REGION}.amazonaws.com`,
      "kms:EncryptionContext:PARAMETER_ARN": parameter,
    };
    expect(await may({ action: "kms:Decrypt", resource: OTHER_KEY, context })).toBe(true);
    expect(await may({ action: "kms:Decrypt", resource: OTHER_KEY })).toBe(false);
  });

  it("get what a bucket of one's own needs, where the role and no access key opens it", async () => {
    const may = (name: string, attempt: Omit<Attempt, "allowed">) => mayDo(`runner-prod-own-${name}`, attempt);
    const own = "arn:aws:s3:::own-bucket/a/b/prod/own/x";
    const put = (resource: string) => ({ action: "s3:PutObject", resource, context: create });
    expect(await may("backup", put(own))).toBe(true);
    expect(await may("backup", put("arn:aws:s3:::keyed/prod/own/x"))).toBe(false);
    expect(await may("backup", put("arn:aws:s3:::elsewhere/prod/own/x"))).toBe(false);
    const lock = (mode: string, days: string) => ({
      action: "s3:PutObjectRetention",
      resource: own,
      context: { "s3:object-lock-mode": mode, "s3:object-lock-remaining-retention-days": days },
    });
    expect(await may("backup", lock("GOVERNANCE", "30"))).toBe(true);
    expect(await may("backup", lock("GOVERNANCE", "3000"))).toBe(false);
    expect(await may("backup", lock("COMPLIANCE", "30"))).toBe(false);
    expect(await may("prune", lock("GOVERNANCE", "30"))).toBe(false);
    const record = own.replace(/x$/, `${ID}/drilled-20261124T060000Z.json`);
    expect(await may("drill", { ...lock("GOVERNANCE", "30"), resource: record })).toBe(true);
    expect(await may("drill", { ...lock("COMPLIANCE", "30"), resource: record })).toBe(false);
    expect(await may("drill", lock("GOVERNANCE", "30"))).toBe(false);
    const held = own.replace(/x$/, `${ID}/held-20261124T060000Z.json`);
    expect(await may("hold", put(held))).toBe(true);
    expect(await may("hold", put(own))).toBe(false);
    expect(await may("hold", { ...lock("GOVERNANCE", "30"), resource: held })).toBe(true);
    expect(await may("hold", { ...lock("GOVERNANCE", "3000"), resource: held })).toBe(false);
    expect(await may("hold", lock("GOVERNANCE", "30"))).toBe(false);
    expect(await may("hold", { action: "s3:DeleteObjectVersion", resource: held })).toBe(false);
    for (const elsewhere of ["keyed/prod/own", "elsewhere/prod/own"]) {
      const resource = held.replace("own-bucket/a/b/prod/own", elsewhere);
      expect(await may("hold", put(resource))).toBe(false);
    }
    const version = { action: "s3:DeleteObjectVersion", resource: own };
    expect(await may("prune", version)).toBe(true);
    expect(await may("backup", version)).toBe(false);
    const ownPage = own.replace(/x$/, "reports/20261124T070000Z.html");
    expect(await may("report", put(ownPage))).toBe(true);
    expect(await may("report", { ...lock("GOVERNANCE", "30"), resource: ownPage })).toBe(true);
    expect(await may("report", lock("GOVERNANCE", "30"))).toBe(false);
    expect(await may("report", { ...version, resource: ownPage })).toBe(true);
    expect(await may("report", version)).toBe(false);
    const versions = { action: "s3:ListBucketVersions", resource: "arn:aws:s3:::own-bucket" };
    expect(await may("report", { ...versions, context: list("a/b/prod/own/reports/") })).toBe(true);
    expect(await may("report", { ...versions, context: list("a/b/prod/other/reports/") })).toBe(false);
    const key = { action: "kms:Decrypt", resource: OTHER_KEY };
    const context = viaS3("arn:aws:s3:::own-bucket");
    expect(await may("restore", { ...key, context: { ...context, "kms:ResourceAliases": ["alias/own"] } })).toBe(true);
    expect(await may("restore", { ...key, context: { ...context, "kms:ResourceAliases": ["alias/another"] } })).toBe(
      false,
    );
  });
});
