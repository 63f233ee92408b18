import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import { lookUp } from "../../../components/aws/look-ups.ts";
import { AwsSettings } from "../../../components/aws/settings.ts";
import { JobSettings } from "../../../providers/config.ts";
import { mockEngine, registered } from "../../helpers/mocks.ts";

const REGION = "eu-central-1";
const VPC = "vpc-0a1b2c3d4e5f60718";
const [FIRST, SECOND] = ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"] as const;
const DIGEST = `sha256:${"ab".repeat(32)}`;
const IMAGE = `123456789012.dkr.ecr.${REGION}.amazonaws.com/provision@${DIGEST}`;
const KEY = `arn:aws:kms:${REGION}:123456789012:key/1a2b3c4d-0000-4000-8000-000000000000`;
const CLUSTER = `arn:aws:ecs:${REGION}:123456789012:cluster/shared`;
const TOPIC = `arn:aws:sns:${REGION}:123456789012:ops`;
const secret = (name: string, account = "123456789012") => `arn:aws:secretsmanager:${REGION}:${account}:secret:${name}`;

type Answers = NonNullable<NonNullable<Parameters<typeof mockEngine>[0]>["calls"]>;

/** An account that has all that is asked for, with two private subnets: one with a table of its own, one with the main one. */
const complete: Answers = {
  "aws:ec2/getVpcs:getVpcs": { ids: [VPC] },
  "aws:ec2/getSubnets:getSubnets": { ids: [FIRST, SECOND] },
  "aws:ec2/getSubnet:getSubnet": { vpcId: VPC },
  "aws:ec2/getSecurityGroups:getSecurityGroups": { ids: ["sg-0a1b2c3d4e5f60718"] },
  "aws:ec2/getRouteTables:getRouteTables": ({ filters }) => {
    const wanted = JSON.stringify(filters);
    if (wanted.includes("association.main")) return { ids: ["rtb-main"] };
    return { ids: wanted.includes(FIRST) ? ["rtb-1"] : [] };
  },
  "aws:ec2/getRouteTable:getRouteTable": { routes: [route({ natGatewayId: "nat-1" })] },
  "aws:ecr/getImages:getImages": { imageIds: [{ imageDigest: DIGEST, imageTag: "content-1234-arm64" }] },
  "aws:kms/getKey:getKey": { keyState: "Enabled" },
  "aws:s3/getBucket:getBucket": { bucketRegion: REGION },
  "aws:secretsmanager/getSecrets:getSecrets": { arns: [secret("team/url-AbCdEf")] },
  "aws:secretsmanager/getSecret:getSecret": { arn: secret("url-AbCdEf", "210987654321") },
  "aws:ssm/getParameter:getParameter": { type: "SecureString" },
  "aws:ecs/getCluster:getCluster": { status: "ACTIVE" },
  "aws:sns/getTopic:getTopic": { arn: TOPIC },
  "aws:cloudwatch/getLogGroup:getLogGroup": { arn: "arn:aws:logs:group" },
  "aws:iam/getRole:getRole": { arn: "arn:aws:iam::123456789012:role/tasks" },
};

function route(target: object): object {
  const none = { gatewayId: "", natGatewayId: "", transitGatewayId: "", networkInterfaceId: "", vpcEndpointId: "" };
  return { cidrBlock: "0.0.0.0/0", ipv6CidrBlock: "", egressOnlyGatewayId: "", ...none, ...target };
}

const job = (url: string, parameter: string | undefined) =>
  JobSettings.parse({
    name: "app",
    database: { kind: "postgres", url: { arn: url } },
    ...(parameter !== undefined && { monitor: { kind: "webhook", url: { ssm: parameter } } }),
    destinations: [{ kind: "s3" }],
  });

const everything = {
  image: IMAGE,
  keyArn: KEY,
  bucket: { existing: "acme-backups" },
  network: { vpcId: VPC, subnetIds: [FIRST, SECOND], securityGroupIds: ["sg-0a1b2c3d4e5f60718"] },
  clusterArn: CLUSTER,
  alarms: { topicArn: TOPIC },
  logs: { group: "/platform/backups" },
  roles: { execution: "arn:aws:iam::123456789012:role/tasks" },
};

function refuse(): never {
  const details =
    "1 error occurred:\n\t* UnauthorizedOperation: You are not authorized\n    at a page of\n    at traces";
  // As the engine tells an error of a provider.
  throw Object.assign(new Error("UNKNOWN"), { details });
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** What a preview warns of, and what it asked. */
async function preview(
  answers: Answers = {},
  aws: object = {},
  {
    url = secret("team/url-AbCdEf"),
    parameter = "/team/heartbeat",
    monitored = true,
    dryRun = true,
  }: {
    readonly url?: string;
    readonly parameter?: string;
    readonly monitored?: boolean;
    readonly dryRun?: boolean;
  } = {},
) {
  const asked: string[] = [];
  const parameters: unknown[] = [];
  await mockEngine({
    preview: dryRun,
    calls: { ...complete, ...answers },
    asked: (token, inputs) => {
      asked.push(token.split(":").at(-1) ?? "");
      if (token.includes("getParameter")) parameters.push(inputs);
    },
  });
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue(undefined).mockClear();
  const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
  const settings = AwsSettings.parse({ ...everything, ...aws }) as AwsSettings;
  const one = job(url, monitored ? parameter : undefined);
  await lookUp({ region: REGION, aws: settings, jobs: [one, one] }, parent);
  await registered(parent);
  return { warnings: warn.mock.calls.map(([message]) => message), asked, parameters };
}

describe("what a preview looks up", () => {
  it("is not spoken of where all is there", async () => {
    expect((await preview()).warnings).toEqual([]);
  });

  it("is nothing where an `up` follows the preview", async () => {
    expect(await preview({}, {}, { dryRun: false })).toEqual({ warnings: [], asked: [], parameters: [] });
  });

  it("is each thing once, however many jobs use it", async () => {
    const { asked } = await preview();
    expect(asked.filter((token) => token === "getSecrets")).toHaveLength(1);
    expect(asked.filter((token) => token === "getImages")).toHaveLength(1);
    expect(asked.filter((token) => token === "getParameter")).toHaveLength(1);
  });

  it("is a parameter where it is, with its value encrypted", async () => {
    const inDublin = "arn:aws:ssm:eu-west-1:123456789012:parameter/team/heartbeat";
    expect((await preview()).parameters).toEqual([{ name: "/team/heartbeat", region: REGION, withDecryption: false }]);
    expect((await preview({}, {}, { parameter: inDublin })).parameters).toEqual([
      { name: inDublin, region: "eu-west-1", withDecryption: false },
    ]);
    const theirs = inDublin.replace("123456789012", "210987654321");
    expect((await preview({}, {}, { parameter: theirs })).parameters).toEqual([
      { name: theirs, region: "eu-west-1", withDecryption: false },
    ]);
  });

  it("is a topic of this account alone", async () => {
    expect((await preview()).asked).toContain("getTopic");
    const alarms = { topicArn: TOPIC.replace("123456789012", "210987654321") };
    expect((await preview({}, { alarms })).asked).not.toContain("getTopic");
  });

  it("is nothing that another resource makes", async () => {
    const later = {
      image: pulumi.output(IMAGE),
      keyArn: pulumi.output(KEY),
      bucket: { existing: pulumi.output("made") },
      network: {
        vpcId: pulumi.output(VPC),
        subnetIds: pulumi.output([FIRST]),
        allowTo: { securityGroupId: pulumi.output("sg-made"), port: 5432 },
      },
      logs: { group: pulumi.output("made") },
      clusterArn: pulumi.output(CLUSTER),
      alarms: { topicArn: pulumi.output(TOPIC) },
      roles: {},
    };
    const asked: string[] = [];
    await mockEngine({ preview: true, asked: (token) => asked.push(token) });
    const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
    const aws = { ...(AwsSettings.parse({}) as AwsSettings), ...later, bucket: { ...later.bucket, protect: false } };
    await lookUp({ region: REGION, aws: aws as never, jobs: [] }, parent);
    await registered(parent);
    expect(asked).toEqual(["aws:index/getCallerIdentity:getCallerIdentity"]);
  });
});

describe("a preview warns of", () => {
  it.each<[string, Answers, object, string]>([
    [
      "a VPC that is not there",
      { "aws:ec2/getVpcs:getVpcs": { ids: [] } },
      {},
      `the VPC ${VPC} does not exist in ${REGION}`,
    ],
    [
      "a subnet that is not there",
      { "aws:ec2/getSubnets:getSubnets": { ids: [FIRST] } },
      {},
      `the subnet ${SECOND} does not exist in ${REGION}`,
    ],
    [
      "a subnet of another VPC",
      {
        "aws:ec2/getSubnets:getSubnets": ({ filters }) => ({
          ids: JSON.stringify(filters).includes("vpc-id") ? [FIRST] : [FIRST, SECOND],
        }),
      },
      {},
      `the subnet ${SECOND} is not in the VPC ${VPC}`,
    ],
    [
      "a security group that is not there",
      { "aws:ec2/getSecurityGroups:getSecurityGroups": { ids: [] } },
      {},
      "the security group sg-0a1b2c3d4e5f60718 does not exist",
    ],
    [
      "a subnet without a way out, by the main route table",
      {
        "aws:ec2/getRouteTable:getRouteTable": ({ routeTableId }) => ({
          routes: routeTableId === "rtb-main" ? [] : [route({ transitGatewayId: "tgw-1" })],
        }),
      },
      {},
      `no route of the subnet ${SECOND} leads out of its VPC`,
    ],
    [
      "an image that is not there",
      { "aws:ecr/getImages:getImages": { imageIds: [{ imageDigest: "sha256:other", imageTag: "v1" }] } },
      {},
      `the repository provision of the account 123456789012 in ${REGION} has no image ${DIGEST}`,
    ],
    [
      "an image for another processor",
      { "aws:ecr/getImages:getImages": { imageIds: [{ imageDigest: DIGEST, imageTag: "content-1234-amd64" }] } },
      {},
      "it is made for x86_64, and the tasks have arm64",
    ],
    [
      "a key that is not in use",
      { "aws:kms/getKey:getKey": { keyState: "PendingDeletion" } },
      {},
      "is not enabled (PendingDeletion)",
    ],
    [
      "a bucket of another region",
      { "aws:s3/getBucket:getBucket": { bucketRegion: "us-east-1" } },
      {},
      `the bucket acme-backups is in us-east-1, and the stack in ${REGION}`,
    ],
    [
      "a secret that is not there",
      { "aws:secretsmanager/getSecrets:getSecrets": { arns: [secret("team/url-2-AbCdEf")] } },
      {},
      "The secret team/url-AbCdEf",
    ],
    [
      "a cluster that is being removed",
      { "aws:ecs/getCluster:getCluster": { status: "INACTIVE" } },
      {},
      "clusterArn: the cluster shared is not active (INACTIVE)",
    ],
    [
      "a cluster of another account",
      {},
      { clusterArn: CLUSTER.replace("123456789012", "210987654321") },
      "/shared is of the account 210987654321, and tasks of 123456789012 run in clusters of their own",
    ],
    [
      "a parameter that is not there",
      { "aws:ssm/getParameter:getParameter": refuse },
      {},
      "AWS says nothing of the parameter /team/heartbeat.",
    ],
    ["a topic that is not there", { "aws:sns/getTopic:getTopic": refuse }, {}, "AWS says nothing of the topic ops."],
    [
      "a log group that is not there",
      { "aws:cloudwatch/getLogGroup:getLogGroup": refuse },
      {},
      "AWS says nothing of the log group /platform/backups.",
    ],
    [
      "a cluster that is not there",
      { "aws:ecs/getCluster:getCluster": refuse },
      {},
      "AWS says nothing of the cluster shared.",
    ],
    [
      "a role of another account",
      {},
      { roles: { scheduler: "arn:aws:iam::210987654321:role/tasks" } },
      "arn:aws:iam::210987654321:role/tasks is of the account 210987654321",
    ],
    [
      "a role of this account that may hold backups and is not there",
      { "aws:iam/getRole:getRole": ({ name }) => (name === "tasks" ? {} : refuse()) },
      {
        holders: ["123456789012:role/team/legal", "210987654321:role/theirs", "123456789012:root"].map(
          (arn) => `arn:aws:iam::${arn}`,
        ),
      },
      "AWS says nothing of the role legal.",
    ],
  ])("%s", async (_, answers, aws, message) => {
    const { warnings } = await preview(answers, aws);
    expect(warnings).toEqual([expect.stringContaining(message)]);
  });

  it("groups of databases and others that are not there, by the setting that names them", async () => {
    const group = (digit: number) => `sg-0a1b2c3d4e5f6071${digit}`;
    const network = {
      allowTo: { securityGroupId: group(1), port: 5432 },
      databases: [1, 2, 3].map((digit) => ({ securityGroupId: group(digit), port: 5432 })),
      https: [{ securityGroupId: group(4) }, { cidr: "10.0.0.0/16" }],
    };
    const answers = { "aws:ec2/getSecurityGroups:getSecurityGroups": { ids: [group(2)] } };
    const { warnings, asked } = await preview(answers, { network });
    const place = `does not exist in ${REGION} of this account.`;
    expect(warnings).toEqual([
      `network.allowTo: the security group ${group(1)} ${place}`,
      `network.databases: the security group ${group(1)} ${place}`,
      `network.databases: the security group ${group(3)} ${place}`,
      `network.https: the security group ${group(4)} ${place}`,
    ]);
    expect(asked.filter((token) => token === "getSecurityGroups")).toHaveLength(1);
  });

  it("a bucket for copies, and its key, that are not there or not elsewhere, where they are of this account", async () => {
    const key = KEY.replace(REGION, "eu-west-1");
    const copies = (accountId?: string) => ({
      bucket: { replica: { bucketArn: "arn:aws:s3:::acme-vault", keyArn: key, ...(accountId && { accountId }) } },
    });
    const inDublin: Answers = { "aws:s3/getBucket:getBucket": { bucketRegion: "eu-west-1" } };
    expect((await preview(inDublin, copies())).warnings).toEqual([]);
    expect((await preview({}, copies())).warnings).toEqual([
      expect.stringMatching(`^bucket.replica: the bucket acme-vault is in ${REGION}, as the stack is`),
    ]);
    const missing: Answers = {
      "aws:s3/getBucket:getBucket": refuse,
      "aws:kms/getKey:getKey": ({ keyId }) => (keyId === key ? refuse() : { keyState: "Enabled" }),
    };
    for (const account of [undefined, "123456789012"]) {
      expect((await preview(missing, copies(account))).warnings).toEqual([
        expect.stringContaining(`AWS says nothing of the bucket acme-vault, the key ${key}.`),
      ]);
    }
    expect((await preview(missing, copies("210987654321"))).warnings).toEqual([]);
  });

  it("a public subnet whose tasks have no public address", async () => {
    const answers = { "aws:ec2/getRouteTable:getRouteTable": { routes: [route({ gatewayId: "igw-1" })] } };
    const network = { vpcId: VPC, subnetIds: [FIRST] };
    const { warnings } = await preview(answers, { network });
    expect(warnings).toEqual([expect.stringContaining("Set network.assignPublicIp to true")]);
    expect((await preview(answers, { network: { ...network, assignPublicIp: true } })).warnings).toEqual([]);
  });

  it("subnets without a way out that tags find, in the zones that are not left out", async () => {
    const searched: unknown[] = [];
    const answers: Answers = {
      "aws:index/getAvailabilityZones:getAvailabilityZones": { names: ["eu-central-1a"] },
      "aws:ec2/getSubnets:getSubnets": (inputs) => {
        searched.push(inputs);
        return { ids: [FIRST] };
      },
      "aws:ec2/getRouteTable:getRouteTable": { routes: [] },
    };
    const network = { vpcTags: { Name: "main" }, subnetTags: { tier: "private" }, excludeZoneIds: ["euc1-az1"] };
    const { warnings } = await preview(answers, { network });
    expect(warnings).toEqual([
      expect.stringContaining(`network.subnetTags: no route of the subnet ${FIRST} leads out`),
    ]);
    expect(searched).toEqual([
      {
        filters: [
          { name: "vpc-id", values: [VPC] },
          { name: "availability-zone", values: ["eu-central-1a"] },
        ],
        tags: { tier: "private" },
      },
    ]);
    const withEndpoints = { network: { ...network, endpoints: true } };
    expect((await preview(answers, withEndpoints, { monitored: false })).warnings).toEqual([]);
    // The deployment itself says that there are none.
    const none = { ...answers, "aws:ec2/getSubnets:getSubnets": { ids: [] } };
    expect((await preview(none, { network })).warnings).toEqual([]);
  });

  it("no missing route where there are endpoints of all that is needed, and one where a monitor or an image is elsewhere", async () => {
    const answers = { "aws:ec2/getRouteTable:getRouteTable": { routes: [] } };
    const network = { vpcId: VPC, subnetIds: [FIRST], endpoints: true };
    expect((await preview(answers, { network }, { monitored: false })).warnings).toEqual([]);
    const missed = [expect.stringMatching(`^network.subnetIds: no route of the subnet ${FIRST} leads out .* alone\\.`)];
    expect((await preview(answers, { network })).warnings).toEqual(missed);
    const image = `ghcr.io/acme/provision@${DIGEST}`;
    expect((await preview(answers, { network, image }, { monitored: false })).warnings).toEqual(missed);
  });

  it("no missing route where a list of endpoints has what is needed, and else what it lacks", async () => {
    const answers = { "aws:ec2/getRouteTable:getRouteTable": { routes: [] } };
    const needed = ["ecr.api", "ecr.dkr", "logs", "s3", "secretsmanager"];
    const warnings = async (endpoints: string[] | undefined, { image = IMAGE, monitored = false } = {}) => {
      const network = { vpcId: VPC, subnetIds: [FIRST], endpoints };
      return (await preview(answers, { network, image }, { monitored })).warnings;
    };
    const lacks = (services: string): unknown[] => [
      expect.stringContaining(
        `leads out of its VPC, and tasks need ${services}, of which the stack makes no endpoints.`,
      ),
    ];
    expect(await warnings(needed)).toEqual([]);
    expect(await warnings(["sns", ...needed.slice(2)])).toEqual(lacks("ecr.api, ecr.dkr"));
    expect(await warnings(undefined)).toEqual(lacks(needed.join(", ")));
    // The monitor's URL is a parameter.
    expect(await warnings(needed, { monitored: true })).toEqual(lacks("ssm"));
    const image = `ghcr.io/acme/provision@${DIGEST}`;
    expect(await warnings(undefined, { image })).toEqual(lacks("logs, s3, secretsmanager"));
  });

  it("no secret that is written without the ending of its name, and none of another account that is there", async () => {
    expect((await preview({}, {}, { url: secret("team/url") })).warnings).toEqual([]);
    expect((await preview({}, {}, { url: `${secret("team/url-AbCdEf")}:password::` })).warnings).toEqual([]);
    expect((await preview({}, {}, { url: secret("url-AbCdEf", "210987654321") })).warnings).toEqual([]);
  });

  it("what is of another account in the one warning, where that account says nothing or cannot be asked", async () => {
    const answers = { "aws:secretsmanager/getSecret:getSecret": refuse, "aws:ssm/getParameter:getParameter": refuse };
    const other = "210987654321";
    const alarms = { topicArn: TOPIC.replace("123456789012", other) };
    const parameter = `arn:aws:ssm:eu-west-1:${other}:parameter/team/heartbeat`;
    const { warnings } = await preview(answers, { alarms }, { url: secret("url-AbCdEf", other), parameter });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /^AWS says nothing of the parameter arn:\S+, the secret url-AbCdEf of the account 210987654321, the topic ops of the account 210987654321\. /,
    );
  });
});

describe("credentials that may ask nothing", () => {
  it("lead to one warning of a line, which names all that is unknown", async () => {
    const refused = Object.fromEntries(Object.keys(complete).map((token) => [token, refuse]));
    const { warnings } = await preview(refused);
    expect(warnings).toHaveLength(1);
    const [warning = ""] = warnings;
    expect(warning).not.toContain("\n");
    expect(warning).not.toContain("traces");
    expect(warning).toMatch(/\* UnauthorizedOperation: You are not authorized$/);
    for (const name of [
      VPC,
      FIRST,
      "sg-0a1b2c3d4e5f60718",
      "provision",
      KEY,
      "acme-backups",
      "team/url-AbCdEf",
      "tasks",
      "shared",
      "ops",
      "/team/heartbeat",
      "/platform/backups",
    ]) {
      expect(warning).toContain(name);
    }
  });
});
