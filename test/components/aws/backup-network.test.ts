import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { reasonOf } from "../../../components/aws/answer.ts";
import { BackupNetwork, type BackupNetworkArgs } from "../../../components/aws/backup-network.ts";
import {
  defaultVpc,
  existingSubnets,
  subnetsByTags,
  vpcByTags,
} from "../../../components/aws/backup-network/find-network.ts";
import { watchOptions } from "../../helpers/aws.ts";
import { mockEngine, promised, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

const calls = {
  "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-default"] },
  "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-b", "subnet-a"] },
  "aws:ec2/getSubnet:getSubnet": { vpcId: "vpc-of-subnet" },
  "aws:index/getAvailabilityZones:getAvailabilityZones": { names: ["eu-central-1c", "eu-central-1a", "eu-central-1b"] },
};

const states = { "aws:ec2/vpc:Vpc": { ipv6CidrBlock: "2a05:d014:1:ab00::/56" } };

async function deploy(args: Omit<BackupNetworkArgs, "stack"> = {}, preview = false) {
  const recorded = await mockEngine({ preview, calls, states });
  const network = new BackupNetwork("network", { stack: "prod", ...args });
  await registered(network);
  return { recorded, network };
}

function children(recorded: readonly RecordedResource[]): string[] {
  return recorded.map(({ type, name }) => `${type.split(":").at(-1) ?? ""} ${name}`).sort();
}

const group = ["BackupNetwork network", "SecurityGroup network-prod"];
const rules = (...ports: number[]) =>
  ports.flatMap((port) => ["ipv4", "ipv6"].map((family) => `SecurityGroupEgressRule network-prod-${port}-${family}`));

describe.each([false, true])("BackupNetwork (preview: %s)", (preview) => {
  it("takes the account's default VPC, whose subnets are public", async () => {
    const { recorded, network } = await deploy({}, preview);
    expect(children(recorded)).toEqual([...group, ...rules(443, 5432)].sort());
    expect(await unwrap(network.vpcId)).toBe("vpc-default");
    expect(await unwrap(network.subnetIds)).toEqual(["subnet-a", "subnet-b"]);
    expect(await unwrap(network.assignPublicIp)).toBe(true);
  });

  it("takes existing subnets, and finds their VPC", async () => {
    const { recorded, network } = await deploy({ subnetIds: ["subnet-1", "subnet-2"] }, preview);
    expect(children(recorded)).toEqual([...group, ...rules(443, 5432)].sort());
    expect(await unwrap(network.vpcId)).toBe("vpc-of-subnet");
    expect(await unwrap(network.subnetIds)).toEqual(["subnet-1", "subnet-2"]);
    expect(await unwrap(network.assignPublicIp)).toBe(false);
  });

  it("makes a small VPC with IPv6, without a NAT gateway", async () => {
    const { recorded } = await deploy({ create: {} }, preview);
    expect(children(recorded)).toEqual(
      [
        ...group,
        ...rules(443, 5432),
        "DefaultSecurityGroup network-prod",
        "InternetGateway network-prod",
        "RouteTable network-prod",
        "RouteTableAssociation network-prod-0",
        "RouteTableAssociation network-prod-1",
        "Subnet network-prod-0",
        "Subnet network-prod-1",
        "Vpc network-prod",
        "VpcEndpoint network-prod-s3",
      ].sort(),
    );
  });
});

describe("the security group", () => {
  it("lets nothing in, and out to 443 and the named ports alone, by IPv4 and IPv6", async () => {
    const { recorded } = await deploy({ databasePorts: [5432, 6432], providerPorts: [9000, 5432], tags: { a: "b" } });
    const rule = recorded.filter(({ type }) => type.endsWith(":SecurityGroupEgressRule"));
    expect(children(rule)).toEqual(rules(443, 5432, 6432, 9000).sort());
    expect(recorded.some(({ type }) => type.includes("Ingress"))).toBe(false);
    for (const { name, inputs } of rule) {
      const { fromPort, toPort, ipProtocol, cidrIpv4, cidrIpv6, description, tags } = inputs;
      expect([fromPort, ipProtocol, tags]).toEqual([toPort, "tcp", { a: "b" }]);
      expect(description).toMatch(/\w/);
      expect([cidrIpv4, cidrIpv6]).toEqual(name.endsWith("ipv4") ? ["0.0.0.0/0", undefined] : [undefined, "::/0"]);
    }
  });
});

describe("databases", () => {
  const databases = [
    { securityGroupId: "sg-rds", port: 5432 },
    { cidr: "10.0.0.0/16", port: 6432 },
    { cidr: "2001:db8::/56", port: 6432 },
  ];

  it("narrow the way out to where they are, at their own ports alone", async () => {
    const { recorded } = await deploy({ databasePorts: [5432, 6543], databases });
    const out = recorded.filter(({ type }) => type.endsWith(":SecurityGroupEgressRule"));
    const own = databases.map((_, index) => `SecurityGroupEgressRule network-prod-database-${index}`);
    expect(children(out)).toEqual([...rules(443, 6543), ...own].sort());
    const led = own.map((_, index) => out.find(({ name }) => name === `network-prod-database-${index}`)?.inputs);
    expect(
      led.map((inputs) => [inputs?.referencedSecurityGroupId, inputs?.cidrIpv4, inputs?.cidrIpv6, inputs?.toPort]),
    ).toEqual([
      ["sg-rds", undefined, undefined, 5432],
      [undefined, "10.0.0.0/16", undefined, 6432],
      [undefined, undefined, "2001:db8::/56", 6432],
    ]);
  });

  it("let the tasks in by a rule of theirs", async () => {
    const { recorded, network } = await deploy({ allowTo: { securityGroupId: "sg-rds", port: 5433 } });
    const [rule, ...others] = recorded.filter(({ type }) => type.endsWith(":SecurityGroupIngressRule"));
    expect(others).toEqual([]);
    expect(rule?.inputs).toMatchObject({
      securityGroupId: "sg-rds",
      referencedSecurityGroupId: await unwrap(network.securityGroupId),
      ipProtocol: "tcp",
      fromPort: 5433,
      toPort: 5433,
    });
  });
});

describe("existing security groups", () => {
  it("are the tasks', and stay as they are", async () => {
    const allowTo = { securityGroupId: "sg-rds", port: 5432 };
    const { recorded, network } = await deploy({ securityGroupIds: ["sg-1", "sg-2"], allowTo });
    expect(children(recorded)).toEqual(["BackupNetwork network", "SecurityGroupIngressRule network-prod-allow-to"]);
    expect(recorded[1]?.inputs.referencedSecurityGroupId).toBe("sg-1");
    expect(await unwrap(network.securityGroupIds)).toEqual(["sg-1", "sg-2"]);
    expect(await unwrap(network.securityGroupId)).toBe("sg-1");
  });
});

describe("a VPC and subnets by their tags", () => {
  const byTags = { vpcTags: { Name: "main" }, subnetTags: { tier: "private" } };

  it("are looked up, the subnets in the VPC and outside of the zones without Fargate", async () => {
    const asked: [string, unknown][] = [];
    await mockEngine({ calls, states, asked: (token, inputs) => asked.push([token, inputs]) });
    const network = new BackupNetwork("network", { stack: "prod", ...byTags, excludeZoneIds: ["euc1-az3"] });
    await registered(network);
    expect(await unwrap(network.subnetIds)).toEqual(["subnet-a", "subnet-b"]);
    expect(await unwrap(network.assignPublicIp)).toBe(false);
    expect(asked).toContainEqual(["aws:ec2/getVpcs:getVpcs", { tags: { Name: "main" } }]);
    expect(asked).toContainEqual([
      "aws:index/getAvailabilityZones:getAvailabilityZones",
      { excludeZoneIds: ["euc1-az3"] },
    ]);
    expect(asked).toContainEqual([
      "aws:ec2/getSubnets:getSubnets",
      {
        filters: [
          { name: "vpc-id", values: ["vpc-default"] },
          { name: "availability-zone", values: ["eu-central-1c", "eu-central-1a", "eu-central-1b"] },
        ],
        tags: { tier: "private" },
      },
    ]);
  });

  it.each([
    [[], 'No VPC has the tags {"Name":"main"} of vpcTags'],
    [["vpc-2", "vpc-1"], "2 VPCs (vpc-1, vpc-2) have the tags"],
  ])("are refused where the VPCs %j have the tags", async (ids, message) => {
    await mockEngine({ calls: { "aws:ec2/getVpcs:getVpcs": { ids } } });
    const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
    await expect(promised(vpcByTags(byTags.vpcTags, parent))).rejects.toThrow(message);
  });

  it("are refused where no subnet has the tags outside of the zones without Fargate", async () => {
    await mockEngine({ calls: { ...calls, "aws:ec2/getSubnets:getSubnets": { ids: [] } } });
    const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
    await expect(
      promised(subnetsByTags(pulumi.output("vpc-1"), byTags.subnetTags, ["euc1-az3"], parent)),
    ).rejects.toThrow('No subnet of the VPC has the tags {"tier":"private"} of subnetTags outside of euc1-az3.');
  });
});

describe("the default VPC", () => {
  it("lends its subnets outside of the zones without Fargate", async () => {
    const asked: unknown[] = [];
    await mockEngine({ calls, states, asked: (token, inputs) => token.includes("getSubnets") && asked.push(inputs) });
    await registered(new BackupNetwork("network", { stack: "prod", excludeZoneIds: ["euc1-az3"] }));
    expect(asked).toEqual([
      {
        filters: [
          { name: "vpc-id", values: ["vpc-default"] },
          { name: "default-for-az", values: ["true"] },
          { name: "availability-zone", values: ["eu-central-1c", "eu-central-1a", "eu-central-1b"] },
        ],
      },
    ]);
  });
});

describe("what AWS does not answer", () => {
  const [vpcs, subnets] = ["ec2/getVpcs:getVpcs", "ec2/getSubnets:getSubnets"];
  const tags = { Name: "main" };
  const inVpc = pulumi.output("vpc-1");

  it.each<[string, string, (parent: pulumi.Resource) => object]>([
    ["the default VPC", vpcs, (parent) => defaultVpc(undefined, parent)],
    ['the VPC with the tags {"Name":"main"}', vpcs, (parent) => [vpcByTags(tags, parent)]],
    ["the subnets of the VPC vpc-1", subnets, (parent) => [subnetsByTags(inVpc, tags, undefined, parent)]],
    [
      "the zones of the region",
      "index/getAvailabilityZones:getAvailabilityZones",
      (parent) => [subnetsByTags(inVpc, tags, ["euc1-az3"], parent)],
    ],
    [
      "the subnet subnet-1",
      "ec2/getSubnet:getSubnet",
      (parent) => [existingSubnets(["subnet-1"], undefined, parent).vpcId],
    ],
  ])("is an error of one line: %s", async (what, token, ask) => {
    const details = "1 error occurred:\n\t* UnauthorizedOperation\n    at a page of\n    at traces";
    const refuse = () => {
      throw Object.assign(new Error("UNKNOWN"), { details });
    };
    await mockEngine({ calls: { ...calls, [`aws:${token}`]: refuse } });
    const asked = Object.values(ask(new pulumi.ComponentResource("test:index:Parent", "parent")));
    const errors = await Promise.all(asked.map((output) => promised(output).catch((reason: unknown) => reason)));
    for (const error of errors) {
      // Pulumi prints every other error with its trace.
      expect(pulumi.RunError.isInstance(error)).toBe(true);
      expect((error as Error).message).toBe(
        `AWS says nothing of ${what}. Check the settings of the network, the account and the region, and that these credentials may call ` +
          "ec2:Describe*. The reason: 1 error occurred: * UnauthorizedOperation",
      );
    }
  });
});

it("AWS's reason is said where there is one", () => {
  expect([reasonOf(new Error("denied")), reasonOf(new Error("")), reasonOf("no")]).toEqual([
    "denied",
    "none was given",
    "no",
  ]);
});

describe("endpoints", () => {
  const zoneOf: Readonly<Record<string, string>> = { "subnet-1": "a", "subnet-2": "a", "subnet-3": "b" };
  const answers = {
    ...calls,
    "aws:ec2/getSubnet:getSubnet": ({ id }: Record<string, unknown>) => ({
      id,
      vpcId: "vpc-1",
      availabilityZone: zoneOf[String(id)],
    }),
    "aws:ec2/getVpc:getVpc": { cidrBlockAssociations: [{ cidrBlock: "10.1.0.0/16" }, { cidrBlock: "10.0.0.0/16" }] },
    // The first subnet has a table of its own, and the others have the VPC's main one.
    "aws:ec2/getRouteTables:getRouteTables": ({ filters }: Record<string, unknown>) => {
      const [{ name, values } = { name: "", values: [""] }] = filters as { name: string; values: string[] }[];
      if (name === "association.main") return { ids: ["rtb-main"] };
      return { ids: values[0] === "subnet-1" ? ["rtb-1"] : [] };
    },
  };
  const endpointsOf = async (endpoints: BackupNetworkArgs["endpoints"], more: Partial<BackupNetworkArgs> = {}) => {
    const gateway = { "aws:ec2/vpcEndpoint:VpcEndpoint": { prefixListId: "pl-s3" } };
    const recorded = await mockEngine({ calls: answers, states: { ...states, ...gateway } });
    const subnetIds = ["subnet-1", "subnet-2", "subnet-3"];
    await registered(new BackupNetwork("network", { stack: "prod", vpcId: "vpc-1", subnetIds, endpoints, ...more }));
    return recorded;
  };
  const servicesOf = (recorded: readonly RecordedResource[]) =>
    recorded.filter(({ type }) => type.endsWith(":VpcEndpoint")).map(({ inputs }) => String(inputs.serviceName));

  it("are made for all services of the tasks, each once in a zone, and let in the whole VPC", async () => {
    const recorded = await endpointsOf(true);
    const endpoints = recorded.filter(({ type }) => type.endsWith(":VpcEndpoint"));
    const interfaces = ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "sns", "kms"];
    expect(endpoints.map(({ inputs }) => inputs.serviceName).sort()).toEqual(
      [...interfaces, "s3"].map((service) => `com.amazonaws.eu-central-1.${service}`).sort(),
    );
    for (const { name, inputs } of endpoints.filter(({ name }) => name !== "network-prod-s3")) {
      expect([name, inputs]).toEqual([
        name,
        expect.objectContaining({
          vpcEndpointType: "Interface",
          privateDnsEnabled: true,
          subnetIds: ["subnet-1", "subnet-3"],
          securityGroupIds: ["network-prod-endpoints-id"],
        }),
      ]);
    }
    expect(endpoints.find(({ name }) => name === "network-prod-s3")?.inputs).toMatchObject({
      vpcEndpointType: "Gateway",
      routeTableIds: ["rtb-1", "rtb-main"],
    });
    expect(recorded.find(({ name }) => name === "network-prod-endpoints")?.inputs.ingress).toMatchObject([
      { protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: ["10.0.0.0/16", "10.1.0.0/16"] },
    ]);
  });

  it("are made for Systems Manager only where tasks get parameters of it, or the list names it", async () => {
    const name = "com.amazonaws.eu-central-1.ssm";
    expect(servicesOf(await endpointsOf(true, { parameters: true }))).toContain(name);
    expect(servicesOf(await endpointsOf(true, { parameters: false }))).not.toContain(name);
    expect(servicesOf(await endpointsOf(["ssm"], { parameters: false }))).toEqual([name]);
  });

  it.each([
    [["s3" as const], ["VpcEndpoint network-prod-s3"]],
    [["logs" as const], ["SecurityGroup network-prod-endpoints", "VpcEndpoint network-prod-logs"]],
    [false, []],
  ])("are made for no other services than %j", async (endpoints, made) => {
    const recorded = await endpointsOf(endpoints);
    expect(children(recorded)).toEqual([...group, ...rules(443, 5432), ...made].sort());
  });
});

describe("the way to port 443", () => {
  const groupOf = (recorded: readonly RecordedResource[]) =>
    recorded
      .filter(({ type, inputs }) => type.endsWith(":SecurityGroupEgressRule") && inputs.toPort === 443)
      .map(({ inputs }) => [
        inputs.referencedSecurityGroupId ?? inputs.prefixListId ?? inputs.cidrIpv4 ?? inputs.cidrIpv6,
        inputs.fromPort,
        inputs.ipProtocol,
      ])
      .sort();
  const everywhere = [
    ["0.0.0.0/0", 443, "tcp"],
    ["::/0", 443, "tcp"],
  ];
  const network = async (more: Partial<BackupNetworkArgs>) => {
    const gateway = { "aws:ec2/vpcEndpoint:VpcEndpoint": { prefixListId: "pl-s3" } };
    const answers = {
      ...calls,
      "aws:ec2/getVpc:getVpc": { cidrBlockAssociations: [{ cidrBlock: "10.0.0.0/16" }] },
      "aws:ec2/getRouteTables:getRouteTables": { ids: ["rtb-main"] },
    };
    const recorded = await mockEngine({ calls: answers, states: { ...states, ...gateway } });
    await registered(new BackupNetwork("network", { stack: "prod", vpcId: "vpc-1", subnetIds: ["subnet-1"], ...more }));
    return groupOf(recorded);
  };

  it("leads to the endpoints alone where all are made here and tasks need nothing else", async () => {
    expect(await network({ endpoints: true, onlyAws: true })).toEqual([
      ["network-prod-endpoints-id", 443, "tcp"],
      ["pl-s3", 443, "tcp"],
    ]);
  });

  it.each([
    ["tasks need other services too", { endpoints: true }],
    ["only some endpoints are made here", { endpoints: ["s3" as const], onlyAws: true }],
    ["there are no endpoints", { onlyAws: true }],
  ])("leads everywhere where %s", async (_, more) => {
    expect(await network(more)).toEqual(everywhere);
  });

  it("leads where the setting says, whatever endpoints there are", async () => {
    const https = [
      { securityGroupId: "sg-proxy" },
      { cidr: "10.0.0.0/16" },
      { cidr: "2001:db8::/56" },
      { prefixListId: "pl-1" },
    ];
    expect((await network({ endpoints: true, onlyAws: true, https })).map(([to]) => to)).toEqual([
      "10.0.0.0/16",
      "2001:db8::/56",
      "pl-1",
      "sg-proxy",
    ]);
  });
});

describe("a VPC of its own", () => {
  it("gives each subnet a zone, a quarter of the IPv4 addresses and IPv6 addresses of its own", async () => {
    const { recorded } = await deploy({ create: { cidr: "10.9.8.0/23" } });
    const subnets = recorded.filter(({ type }) => type === "aws:ec2/subnet:Subnet").map(({ inputs }) => inputs);
    expect(subnets).toMatchObject([
      { cidrBlock: "10.9.8.0/25", ipv6CidrBlock: "2a05:d014:1:ab00::/64", availabilityZone: "eu-central-1a" },
      { cidrBlock: "10.9.8.128/25", ipv6CidrBlock: "2a05:d014:1:ab01::/64", availabilityZone: "eu-central-1b" },
    ]);
  });

  it("keeps out of zones without Fargate", async () => {
    const asked: unknown[] = [];
    await mockEngine({ calls, states, asked: (_, inputs) => asked.push(inputs) });
    await registered(new BackupNetwork("network", { stack: "prod", create: {}, excludeZoneIds: ["euc1-az3"] }));
    expect(asked).toContainEqual(expect.objectContaining({ excludeZoneIds: ["euc1-az3"] }));
  });

  it.each(["10.0.0.0/8", "10.0.0.0/27", "10.0.0.1/24", "10.0.0.256/24", "2001:db8::/56", "all"])(
    "is refused with %s",
    async (cidr) => {
      await mockEngine({ calls, states });
      expect(() => new BackupNetwork("network", { stack: "prod", create: { cidr } })).toThrow(
        `The network's cidr is "${cidr}"; expected the first address of a block and its size, /16 to /26, for instance 10.213.0.0/24.`,
      );
      await registered();
    },
  );
});

describe("BackupNetwork", () => {
  it("turns on IPv6 for tasks only where it is asked to: the setting is the whole account's", async () => {
    const watch = watchOptions();
    const recorded = await mockEngine({ calls, states });
    const args = { stack: "prod", create: {}, dualStackTasks: true };
    await registered(new BackupNetwork("network", args, watch.opts));
    const setting = recorded.find(({ type }) => type.endsWith(":AccountSettingDefault"));
    expect(setting?.inputs).toEqual({ name: "dualStackIPv6", value: "enabled" });
    expect(watch.of(setting?.name ?? "").retainOnDelete).toBe(true);
  });

  it.each<[Omit<BackupNetworkArgs, "stack">, string]>([
    [{ vpcId: "vpc-1" }, "The network has vpcId without subnetIds."],
    [{ create: {}, vpcId: "vpc-1" }, "The network has both create and an existing VPC or subnets"],
    [{ create: {}, subnetIds: ["subnet-1"] }, "The network has both create and an existing VPC or subnets"],
  ])("refuses what contradicts itself: %o", async (args, message) => {
    await mockEngine({ calls, states });
    expect(() => new BackupNetwork("network", { stack: "prod", ...args })).toThrow(message);
    await registered();
  });
});
