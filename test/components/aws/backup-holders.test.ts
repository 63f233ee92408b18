import { describe, expect, it } from "vitest";
import { AwsBackups } from "../../../components/aws/aws-backups.ts";
import { BackupHolders } from "../../../components/aws/backup-holders.ts";
import { AwsSettings } from "../../../components/aws/settings.ts";
import { app, bucket, IMAGE, KEY, secretArns, web } from "../../helpers/aws-jobs.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { ACCOUNT, EVERYTHING, isAllowed } from "../../helpers/iam.ts";
import { mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

const REGION = "eu-central-1";
const LEGAL = `arn:aws:iam::${ACCOUNT}:role/legal`;
const calls = { "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] }, "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-a"] } };
const secrets = ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "formerKey", "sentryDsn", "signingKey"];
const signing = { key: { secret: "signingKey" }, formerKeys: [{ secret: "formerKey" }] };

async function deploy(aws: object = {}) {
  const recorded = await mockEngine({ calls });
  const backups = new AwsBackups("provision", {
    stack: "prod",
    region: REGION,
    aws: AwsSettings.parse({ image: IMAGE, ...aws }) as AwsSettings,
    jobs: [{ ...app, signing }, web],
    secrets: Object.fromEntries(secrets.map((name) => [name, "x"])),
    jobSecretNames: secrets,
    source: process.cwd(),
  });
  await registered(backups);
  return { recorded, backups };
}

const documentOf = (recorded: readonly RecordedResource[], type: string, name: RegExp, field = "policy"): unknown =>
  JSON.parse(String(inputsOf(recorded, type, name)[field]));
const names = (recorded: readonly RecordedResource[]) => recorded.map(({ type, name }) => `${type} ${name}`);
const roleOf = (job: string) => `arn:aws:iam::${ACCOUNT}:role/provision-holders-prod-${job}-hold`;

/** The tags of the role of a job's holders, as a principal's. */
function tagsOf(recorded: readonly RecordedResource[], job: string): Record<string, string> {
  const tags = inputsOf(recorded, "iam/role:Role", new RegExp(`-${job}-hold$`)).tags as Record<string, string>;
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:PrincipalTag/${key}`, value]));
}

describe("holders", () => {
  it("are nobody where none is named, and nothing of a stack is for them", async () => {
    const { recorded, backups } = await deploy();
    expect(names(recorded).filter((name) => name.includes("hold"))).toEqual([]);
    expect(Object.keys(backups.jobs.app?.roles ?? {})).toEqual(["backup", "prune", "drill", "restore"]);
  });

  it("get a role for each job, which they alone may take, and change nothing else but who reads", async () => {
    const { recorded: without } = await deploy();
    const { recorded, backups } = await deploy({ holders: [LEGAL] });
    const made = names(recorded).filter((name) => !names(without).includes(name));
    expect(made.map((name) => name.split(" ")[1]).sort()).toEqual([
      "provision-holders",
      "provision-holders-prod-app-hold",
      "provision-holders-prod-app-hold-policy",
      "provision-holders-prod-web-hold",
      "provision-holders-prod-web-hold-policy",
    ]);
    const inputs = (all: readonly RecordedResource[]) =>
      new Map(
        all
          .filter(({ name }) => name !== "provision-first-stack")
          .map(({ type, name, inputs }) => [`${type} ${name}`, JSON.stringify(inputs)]),
      );
    const [before, after] = [inputs(without), inputs(recorded)];
    const changed = [...before].filter(([name, text]) => after.get(name) !== text).map(([name]) => name.split(" ")[1]);
    expect(changed.sort()).toEqual([
      "provision-key-key",
      "provision-secrets-prod-formerKey-policy",
      "provision-secrets-prod-signingKey-policy",
    ]);
    expect(documentOf(recorded, "iam/role:Role", /-app-hold$/, "assumeRolePolicy")).toMatchObject({
      Statement: [{ Effect: "Allow", Principal: { AWS: [LEGAL] }, Action: "sts:AssumeRole" }],
    });
    expect(await unwrap(backups.jobs.app?.roles.hold ?? expect.fail())).toBe(roleOf("app"));
  });

  it("read the keys that sign their records, by the keys' policies and their own, and no other secret", async () => {
    const { recorded } = await deploy({ holders: [LEGAL] });
    const read = (job: string) => {
      const policy = documentOf(recorded, "iam/rolePolicy:RolePolicy", new RegExp(`-${job}-hold-policy$`));
      const { Statement } = policy as { Statement: { Action: string[]; Resource: string[] }[] };
      return Statement.flatMap(({ Action, Resource }) =>
        Action.includes("secretsmanager:GetSecretValue") ? Resource : [],
      );
    };
    expect(read("app")).toEqual([
      expect.stringMatching(/secret.*-prod-formerKey$/),
      expect.stringMatching(/secret.*-prod-signingKey$/),
    ]);
    // It signs nothing.
    expect(read("web")).toEqual([]);
    const reads = (secret: string, job: string) =>
      isAllowed({
        ...{
          principal: roleOf(job),
          policy: EVERYTHING,
          action: "secretsmanager:GetSecretValue",
          context: tagsOf(recorded, job),
        },
        resource: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:provision-secrets-prod-${secret}-0a1b2c3-AbCdEf`,
        resourcePolicy: documentOf(
          recorded,
          "secretsmanager/secretPolicy:SecretPolicy",
          new RegExp(`-prod-${secret}-policy$`),
        ),
      });
    expect(await reads("signingKey", "app")).toBe(true);
    expect(await reads("signingKey", "web")).toBe(false);
    expect(await reads("appUrl", "app")).toBe(false);
  });

  it("use the stack's key through S3, as its policy says", async () => {
    const { recorded } = await deploy({ holders: [LEGAL] });
    const attempt = (resourcePolicy: unknown) =>
      isAllowed({
        principal: roleOf("app"),
        policy: EVERYTHING,
        action: "kms:GenerateDataKey",
        resource: `arn:aws:kms:${REGION}:${ACCOUNT}:key/1a2b3c4d-0000-4000-8000-000000000000`,
        resourcePolicy,
        context: { "kms:ViaService": `s3.${REGION}.amazonaws.com`, ...tagsOf(recorded, "app") },
      });
    const key = (all: readonly RecordedResource[]) => documentOf(all, "kms/key:Key", /^provision-key-key$/);
    expect(await attempt(key(recorded))).toBe(true);
    expect(await attempt(key((await deploy()).recorded))).toBe(false);
  });

  it("have roles within the account's limits, which a renamed job keeps", async () => {
    const recorded = await mockEngine();
    const job = { ...web, name: "site", rename: { from: ["web"] } };
    const limits = { permissionsBoundary: `arn:aws:iam::${ACCOUNT}:policy/boundary`, rolePath: "/backup/" };
    const common = { stack: "prod", bucket, secretArns, keyArn: KEY, tags: { team: "platform" } };
    await registered(new BackupHolders("holders", { ...common, ...limits, jobs: [job], holders: [LEGAL] }));
    expect(inputsOf(recorded, "iam/role:Role", /^holders-prod-site-hold$/)).toMatchObject({
      permissionsBoundary: limits.permissionsBoundary,
      path: "/backup/",
      tags: { team: "platform" },
    });
    // The folder of its backups has the first name.
    const policy = JSON.stringify(documentOf(recorded, "iam/rolePolicy:RolePolicy", /^holders-prod-site-hold-policy$/));
    expect(policy).toContain("prod-backups/team-a/prod/web/*/manifest.json");
    expect(policy).not.toContain("prod/site");
  });

  it.each([
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:iam::aws:role/x",
    "arn:aws:iam::123456789012:group/x",
    "legal",
  ])("are no %s", (holder) => {
    expect(AwsSettings.safeParse({ image: IMAGE, holders: [holder] }).success).toBe(false);
  });

  it.each([
    "role/legal",
    "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Legal_0123456789abcdef",
    "user/ada",
    "root",
  ])("may be %s", (holder) => {
    expect(AwsSettings.parse({ image: IMAGE, holders: [`arn:aws:iam::${ACCOUNT}:${holder}`] }).holders).toHaveLength(1);
  });
});
