import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { answerOf } from "../answer.ts";
import { ipv4Block } from "../settings/network.ts";

/** Zones that the subnets are in: a task starts in the other one where the first is out of order. */
const ZONES = 2;

/** A block of RFC 1918 that few people use: it need not be peered with anything. */
const CIDR = "10.213.0.0/24";

/** What {@link createNetwork} makes it of. */
interface CreateNetworkArgs {
  readonly cidr: string | undefined;
  readonly excludeZoneIds: readonly string[] | undefined;
  readonly tags: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * A VPC with two public subnets of IPv4 and IPv6 addresses, a way out, and S3's gateway endpoint, which costs nothing. Nothing
 * in it costs anything while no task runs.
 *
 * @throws RunError where the addresses are none that can be halved twice
 */
export function createNetwork(name: string, args: CreateNetworkArgs, parent: pulumi.Resource) {
  const { cidr = CIDR, excludeZoneIds } = args;
  const blocks = subnetBlocks(cidr);
  const tags = pulumi.output(args.tags ?? {}).apply((all) => ({ Name: name, ...all }));
  const opts = { parent };
  const vpc = new aws.ec2.Vpc(
    name,
    {
      cidrBlock: cidr,
      assignGeneratedIpv6CidrBlock: true,
      enableDnsSupport: true,
      enableDnsHostnames: true,
      tags,
    },
    opts,
  );
  // Without rules, so that nothing that forgets to name a group is open to its neighbours.
  new aws.ec2.DefaultSecurityGroup(name, { vpcId: vpc.id, ingress: [], egress: [], tags }, opts);
  const gateway = new aws.ec2.InternetGateway(name, { vpcId: vpc.id, tags }, opts);
  const routes = new aws.ec2.RouteTable(
    name,
    {
      vpcId: vpc.id,
      routes: [
        { cidrBlock: "0.0.0.0/0", gatewayId: gateway.id },
        { ipv6CidrBlock: "::/0", gatewayId: gateway.id },
      ],
      tags,
    },
    opts,
  );
  const zones = aws.getAvailabilityZones(
    {
      state: "available",
      filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
      ...(excludeZoneIds !== undefined && { excludeZoneIds: [...excludeZoneIds] }),
    },
    { parent },
  );
  const names = pulumi.output(answerOf("the zones of the region", zones)).names;
  const subnets = blocks.map((cidrBlock, index) => {
    const subnet = new aws.ec2.Subnet(
      `${name}-${index}`,
      {
        vpcId: vpc.id,
        cidrBlock,
        ipv6CidrBlock: vpc.ipv6CidrBlock.apply((block) => ipv6Subnet(block, index)),
        assignIpv6AddressOnCreation: true,
        // A task says itself whether it gets an address.
        mapPublicIpOnLaunch: false,
        availabilityZone: names.apply((all) => [...all].sort()[index] ?? all[0] ?? ""),
        tags,
      },
      // A zone that AWS adds to the region must not move what is there.
      { ...opts, ignoreChanges: ["availabilityZone"] },
    );
    new aws.ec2.RouteTableAssociation(`${name}-${index}`, { subnetId: subnet.id, routeTableId: routes.id }, opts);
    return subnet;
  });
  const region = aws.getRegionOutput({}, { parent }).region;
  new aws.ec2.VpcEndpoint(
    `${name}-s3`,
    {
      vpcId: vpc.id,
      serviceName: pulumi.interpolate`com.amazonaws.${region}.s3`,
      vpcEndpointType: "Gateway",
      routeTableIds: [routes.id],
      tags,
    },
    opts,
  );
  return { vpcId: vpc.id, subnetIds: pulumi.all(subnets.map(({ id }) => id)) };
}

/** The first {@link ZONES} quarters of a block of IPv4 addresses. */
function subnetBlocks(cidr: string): string[] {
  const block = ipv4Block(cidr);
  if (block === undefined) {
    throw new pulumi.RunError(
      `The network's cidr is "${cidr}"; expected the first address of a block and its size, /16 to /26, for instance ${CIDR}.`,
    );
  }
  const bits = block.bits + 2;
  return Array.from({ length: ZONES }, (_, index) => {
    const first = block.first + index * 2 ** (32 - bits);
    const bytes = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256);
    return `${bytes.join(".")}/${bits}`;
  });
}

/** A /64 of the /56 that AWS gave the VPC: its last byte before the host part counts the subnets. */
function ipv6Subnet(block: string, index: number): string {
  const groups = block.replace(/::\/56$/, "").split(":");
  while (groups.length < 4) groups.push("0");
  const last = parseInt(groups[3] ?? "0", 16) + index;
  return `${[...groups.slice(0, 3), last.toString(16)].join(":")}::/64`;
}
