import type * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { AwsBackups } from "../../../components/aws/aws-backups.ts";
import { fitArns, fitGroups, principalsOf } from "../../../components/aws/principals.ts";
import { AwsSettings } from "../../../components/aws/settings.ts";
import { app, IMAGE, web } from "../../helpers/aws-jobs.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { ACCOUNT, EVERYTHING, isAllowed } from "../../helpers/iam.ts";
import { mockEngine, registered, type RecordedResource } from "../../helpers/mocks.ts";

const REGION = "eu-central-1";
const SECRET = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:provision-secrets-prod-appUrl-0a1b2c3-AbCdEf`;
const KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/1a2b3c4d-0000-4000-8000-000000000000`;
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;

/** Who tries: roles of the stack, who deploys (see the mocks), and administrators of the account, all with every permission. */
const principals = {
  start: role("provision-runner-prod-app-start"),
  startOfAnother: role("provision-runner-prod-web-start"),
  backup: role("provision-runner-prod-app-backup"),
  deployer: role("deploy"),
  deployerWithPath: role("ci/deploy"),
  administrator: role("Administrator"),
  breakGlass: role("break-glass"),
};
type Name = keyof typeof principals;

const calls = { "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] }, "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-a"] } };

async function deploy(
  aws: object = {},
  transformations: pulumi.ResourceTransformation[] = [],
): Promise<RecordedResource[]> {
  const recorded = await mockEngine({ calls });
  const jobSecretNames = ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "sentryDsn"];
  const args = {
    stack: "prod",
    region: REGION,
    aws: AwsSettings.parse({ image: IMAGE, ...aws }) as AwsSettings,
    jobs: [app, web],
    secrets: Object.fromEntries(jobSecretNames.map((name) => [name, "x"])),
    jobSecretNames,
    source: process.cwd(),
  };
  await registered(new AwsBackups("provision", args, { transformations }));
  return recorded;
}

/** The policies of the stack's key and of one of its secrets. */
function policiesOf(recorded: readonly RecordedResource[]) {
  const read = (type: string, name: RegExp): unknown => JSON.parse(String(inputsOf(recorded, type, name).policy));
  return {
    secret: read("secretsmanager/secretPolicy:SecretPolicy", /-prod-appUrl-policy$/),
    key: read("kms/key:Key", /^provision-key-key$/),
    replicaKey: read("kms/key:Key", /replica-key$/),
  };
}

let policies: ReturnType<typeof policiesOf>;

/** Who of those that may do everything is let do something. */
async function allowed(attempt: Omit<Parameters<typeof isAllowed>[0], "principal" | "policy">): Promise<Name[]> {
  const able: Name[] = [];
  for (const name of Object.keys(principals) as Name[]) {
    const principal = principals[name];
    if (await isAllowed({ ...attempt, principal, policy: EVERYTHING })) able.push(name);
  }
  return able;
}

const everybody = Object.keys(principals);

beforeAll(async () => {
  policies = policiesOf(
    await deploy({ bucket: { replica: { region: "eu-west-1" }, breakGlass: [principals.breakGlass] } }),
  );
});

describe("a secret of the stack", () => {
  const onSecret = (action: string) =>
    allowed({ action: `secretsmanager:${action}`, resource: SECRET, resourcePolicy: policies.secret });

  it("is read by the tasks that need it, by who deploys and in an emergency, and by no administrator", async () => {
    expect(await onSecret("GetSecretValue")).toEqual(["start", "deployer", "deployerWithPath", "breakGlass"]);
  });

  it("waits for the roles of its own jobs, and for those of no other", async () => {
    const waitsFor = new Map<string, Promise<Set<pulumi.Resource>>>();
    await deploy({}, [
      ({ type, name, props }) => {
        if (!type.endsWith(":SecretPolicy")) return undefined;
        const { policy } = props as { policy: { allResources(): Promise<Set<pulumi.Resource>> } };
        waitsFor.set(name, policy.allResources());
        return undefined;
      },
    ]);
    const resources = [...((await waitsFor.get("provision-secrets-prod-appUrl-policy")) ?? [])];
    expect(resources.map((resource) => (resource as unknown as { __name: string }).__name)).toEqual([
      "provision-runner-prod-app-start",
    ]);
  });

  // What the AWS provider asks of Secrets Manager to make, read, change and remove a secret, its value and its policy.
  it.each([
    "DescribeSecret",
    "UpdateSecret",
    "PutSecretValue",
    "UpdateSecretVersionStage",
    "TagResource",
    "UntagResource",
    "DeleteSecret",
    "RestoreSecret",
    "GetResourcePolicy",
    "PutResourcePolicy",
    "DeleteResourcePolicy",
  ])("is open to every administrator for %s, so that nobody is locked out", async (action) => {
    expect(await onSecret(action)).toEqual(everybody);
  });
});

describe("the key of the stack", () => {
  const via = (service: string, region = REGION) => ({ "kms:ViaService": `${service}.${region}.amazonaws.com` });

  it.each(["s3", "secretsmanager", "scheduler"])("is used through %s by roles that are named", async (service) => {
    for (const action of ["kms:Decrypt", "kms:GenerateDataKey"]) {
      const attempt = { action, resource: KEY, resourcePolicy: policies.key, context: via(service) };
      expect(await allowed(attempt)).toEqual(everybody.filter((name) => name !== "administrator"));
    }
  });

  it("decrypts a schedule for the scheduler's roles alone", async () => {
    const attempt = {
      action: "kms:Decrypt",
      resource: KEY,
      resourcePolicy: policies.key,
      context: {
        "kms:EncryptionContext:aws:scheduler:schedule:arn": `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/group/app`,
      },
    };
    expect(await allowed(attempt)).toEqual([]);
    const [scheduler = ""] = /arn:aws:iam::\d+:role\/provision-schedule-prod-start-run/.exec(
      JSON.stringify(policies.key),
    ) ?? [""];
    expect(await isAllowed({ ...attempt, principal: scheduler, policy: EVERYTHING })).toBe(true);
  });

  it.each(["PutKeyPolicy", "GetKeyPolicy", "DescribeKey", "ScheduleKeyDeletion", "CancelKeyDeletion"])(
    "is open to every administrator for %s",
    async (action) => {
      const attempt = { action: `kms:${action}`, resource: KEY, resourcePolicy: policies.key };
      expect(await allowed(attempt)).toEqual(everybody);
    },
  );

  it("has the copies in another region read by the same people, and by no task", async () => {
    const attempt = { action: "kms:Decrypt", resource: KEY, resourcePolicy: policies.replicaKey };
    expect(await allowed({ ...attempt, context: via("s3", "eu-west-1") })).toEqual([
      "deployer",
      "deployerWithPath",
      "breakGlass",
    ]);
  });
});

describe("provision:aws.readers", () => {
  it("takes the place of who deploys", async () => {
    const named = policiesOf(
      await deploy({ readers: [principals.administrator], bucket: { replica: { region: "eu-west-1" } } }),
    );
    const attempt = { action: "secretsmanager:GetSecretValue", resource: SECRET, resourcePolicy: named.secret };
    expect(await allowed(attempt)).toEqual(["start", "administrator"]);
  });
});

describe("who deploys", () => {
  it.each([
    ["arn:aws:iam::123456789012:user/ops/ada", ["arn:aws:iam::123456789012:user/ops/ada"]],
    ["arn:aws:iam::123456789012:root", ["arn:aws:iam::123456789012:root"]],
    [
      "arn:aws-cn:sts::123456789012:assumed-role/deploy/ci",
      ["arn:aws-cn:iam::123456789012:role/deploy", "arn:aws-cn:iam::123456789012:role/*/deploy"],
    ],
  ])("is, of %s, %j", (arn, expected) => {
    expect(principalsOf(arn)).toEqual(expected);
  });
});

describe("the roles of a stack in a policy", () => {
  const jobs = (count: number) =>
    Array.from({ length: count }, (_, index) => role(`provision-runner-prod-${index}-start`));

  it("are named one by one, each once", () => {
    expect(fitArns([...jobs(3), ...jobs(3)])).toEqual(jobs(3));
  });

  it("are named by their common beginning where a policy has no room for all", () => {
    const fitted = fitArns(jobs(1_000));
    expect(fitted).toEqual([role("provision-runner-prod-*")]);
    expect(JSON.stringify(fitArns(jobs(200))).length).toBeLessThan(15_000);
  });

  it("keep a beginning of their own beside those of holders, in the same room", () => {
    const holders = (count: number) => jobs(count).map((arn) => arn.replace("-runner-", "-holders-"));
    expect(fitGroups(jobs(3), [])).toEqual(jobs(3));
    expect(fitGroups(jobs(3), holders(2))).toEqual([...jobs(3), ...holders(2)]);
    expect(fitGroups(jobs(1_000), holders(1_000))).toEqual([
      role("provision-runner-prod-*"),
      role("provision-holders-prod-*"),
    ]);
    for (const count of [50, 100, 150]) {
      expect(JSON.stringify(fitGroups(jobs(count), holders(count))).length).toBeLessThan(15_000);
    }
  });
});
