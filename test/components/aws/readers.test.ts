import type * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { AwsBackups } from "../../../components/aws/aws-backups.ts";
import { ownerOf, principalsOf, readsTag, rolesInPolicy } from "../../../components/aws/principals.ts";
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
  jobs = [app, web],
): Promise<RecordedResource[]> {
  const recorded = await mockEngine({ calls });
  const jobSecretNames = ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "sentryDsn"];
  const args = {
    stack: "prod",
    region: REGION,
    aws: AwsSettings.parse({ image: IMAGE, ...aws }) as AwsSettings,
    jobs,
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

/** The tags of the principals that the stack made. */
let tags: Partial<Record<Name, Record<string, string>>> = {};

/** Who of those that may do everything is let do something. */
async function allowed(attempt: Omit<Parameters<typeof isAllowed>[0], "principal" | "policy">): Promise<Name[]> {
  const able: Name[] = [];
  for (const name of Object.keys(principals) as Name[]) {
    const principal = principals[name];
    const context = { ...attempt.context, ...tags[name] };
    if (await isAllowed({ ...attempt, principal, policy: EVERYTHING, context })) able.push(name);
  }
  return able;
}

const everybody = Object.keys(principals);

beforeAll(async () => {
  const recorded = await deploy({ bucket: { replica: { region: "eu-west-1" }, breakGlass: [principals.breakGlass] } });
  policies = policiesOf(recorded);
  tags = {
    start: tagsOf(recorded, /-app-start$/),
    startOfAnother: tagsOf(recorded, /-web-start$/),
    backup: tagsOf(recorded, /-app-backup$/),
  };
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

/** The tags of a role that the stack made, as a principal's. */
function tagsOf(recorded: readonly RecordedResource[], name: RegExp): Record<string, string> {
  const tags = inputsOf(recorded, "iam/role:Role", name).tags as Record<string, string>;
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:PrincipalTag/${key}`, value]));
}

describe.each([1, 50, 500])("the policies of a stack with %i jobs", (count) => {
  const name = (index: number) => `job-${index}`;
  let recorded: RecordedResource[];
  let found: ReturnType<typeof policiesOf>;
  const startRole = role("provision-runner-prod-job-0-start");
  const via = { "kms:ViaService": `s3.${REGION}.amazonaws.com` };

  beforeAll(async () => {
    const jobs = Array.from({ length: count }, (_, index) => ({ ...app, name: name(index) }));
    recorded = await deploy({ bucket: { replica: { region: "eu-west-1" } } }, [], jobs);
    found = policiesOf(recorded);
  }, 240_000);

  it("fit into what AWS has room for", () => {
    expect(JSON.stringify(found.key).length).toBeLessThan(32_768);
    expect(JSON.stringify(found.secret).length).toBeLessThan(20_480);
    for (const { type, inputs } of recorded) {
      if (type.endsWith("iam/rolePolicy:RolePolicy")) expect(String(inputs.policy).length).toBeLessThan(10_240);
    }
  });

  it("let the stack's own roles read, and no role of another stack or of a person whose name begins alike", async () => {
    const own = tagsOf(recorded, /-job-0-start$/);
    const decrypt = { action: "kms:Decrypt", resource: KEY, resourcePolicy: found.key, policy: EVERYTHING };
    const read = {
      ...{ action: "secretsmanager:GetSecretValue", resource: SECRET, policy: EVERYTHING },
      resourcePolicy: found.secret,
    };
    const strangers: [string, Record<string, string>][] = [
      // The name alone, as a stack `prod-eu` or a person may have it.
      [role("provision-runner-prod-job-0-eu-app-start"), {}],
      [role("provision-runner-prod-job-0-start-by-hand"), tagsOfAnother(own)],
      // The tag alone, as a session or a role of somebody who may set tags has it.
      [role("Administrator"), own],
    ];
    expect(await isAllowed({ ...decrypt, principal: startRole, context: { ...via, ...own } })).toBe(true);
    expect(await isAllowed({ ...read, principal: startRole, context: own })).toBe(true);
    for (const [principal, tags] of strangers) {
      expect(await isAllowed({ ...decrypt, principal, context: { ...via, ...tags } }), principal).toBe(false);
      expect(await isAllowed({ ...read, principal, context: tags }), principal).toBe(false);
    }
  });

  it("let no task that reads another secret read this one", async () => {
    const backup = tagsOf(recorded, /-job-0-backup$/);
    const attempt = { action: "secretsmanager:GetSecretValue", resource: SECRET, resourcePolicy: found.secret };
    const principal = role("provision-runner-prod-job-0-backup");
    expect(await isAllowed({ ...attempt, policy: EVERYTHING, principal, context: backup })).toBe(false);
  });

  it("have each machine hand on roles that are named, each task's and no other", () => {
    const machines = recorded.filter(
      ({ type, name: child }) => type.endsWith("RolePolicy") && child.includes("-run-tasks"),
    );
    const statements = machines.flatMap(({ inputs }) => {
      const { Statement } = JSON.parse(String(inputs.policy)) as {
        Statement: { Action: string[]; Resource: string[] }[];
      };
      return Statement;
    });
    const passed = statements.filter(({ Action }) => Action.includes("iam:PassRole")).flatMap((each) => each.Resource);
    expect(passed.filter((arn) => arn.includes("*"))).toEqual([]);
    for (let index = 0; index < count; index += 1) {
      expect(passed).toContain(role(`provision-runner-prod-${name(index)}-backup`));
    }
  });
});

/** The tags of the same role of another project. */
function tagsOfAnother(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, `${value}-of-another-project`]));
}

describe("the roles of a stack in a policy", () => {
  const tag = ["provision:owner", "shop/prod/provision"] as const;
  const arns = (count: number, start: string) =>
    Array.from({ length: count }, (_, index) => role(`${start}-${index}-start`));

  it("are named where they existed before, and beside them no beginning is any wider", () => {
    const made = arns(50, "provision-runner-prod");
    expect(rolesInPolicy(made, [role("tasks"), role("tasks")], tag)).toEqual({
      named: [role("tasks")],
      own: { tag, arns: [role("provision-runner-prod-*")] },
    });
  });

  it("are refused where too many of them existed before, as no pattern may stand for them", () => {
    expect(() => rolesInPolicy([], arns(500, "tasks"), tag)).toThrow(
      /provision:aws.roles names 500 roles, .* Give several jobs the same roles, or leave their roles to the stack\./,
    );
  });

  it("bear the project and the component, so that stacks of the same name are told apart", () => {
    expect(ownerOf("prod", "provision")).toMatch(/^[^/]+\/prod\/provision$/);
    expect(readsTag("appUrl")).toBe("provision:reads:appUrl");
  });
});
