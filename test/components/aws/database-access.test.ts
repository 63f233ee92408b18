import { beforeAll, describe, expect, it } from "vitest";
import { BackupRunner } from "../../../components/aws/backup-runner.ts";
import { JobSettings } from "../../../providers/config.ts";
import { ssmVariable } from "../../../providers/environment.ts";
import { bucket, IMAGE, KEY } from "../../helpers/aws-jobs.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { ACCOUNT, isAllowed } from "../../helpers/iam.ts";
import { mockEngine, registered, type RecordedResource } from "../../helpers/mocks.ts";

const OTHER_KEY = KEY.replace("11111111", "99999999");
const PARAMETERS = `arn:aws:ssm:eu-central-1:${ACCOUNT}:parameter`;
const SHARED = `arn:aws:ssm:eu-west-1:210987654321:parameter/shared/dsn`;

const auth = { kind: "rds-iam", resourceId: "db-SOURCE", user: "backup" };
const job = JobSettings.parse({
  name: "app",
  database: { kind: "postgres", url: { ssm: "/app/url" }, auth },
  destinations: [{ kind: "s3" }],
  retention: { last: 7 },
  drill: {
    target: { ssm: "drill-url" },
    auth: { kind: "rds-iam", resourceId: "cluster-DRILLS", user: "driller", region: "eu-west-1" },
    checks: [{ name: "one", sql: "SELECT 1", expect: 1 }],
  },
  monitor: { kind: "sentry", dsn: { ssm: SHARED } },
  report: { schedule: { cron: "0 7 * * 1" }, publish: true },
});

let recorded: readonly RecordedResource[];
beforeAll(async () => {
  recorded = await mockEngine();
  const settings = { stack: "prod", image: IMAGE, bucket, secretArns: {}, keyArn: KEY, jobs: [job] };
  await registered(
    new BackupRunner("runner", settings),
    new BackupRunner("keyed", { ...settings, secretKeyArns: [OTHER_KEY] }),
  );
});

function may(role: string, action: string, resource: string, context: Record<string, string> = {}): Promise<boolean> {
  const name = `${role}-policy`;
  const policy: unknown = JSON.parse(
    String(inputsOf(recorded, "iam/rolePolicy:RolePolicy", new RegExp(`^${name}$`)).policy),
  );
  const keyPolicy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "kms:*", Resource: "*" },
    ],
  };
  const principal = `arn:aws:iam::${ACCOUNT}:role/${role}`;
  const ofKey = resource.startsWith("arn:aws:kms:") ? { resourcePolicy: keyPolicy } : {};
  return isAllowed({ principal, policy, action, resource, context, ...ofKey });
}

const TASKS = ["backup", "prune", "drill", "report", "restore"];

/** The tasks whose role may connect as a database's user. */
async function whoConnects(region: string, account: string, user: string): Promise<string[]> {
  const resource = `arn:aws:rds-db:${region}:${account}:dbuser:${user}`;
  const answers = TASKS.map(
    async (task) => [task, await may(`runner-prod-app-${task}`, "rds-db:connect", resource)] as const,
  );
  return (await Promise.all(answers)).flatMap(([task, allowed]) => (allowed ? [task] : []));
}

describe("rds-db:connect", () => {
  it.each([
    ["the job's database", "eu-central-1", ACCOUNT, "db-SOURCE/backup", ["backup", "restore"]],
    ["the drills' server, in its own region", "eu-west-1", ACCOUNT, "cluster-DRILLS/driller", ["drill", "restore"]],
    ["another user", "eu-central-1", ACCOUNT, "db-SOURCE/postgres", []],
    ["a user whose name begins so", "eu-central-1", ACCOUNT, "db-SOURCE/backup2", []],
    ["another database", "eu-central-1", ACCOUNT, "db-OTHER/backup", []],
    ["another region", "eu-west-1", ACCOUNT, "db-SOURCE/backup", []],
    ["another account", "eu-central-1", "210987654321", "db-SOURCE/backup", []],
  ])("on %s", async (_, region, account, user, tasks) => {
    expect(await whoConnects(region, account, user)).toEqual(tasks);
  });

  it("is not for the role that starts tasks", async () => {
    const resource = `arn:aws:rds-db:eu-central-1:${ACCOUNT}:dbuser:db-SOURCE/backup`;
    expect(await may("runner-prod-app-start", "rds-db:connect", resource)).toBe(false);
  });
});

describe("{ ssm: … }", () => {
  it.each([
    ["a path", `${PARAMETERS}/app/url`, true],
    ["a plain name", `${PARAMETERS}/drill-url`, true],
    ["an ARN", SHARED, true],
    ["another parameter", `${PARAMETERS}/app/url2`, false],
    ["one below it", `${PARAMETERS}/app/url/x`, false],
  ])("lets the role that starts tasks read %s, and no task's own", async (_, arn, allowed) => {
    expect(await may("runner-prod-app-start", "ssm:GetParameters", arn)).toBe(allowed);
    for (const task of TASKS) expect(await may(`runner-prod-app-${task}`, "ssm:GetParameters", arn)).toBe(false);
  });

  it("needs a key only where one is named, and then through Systems Manager and for the parameter alone", async () => {
    const context = (arn: string, service = "ssm") => ({
      "kms:ViaService": `${service}.eu-central-1.amazonaws.com`,
      "kms:EncryptionContext:PARAMETER_ARN": arn,
    });
    const decrypts = (runner: string, key: string, values: Record<string, string>) =>
      may(`${runner}-prod-app-start`, "kms:Decrypt", key, values);
    const own = `${PARAMETERS}/app/url`;
    expect(await decrypts("keyed", OTHER_KEY, context(own))).toBe(true);
    expect(await decrypts("keyed", OTHER_KEY, context(`${PARAMETERS}/other`))).toBe(false);
    expect(await decrypts("keyed", OTHER_KEY, context(own, "secretsmanager"))).toBe(false);
    expect(await decrypts("runner", OTHER_KEY, context(own))).toBe(false);
    expect(await decrypts("runner", KEY, context(own))).toBe(false);
  });

  it("is a variable of those tasks that use it, which the job then names", () => {
    const containerOf = (task: string) => {
      const { containerDefinitions } = inputsOf(
        recorded,
        "ecs/taskDefinition:TaskDefinition",
        new RegExp(`^runner-prod-app-${task}$`),
      );
      return (JSON.parse(String(containerDefinitions)) as [{ secrets: unknown; environment: { value: string }[] }])[0];
    };
    const url = { name: ssmVariable("/app/url"), valueFrom: `${PARAMETERS}/app/url` };
    const drills = { name: ssmVariable("drill-url"), valueFrom: `${PARAMETERS}/drill-url` };
    const dsn = { name: ssmVariable(SHARED), valueFrom: SHARED };
    expect(containerOf("backup").secrets).toEqual(expect.arrayContaining([url, dsn]));
    expect(containerOf("backup").secrets).toHaveLength(2);
    expect(containerOf("drill").secrets).toEqual(expect.arrayContaining([drills, dsn]));
    const read = JSON.parse(containerOf("drill").environment[0]?.value ?? "") as Record<string, object>;
    expect(read.database).toMatchObject({ url: { env: url.name }, auth });
    // With its checks, which a task of drills asks.
    expect(read.drill).toEqual({ ...job.drill, target: { env: drills.name } });
  });
});
