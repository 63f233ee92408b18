import { describe, expect, it } from "vitest";
import { BackupNetwork, type BackupNetworkArgs } from "../../../components/aws/backup-network.ts";
import { mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

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

describe("a VPC of its own", () => {
  it("gives each subnet a zone, a quarter of the IPv4 addresses and IPv6 addresses of its own", async () => {
    const { recorded } = await deploy({ create: { cidr: "10.9.8.0/23" } });
    const subnets = recorded.filter(({ type }) => type === "aws:ec2/subnet:Subnet").map(({ inputs }) => inputs);
    expect(subnets).toMatchObject([
      { cidrBlock: "10.9.8.0/25", ipv6CidrBlock: "2a05:d014:1:ab00::/64", availabilityZone: "eu-central-1a" },
      { cidrBlock: "10.9.8.128/25", ipv6CidrBlock: "2a05:d014:1:ab01::/64", availabilityZone: "eu-central-1b" },
    ]);
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
    const { recorded } = await deploy({ create: {}, dualStackTasks: true });
    const setting = recorded.find(({ type }) => type.endsWith(":AccountSettingDefault"));
    expect(setting?.inputs).toEqual({ name: "dualStackIPv6", value: "enabled" });
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
