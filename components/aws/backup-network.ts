import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { createNetwork } from "./backup-network/create-network.ts";
import { defaultVpc, existingSubnets, type Place } from "./backup-network/find-network.ts";
import { fitName } from "../fit-name.ts";

/** Characters that AWS allows in a security group's name. */
const GROUP_NAME = 255;

/** The port of AWS itself, and of every store and monitor that is a web service. */
const HTTPS = 443;

/** Arguments of {@link BackupNetwork}: the account's default VPC, unless subnets are named or a network is to be made. */
export interface BackupNetworkArgs {
  /** The stack's name. */
  readonly stack: string;
  /** An existing VPC. Default: the one of the subnets. */
  readonly vpcId?: pulumi.Input<string> | undefined;
  /** Existing subnets, from which the internet can be reached: through a NAT gateway, or with `assignPublicIp`. */
  readonly subnetIds?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
  /** Makes a small VPC with IPv4 and IPv6, without a NAT gateway. */
  readonly create?:
    { /** Its IPv4 addresses, a /16 to /26. Default 10.213.0.0/24. */ readonly cidr?: string } | undefined;
  /**
   * Whether tasks get a public IPv4 address; public subnets need it. Default: true, but false for subnets that are named. There is
   * no way in by it: the security group has no ingress.
   */
  readonly assignPublicIp?: pulumi.Input<boolean> | undefined;
  /** TCP ports of the databases, whose URLs are secrets. Default 5432. */
  readonly databasePorts?: readonly number[] | undefined;
  /** TCP ports that the jobs' other providers declare; see `jobPorts`. Default: none beside 443, which is always open. */
  readonly providerPorts?: readonly number[] | undefined;
  /**
   * Turns on the account's setting `dualStackIPv6` for this region, which ECS asks for before it gives a task an IPv6 address.
   * It is for the whole account, so default false: `aws ecs put-account-setting-default --name dualStackIPv6 --value enabled`
   * does it for good.
   */
  readonly dualStackTasks?: boolean | undefined;
  /** Tags of everything that can have some. */
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * Where tasks run, and what they can reach: 443 and the databases' ports, by IPv4 and IPv6, and nothing reaches them.
 *
 * - There is never a NAT gateway: it alone would cost ten times what all the rest does. Tasks in public subnets have a public
 *   address instead, for the minutes that they run.
 * - A Supabase project's direct host has only an IPv6 address. The network that `create` makes has IPv6, and most default VPCs
 *   have not; ECS's account setting must allow it, too: see `dualStackTasks`. By IPv4 the session pooler works everywhere.
 * - No flow logs: they would cost more than the backups, and a VPC that is shared has its owner's.
 * - A child that is renamed in a later version keeps the old name in its `aliases`.
 */
export class BackupNetwork extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Output<string>;
  readonly subnetIds: pulumi.Output<string[]>;
  readonly securityGroupId: pulumi.Output<string>;
  readonly assignPublicIp: pulumi.Output<boolean>;

  /** @throws RunError where the arguments contradict each other */
  constructor(name: string, args: BackupNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupNetwork", name, {}, opts);
    const { stack, databasePorts = [5432], providerPorts = [] } = args;
    const own = `${name}-${stack}`;
    const { tags } = args;
    const { vpcId, subnetIds } = place(own, args, this);
    const group = new aws.ec2.SecurityGroup(
      fitName(own, GROUP_NAME),
      { description: `Backup tasks of the stack ${stack}: no way in`, vpcId, tags },
      { parent: this },
    );
    for (const port of new Set([HTTPS, ...databasePorts, ...providerPorts])) {
      for (const [family, cidr] of [
        ["ipv4", { cidrIpv4: "0.0.0.0/0" }],
        ["ipv6", { cidrIpv6: "::/0" }],
      ] as const) {
        new aws.vpc.SecurityGroupEgressRule(
          `${own}-${port}-${family}`,
          {
            securityGroupId: group.id,
            description: port === HTTPS ? "AWS, stores and monitors" : `The port ${port} of a database or a store`,
            ipProtocol: "tcp",
            fromPort: port,
            toPort: port,
            ...cidr,
            tags,
          },
          { parent: this },
        );
      }
    }
    if (args.dualStackTasks === true) {
      new aws.ecs.AccountSettingDefault(
        `${own}-dual-stack`,
        { name: "dualStackIPv6", value: "enabled" },
        { parent: this },
      );
    }
    this.vpcId = vpcId;
    this.subnetIds = subnetIds;
    this.securityGroupId = group.id;
    this.assignPublicIp = pulumi.output(args.assignPublicIp ?? args.subnetIds === undefined);
    this.registerOutputs({ vpcId, subnetIds, securityGroupId: group.id, assignPublicIp: this.assignPublicIp });
  }
}

function place(name: string, args: BackupNetworkArgs, parent: pulumi.Resource): Place {
  const { vpcId, subnetIds, create, tags } = args;
  if (create !== undefined) {
    if (vpcId !== undefined || subnetIds !== undefined) {
      throw new pulumi.RunError("The network has both create and an existing VPC or subnets; leave one of them out.");
    }
    return createNetwork(name, { cidr: create.cidr, tags }, parent);
  }
  if (subnetIds !== undefined) return existingSubnets(subnetIds, vpcId, parent);
  if (vpcId !== undefined) {
    throw new pulumi.RunError(
      "The network has vpcId without subnetIds. Name the subnets: aws ec2 describe-subnets --filters Name=vpc-id,Values=<vpcId>",
    );
  }
  return defaultVpc(parent);
}
