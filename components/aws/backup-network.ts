import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { createNetwork } from "./backup-network/create-network.ts";
import { makeEndpoints } from "./backup-network/endpoints.ts";
import { defaultVpc, existingSubnets, subnetsByTags, vpcByTags, type Place } from "./backup-network/find-network.ts";
import { fitName } from "../fit-name.ts";
import { endpointsOf, HTTPS, type DatabasePlace, type Endpoint, type HttpsPlace } from "./settings/network.ts";

/** Characters that AWS allows in a security group's name. */
const GROUP_NAME = 255;

/** Arguments of {@link BackupNetwork}: the account's default VPC, unless subnets are named or a network is to be made. */
export interface BackupNetworkArgs {
  /** The stack's name. */
  readonly stack: string;
  /** An existing VPC. Default: the one of the subnets. */
  readonly vpcId?: pulumi.Input<string> | undefined;
  /** Tags that exactly one existing VPC has, in place of `vpcId`. */
  readonly vpcTags?: Record<string, string> | undefined;
  /**
   * Existing subnets, from which the internet can be reached: through a NAT gateway, or with `assignPublicIp`. With `endpoints` it
   * need not be.
   */
  readonly subnetIds?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
  /** Tags of the existing subnets, in place of `subnetIds`: all of the VPC that have them. */
  readonly subnetTags?: Record<string, string> | undefined;
  /** Ids of zones whose subnets are not taken, of the default VPC or by tags, and in which `create` makes none. Default: none. */
  readonly excludeZoneIds?: readonly string[] | undefined;
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
   * does it too. `destroy` leaves it on, since other stacks may need it.
   */
  readonly dualStackTasks?: boolean | undefined;
  /** Existing security groups of the tasks, whose rules stay as they are. Default: one of the component's own. */
  readonly securityGroupIds?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
  /** A database's security group, which gets a rule that lets the tasks in by the first of their groups. Default: none. */
  readonly allowTo?: { readonly securityGroupId: pulumi.Input<string>; readonly port: number } | undefined;
  /** Where databases are; tasks reach the ports that are named here nowhere else. Default: those ports are open to every address. */
  readonly databases?: readonly DatabasePlace[] | undefined;
  /**
   * Whether existing subnets get endpoints of all services of AWS that tasks use, or of which. The route table of a subnet that the
   * same program makes must be known by then: take the subnet's id from its association. Default false.
   */
  readonly endpoints?: boolean | readonly Endpoint[] | undefined;
  /** Whether tasks get parameters of Systems Manager: only then `endpoints: true` makes the endpoint of `ssm`. Default true. */
  readonly parameters?: boolean | undefined;
  /** Where port 443 leads. Default: to every address, or with `onlyAws` to the endpoints. */
  readonly https?: readonly HttpsPlace[] | undefined;
  /** Whether tasks use nothing at port 443 but what `endpoints: true` makes endpoints of; it then leads to these alone. Default false. */
  readonly onlyAws?: boolean | undefined;
  /** Tags of everything that can have some. */
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * Where tasks run, and what they can reach: 443 and the databases' ports, by IPv4 and IPv6, and nothing reaches them.
 *
 * - With `databases` a database's port leads to a group or a range alone, and with `allowTo` the database lets the tasks in. So
 *   does 443 with `https`, and with `onlyAws` it leads to the endpoints that are made here.
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
  /** The tasks' security groups: the own one, or those that exist. */
  readonly securityGroupIds: pulumi.Output<string[]>;
  /** The first of them, for the rules of databases. */
  readonly securityGroupId: pulumi.Output<string>;
  readonly assignPublicIp: pulumi.Output<boolean>;

  /** @throws RunError where the arguments contradict each other */
  constructor(name: string, args: BackupNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupNetwork", name, {}, opts);
    const own = `${name}-${args.stack}`;
    const { securityGroupIds, allowTo, tags } = args;
    const found = place(own, args, this);
    const services = endpointsOf(args.endpoints, args.parameters);
    const endpoints = makeEndpoints(own, found, { stack: args.stack, services, tags }, this);
    // Of a list others exist already, whose groups are not known here.
    const https = args.https ?? (args.endpoints === true && args.onlyAws === true ? endpoints : undefined);
    this.securityGroupIds =
      securityGroupIds === undefined
        ? pulumi.all([this.#makeGroup(own, found.vpcId, { ...args, https })])
        : pulumi.output(securityGroupIds).apply((ids) => [...ids]);
    this.securityGroupId = this.securityGroupIds.apply(([first = ""]) => first);
    if (allowTo !== undefined) {
      new aws.vpc.SecurityGroupIngressRule(
        `${own}-allow-to`,
        {
          securityGroupId: allowTo.securityGroupId,
          description: `Backup tasks of the stack ${args.stack}`,
          referencedSecurityGroupId: this.securityGroupId,
          ...tcp(allowTo.port),
          tags,
        },
        { parent: this },
      );
    }
    if (args.dualStackTasks === true) {
      new aws.ecs.AccountSettingDefault(
        `${own}-dual-stack`,
        { name: "dualStackIPv6", value: "enabled" },
        // The setting is the account's: other stacks' tasks, and others' too, may have their IPv6 addresses by it.
        { parent: this, retainOnDelete: true },
      );
    }
    this.vpcId = found.vpcId;
    this.subnetIds = found.subnetIds;
    this.assignPublicIp = pulumi.output(
      args.assignPublicIp ?? (args.subnetIds === undefined && args.subnetTags === undefined),
    );
    this.registerOutputs({
      vpcId: this.vpcId,
      subnetIds: this.subnetIds,
      securityGroupId: this.securityGroupId,
      assignPublicIp: this.assignPublicIp,
    });
  }

  /** The tasks' own security group: its id. */
  #makeGroup(own: string, vpcId: pulumi.Output<string>, args: BackupNetworkArgs): pulumi.Output<string> {
    const { stack, databasePorts = [5432], providerPorts = [], databases = [], https = [], tags } = args;
    const group = new aws.ec2.SecurityGroup(
      fitName(own, GROUP_NAME),
      { description: `Backup tasks of the stack ${stack}: no way in`, vpcId, tags },
      { parent: this },
    );
    const wayOut = (name: string, port: number, description: string, to: Target) =>
      new aws.vpc.SecurityGroupEgressRule(
        `${own}-${name}`,
        { securityGroupId: group.id, description, ...tcp(port), ...to, tags },
        { parent: this },
      );
    const narrowed = new Set([...databases.map(({ port }) => port), ...https.map(() => HTTPS)]);
    for (const port of new Set([HTTPS, ...databasePorts, ...providerPorts])) {
      if (narrowed.has(port)) continue;
      const description = port === HTTPS ? "AWS, stores and monitors" : `The port ${port} of a database or a store`;
      wayOut(`${port}-ipv4`, port, description, { cidrIpv4: "0.0.0.0/0" });
      wayOut(`${port}-ipv6`, port, description, { cidrIpv6: "::/0" });
    }
    for (const [index, database] of databases.entries()) {
      wayOut(`database-${index}`, database.port, "A database", targetOf(database));
    }
    for (const [index, target] of https.entries()) {
      wayOut(`${HTTPS}-${index}`, HTTPS, "AWS, stores and monitors", targetOf(target));
    }
    return group.id;
  }
}

function tcp(port: number) {
  return { ipProtocol: "tcp", fromPort: port, toPort: port };
}

/** Where a rule leads. */
type Target = Pick<
  aws.vpc.SecurityGroupEgressRuleArgs,
  "cidrIpv4" | "cidrIpv6" | "prefixListId" | "referencedSecurityGroupId"
>;

function targetOf({ securityGroupId, cidr, prefixListId }: HttpsPlace): Target {
  if (securityGroupId !== undefined) return { referencedSecurityGroupId: securityGroupId };
  if (prefixListId !== undefined) return { prefixListId };
  const range = pulumi.output(cidr);
  const only = (ipv6: boolean) =>
    range.apply((text) => (text?.includes(":") === ipv6 ? text : undefined)) as pulumi.Output<string>;
  return { cidrIpv4: only(false), cidrIpv6: only(true) };
}

function place(name: string, args: BackupNetworkArgs, parent: pulumi.Resource): Place {
  const { vpcId, vpcTags, subnetIds, subnetTags, excludeZoneIds, create, tags } = args;
  const vpc = vpcTags === undefined ? vpcId : vpcByTags(vpcTags, parent);
  if (create !== undefined) {
    if (vpc !== undefined || subnetIds !== undefined || subnetTags !== undefined) {
      throw new pulumi.RunError("The network has both create and an existing VPC or subnets; leave one of them out.");
    }
    return createNetwork(name, { cidr: create.cidr, excludeZoneIds, tags }, parent);
  }
  if (subnetIds !== undefined) return existingSubnets(subnetIds, vpc, parent);
  if (vpc === undefined) return defaultVpc(excludeZoneIds, parent);
  if (subnetTags !== undefined) {
    const id = pulumi.output(vpc);
    return { vpcId: id, subnetIds: subnetsByTags(id, subnetTags, excludeZoneIds, parent) };
  }
  throw new pulumi.RunError(
    "The network has vpcId without subnetIds. Name the subnets: aws ec2 describe-subnets --filters Name=vpc-id,Values=<vpcId>",
  );
}
