import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type EngineStack } from "../../tools/engine.ts";
import { startMoto, type Moto } from "../../tools/services/moto.ts";
import { EVERYTHING, isAllowed } from "../helpers/iam.ts";
import { OTHER, OTHER_ROLE, REGION, SOURCE } from "./aws/accounts.ts";
import { awsCall, awsQuery } from "./aws/call.ts";
import { awsProgram } from "./aws/program.ts";

const engine = await startEngine({ say: () => undefined });
const plugin = await engine.awsPlugin();
if (plugin === undefined) {
  console.warn("Pulumi's aws plugin is neither here nor to be downloaded: a stack in two accounts is not tested.");
}
afterAll(() => engine.stop());

/** Waiting for a lifecycle configuration takes a minute with this provider, whatever it is asked for. */
const UP_MS = 300_000;

/** A value for each bucket, or key, of the stack. */
type ByPart = Readonly<Record<"first" | "second" | "copies", string>>;

interface Outputs {
  readonly replicationRoleArn: string;
  readonly accountId: string;
  readonly buckets: ByPart;
  readonly keys: ByPart;
  readonly jobs: Readonly<
    Record<string, { roles: Record<string, string>; schedules: Record<string, string>; logGroup: string }>
  >;
}

interface State {
  readonly checkpoint: {
    readonly latest: {
      readonly resources: readonly {
        readonly urn: string;
        readonly type: string;
        readonly inputs?: object;
        readonly outputs?: object;
      }[];
    };
  };
}

/** The numbers of accounts in a text: in ARNs, in the addresses of registries and queues, and by themselves. */
const accountsIn = (text: string) => [...new Set(text.match(/(?<![\w-])\d{12}(?!\w)/g))].sort();

/** The text of an XML element. */
const textOf = (xml: string, element: string) => new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1] ?? "";

/** What the credentials of one account see, and of no other. */
class Account {
  readonly #url: string;
  readonly #accessKeyId: string;
  readonly #s3: S3;

  constructor(url: string, credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }) {
    this.#url = url;
    this.#accessKeyId = credentials.accessKeyId;
    this.#s3 = new S3({ endpoint: url, region: REGION, forcePathStyle: true, credentials });
  }

  call<Answer>(service: string, request: Parameters<typeof awsCall>[2]): Promise<Answer> {
    return awsCall<Answer>(this.#url, service, request, REGION, this.#accessKeyId);
  }

  query(service: string, parameters: Readonly<Record<string, string>>): Promise<string> {
    return awsQuery(this.#url, service, parameters, this.#accessKeyId);
  }

  async buckets(): Promise<string[]> {
    return ((await this.#s3.listBuckets()).Buckets ?? []).map(({ Name = "" }) => Name).sort();
  }

  async bucketPolicy(bucket: string): Promise<unknown> {
    return JSON.parse((await this.#s3.getBucketPolicy({ Bucket: bucket })).Policy ?? "") as unknown;
  }

  async keyPolicy(key: string): Promise<unknown> {
    const target = "TrentService.GetKeyPolicy";
    const { Policy } = await this.call<{ Policy: string }>("kms", {
      target,
      body: { KeyId: key, PolicyName: "default" },
    });
    return JSON.parse(Policy) as unknown;
  }

  /** The only policy that a role has of its own. */
  async rolePolicy(arn: string): Promise<unknown> {
    const RoleName = arn.split("/").at(-1) ?? "";
    const names = (await this.query("iam", { Action: "ListRolePolicies", RoleName })).match(
      /(?<=<member>)[^<]+(?=<\/member>)/g,
    );
    expect(names).toHaveLength(1);
    const [PolicyName = ""] = names ?? [];
    const xml = await this.query("iam", { Action: "GetRolePolicy", RoleName, PolicyName });
    return JSON.parse(decodeURIComponent(textOf(xml, "PolicyDocument"))) as unknown;
  }

  /** What of both stacks' kinds is here: the beginnings of names, which are what the program calls the parts. */
  async inventory() {
    const target = (name: string) => ({ target: name, body: {} });
    const [{ families }, { Schedules }, { SecretList }, { logGroups }, { Keys }, roles] = await Promise.all([
      this.call<{ families: string[] }>("ecs", target("AmazonEC2ContainerServiceV20141113.ListTaskDefinitionFamilies")),
      this.call<{ Schedules: { Name: string }[] }>("scheduler", { path: "/schedules" }),
      this.call<{ SecretList: { Name: string }[] }>("secretsmanager", target("secretsmanager.ListSecrets")),
      this.call<{ logGroups: { logGroupName: string }[] }>("logs", target("Logs_20140328.DescribeLogGroups")),
      this.call<{ Keys: { KeyArn: string }[] }>("kms", target("TrentService.ListKeys")),
      this.query("iam", { Action: "ListRoles" }),
    ]);
    const parts = (names: readonly string[]) => [...new Set(names.map((name) => name.split("-")[0] ?? ""))].sort();
    return {
      families: families.sort(),
      schedules: parts(Schedules.map(({ Name }) => Name)),
      secrets: parts(SecretList.map(({ Name }) => Name)),
      logGroups: parts(logGroups.map(({ logGroupName }) => logGroupName)),
      roles: parts(roles.match(/(?<=<RoleName>)[^<]+/g) ?? []),
      keys: Keys.map(({ KeyArn }) => KeyArn),
    };
  }

  close(): void {
    this.#s3.destroy();
  }
}

describe.skipIf(plugin === undefined)("one stack with jobs in two accounts, and a copy in the other one", () => {
  let moto: Moto;
  let stack: EngineStack;
  let outputs: Outputs;
  let mine: Account;
  let theirs: Account;

  beforeAll(async () => {
    moto = await startMoto();
    const xml = await awsQuery(moto.url, "sts", {
      Action: "AssumeRole",
      Version: "2011-06-15",
      RoleArn: OTHER_ROLE,
      RoleSessionName: "reader",
    });
    mine = new Account(moto.url, { accessKeyId: "test", secretAccessKey: "test" });
    const [accessKeyId, secretAccessKey] = [textOf(xml, "AccessKeyId"), textOf(xml, "SecretAccessKey")];
    theirs = new Account(moto.url, { accessKeyId, secretAccessKey });
    const program = awsProgram(
      plugin ?? "official",
      join(import.meta.dirname, "aws/two-accounts.ts"),
      // No test here writes or reads an object.
      "complete",
    );
    stack = await engine.stack({ program, config: { ...moto.config, "aws:region": REGION } });
    expect(Object.keys((await stack.up()).summary)).toEqual(["create"]);
    const found = await stack.outputs();
    outputs = Object.fromEntries(Object.entries(found).map(([name, { value }]) => [name, value as unknown])) as never;
  }, UP_MS);
  afterAll(async () => {
    mine.close();
    theirs.close();
    await moto.stop();
  });

  it("has everything of each job in the job's account, as that account's own credentials see it", async () => {
    const { buckets, keys } = outputs;
    expect(await mine.buckets()).toEqual([buckets.first]);
    expect(await theirs.buckets()).toEqual([buckets.copies, buckets.second].sort());
    const { keys: myKeys, ...here } = await mine.inventory();
    const { keys: theirKeys, ...there } = await theirs.inventory();
    expect(here).toEqual({
      families: ["provision_dev_one_backup", "provision_dev_one_restore"],
      schedules: ["first"],
      secrets: ["first"],
      logGroups: ["first"],
      roles: ["first"],
    });
    expect(there).toEqual({
      families: ["provision_dev_two_backup", "provision_dev_two_restore"],
      schedules: ["second"],
      secrets: ["second"],
      logGroups: ["second"],
      roles: ["second"],
    });
    expect(myKeys).toContain(keys.first);
    expect(theirKeys).toEqual(expect.arrayContaining([keys.second, keys.copies]));
  });

  it("names no account but a resource's own, outside of the two sides of the copy", async () => {
    const { resources } = (JSON.parse(await stack.exportState()) as State).checkpoint.latest;
    const ofAws = resources.filter(({ type }) => type.startsWith("aws:"));
    const named = (part: string) =>
      ofAws
        .map(({ urn, inputs, outputs: known }) => [urn.split("::").at(-1) ?? "", JSON.stringify([inputs, known])])
        .filter(([name]) => name?.startsWith(`${part}-`) === true || name === part)
        .map(([name = "", text = ""]) => ({ name, accounts: accountsIn(text) }))
        .filter(({ accounts }) => accounts.length > 0);
    const strangers = (part: string, own: string) =>
      named(part)
        .filter(({ accounts }) => accounts.some((account) => account !== own))
        .map(({ name }) => name)
        .sort();
    expect(named("first").length).toBeGreaterThan(25);
    expect(named("second").length).toBeGreaterThan(25);
    expect(strangers("second", OTHER)).toEqual([]);
    expect(strangers("copies", OTHER)).toEqual(["copies-key", "copies-policy"]);
    expect(strangers("first", SOURCE)).toEqual([
      "first-bucket-replica-replication",
      "first-bucket-replica-role-policy",
    ]);
    expect([...new Set(ofAws.flatMap((each) => accountsIn(JSON.stringify(each))))].sort()).toEqual([SOURCE, OTHER]);
  });

  it("gives each job the outputs of its own account", () => {
    const { jobs, accountId } = outputs;
    for (const [name, account] of [
      ["one", SOURCE],
      ["two", OTHER],
    ] as const) {
      expect(accountsIn(JSON.stringify(jobs[name]))).toEqual([account]);
      expect(jobs[name]?.roles.backup).toMatch(new RegExp(`^arn:aws:iam::${account}:role/`));
      expect(jobs[name]?.schedules.backup).toMatch(new RegExp(`^arn:aws:scheduler:${REGION}:${account}:schedule/`));
    }
    expect(accountId).toBe(OTHER);
  });

  it("lets the one role write copies by both accounts' policies, and nobody of the source account do more", async () => {
    const { replicationRoleArn: writer, buckets, keys, jobs } = outputs;
    const policy = await mine.rolePolicy(writer);
    const source = { bucket: await mine.bucketPolicy(buckets.first), key: await mine.keyPolicy(keys.first) };
    const copies = { bucket: await theirs.bucketPolicy(buckets.copies), key: await theirs.keyPolicy(keys.copies) };
    // Each side names the other.
    expect(JSON.stringify(policy)).toContain(`"arn:aws:s3:::${buckets.copies}/*"`);
    expect(JSON.stringify(policy)).toContain(`"${keys.copies}"`);
    for (const side of [copies.bucket, copies.key]) expect(JSON.stringify(side)).toContain(`"${writer}"`);
    const root = `arn:aws:iam::${SOURCE}:root`;
    expect(JSON.stringify(copies)).toContain(root);
    expect(JSON.stringify(source)).not.toContain(OTHER);

    const copy = `arn:aws:s3:::${buckets.copies}/dev/one/20261124T030000Z-abcdef/manifest.json`;
    const via = (bucket: string) => ({
      "kms:ViaService": `s3.${REGION}.amazonaws.com`,
      "kms:EncryptionContext:aws:s3:arn": `arn:aws:s3:::${bucket}`,
      "s3:TlsVersion": "1.3",
    });
    const may = (action: string, principal = writer, own: unknown = policy, sides = copies) => {
      const ofKey = action.startsWith("kms:");
      return isAllowed({
        principal,
        policy: own,
        action,
        resource: ofKey ? keys.copies : copy,
        resourcePolicy: ofKey ? sides.key : sides.bucket,
        owner: OTHER,
        context: via(buckets.copies),
      });
    };
    const writing = [
      "s3:ReplicateObject",
      "s3:ReplicateDelete",
      "s3:ReplicateTags",
      "kms:Encrypt",
      "kms:GenerateDataKey",
    ];
    for (const action of [...writing, "s3:ObjectOwnerOverrideToBucketOwner"]) {
      expect(await may(action), action).toBe(true);
      // Neither account's policies are enough.
      expect(await may(action, writer, { Version: "2012-10-17", Statement: [] }), action).toBe(false);
      expect(await may(action, writer, policy, { bucket: undefined, key: undefined }), action).toBe(false);
    }
    const reading = ["s3:GetObject", "s3:GetObjectVersion", "kms:Decrypt"];
    const removing = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"];
    const changing = ["s3:PutObject", "s3:PutObjectRetention", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"];
    for (const action of [...reading, ...removing, ...changing]) {
      expect(await may(action), action).toBe(false);
      // Not even where the source account allows its roles everything.
      for (const principal of [writer, `arn:aws:iam::${SOURCE}:role/Administrator`])
        expect(await may(action, principal, EVERYTHING), action).toBe(false);
    }
    const runner = jobs.one?.roles.backup ?? expect.fail();
    for (const action of writing)
      expect(await may(action, runner, EVERYTHING), `${action} of the job's own role`).toBe(false);

    // What it copies from: its own account's key and bucket.
    const reads = (resource: string, action: string) =>
      isAllowed({
        principal: writer,
        policy,
        action,
        resource,
        resourcePolicy: action.startsWith("kms:") ? source.key : source.bucket,
        context: via(buckets.first),
      });
    expect(await reads(keys.first, "kms:Decrypt")).toBe(true);
    const original = copy.replace(buckets.copies, buckets.first);
    expect(await reads(original, "s3:GetObjectVersionForReplication")).toBe(true);
    for (const action of removing) expect(await reads(original, action), action).toBe(false);
  });

  it("changes nothing the second time, and finds no drift", { timeout: UP_MS }, async () => {
    await stack.preview({ expectNoChanges: true });
    expect((await stack.up()).steps).toEqual([]);
    expect(Object.keys((await stack.refresh()).summary)).toEqual(["same"]);
    await stack.preview({ expectNoChanges: true });
  });

  it("leaves the buckets and their keys in each account when it is destroyed", { timeout: UP_MS }, async () => {
    const { buckets, keys } = outputs;
    await stack.destroy();
    expect(await mine.buckets()).toEqual([buckets.first]);
    expect(await theirs.buckets()).toEqual([buckets.copies, buckets.second].sort());
    for (const [account, key] of [
      [mine, keys.first],
      [theirs, keys.second],
      [theirs, keys.copies],
    ] as const) {
      const { KeyMetadata } = await account.call<{ KeyMetadata: { KeyState: string } }>("kms", {
        target: "TrentService.DescribeKey",
        body: { KeyId: key },
      });
      expect(KeyMetadata.KeyState).toBe("Enabled");
    }
    const gone = { schedules: [], roles: [] };
    expect([await mine.inventory(), await theirs.inventory()]).toMatchObject([gone, gone]);
  });
});
