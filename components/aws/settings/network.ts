import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/** The port of AWS itself, and of every store and monitor that is a web service. */
export const HTTPS = 443;

/** The services of AWS that tasks use, as the ends of their endpoints' names. All but S3 have interface endpoints. */
const ENDPOINTS = ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "sns", "kms", "s3"] as const;

/** A service of AWS that subnets without a way out can have an endpoint for. */
export type Endpoint = (typeof ENDPOINTS)[number];

const SecurityGroupId = z
  .string()
  .regex(/^sg-[0-9a-f]{8,17}$/, { error: "expected the id of a security group: sg-…" })
  .describe("The id of a security group.")
  .meta({ examples: ["sg-0a1b2c3d4e5f60718"] });

const Port = z.int().min(1).max(65_535);

const DatabasePort = Port.describe("The database's TCP port.").meta({ examples: [5432] });

const LookUpTags = z
  .record(z.string().min(1).max(128), z.string().max(256))
  .refine((tags) => Object.keys(tags).length > 0, { error: "expected one tag at least" });

const AddressRange = z.union([z.cidrv4(), z.cidrv6()]);

/** A security group or a range of addresses. */
const Place = {
  securityGroupId: SecurityGroupId.optional(),
  cidr: z
    .string()
    .refine((range) => AddressRange.safeParse(range).success, { error: "expected a range of IPv4 or IPv6 addresses" })
    .optional()
    .describe("A range of IPv4 or IPv6 addresses.")
    .meta({ examples: ["10.0.0.0/16"] }),
};

/** The databases at one security group or range of addresses. */
const Database = z
  .strictObject({ ...Place, port: DatabasePort })
  .refine(({ securityGroupId, cidr }) => (securityGroupId === undefined) !== (cidr === undefined), {
    error: "expected either securityGroupId or cidr",
  })
  .meta({ examples: [{ securityGroupId: "sg-0a1b2c3d4e5f60718", port: 5432 }] });

/** Where AWS, stores and monitors are. */
const HttpsPlace = z
  .strictObject({
    ...Place,
    prefixListId: z
      .string()
      .regex(/^pl-[0-9a-f]{8,17}$/, { error: "expected the id of a prefix list: pl-…" })
      .optional()
      .describe("A prefix list: named addresses, such as those of S3 in the region.")
      .meta({ examples: ["pl-0a1b2c3d"] }),
  })
  .refine((place) => Object.values(place).filter((value) => value !== undefined).length === 1, {
    error: "expected one of securityGroupId, cidr and prefixListId",
  })
  .meta({ examples: [{ cidr: "10.0.0.0/16" }] });

/** Where tasks run, as `provision:aws.network`. */
export const Network = z
  .strictObject({
    vpcId: z
      .string()
      .regex(/^vpc-[0-9a-f]{8,17}$/, { error: "expected the id of a VPC: vpc-…" })
      .optional()
      .describe("An existing VPC. Left out, with `create` left out too: the account's default VPC of the region.")
      .meta({ examples: ["vpc-0a1b2c3d4e5f60718"] }),
    vpcTags: LookUpTags.optional()
      .describe("Tags by which the existing VPC is found, in place of `vpcId`. Exactly one may have them all.")
      .meta({ examples: [{ Name: "main" }] }),
    subnetIds: z
      .array(z.string().regex(/^subnet-[0-9a-f]{8,17}$/, { error: "expected the id of a subnet: subnet-…" }))
      .min(1)
      .optional()
      .describe("Its subnets in which the tasks may run. They need a way to the database, to AWS and to the stores.")
      .meta({ examples: [["subnet-0a1b2c3d4e5f60718"]] }),
    subnetTags: LookUpTags.optional()
      .describe("Tags by which the VPC's subnets are found, in place of `subnetIds`: all that have them.")
      .meta({ examples: [{ tier: "private" }] }),
    excludeZoneIds: z
      .array(
        z.string().regex(/^[a-z]+\d+(-[a-z0-9]+)*-az\d+$/, { error: "expected the id of a zone, such as use1-az3" }),
      )
      .min(1)
      .optional()
      .describe(
        "Availability zones without Fargate, by their ids, which mean the same in every account. Their subnets are taken neither from " +
          "the default VPC nor by tags, and `create` makes none there. Default: none.",
      )
      .meta({ examples: [["use1-az3"]] }),
    assignPublicIp: z
      .boolean()
      .optional()
      .describe(
        "Whether tasks get a public IPv4 address, which a public subnet needs to reach anything without a NAT gateway. Default: " +
          "true in the default VPC and in one of the stack's own, false in existing subnets.",
      ),
    create: z
      .strictObject({
        cidr: z
          .string()
          .refine((cidr) => ipv4Block(cidr) !== undefined, {
            error: "expected the first address of an IPv4 range with a prefix of 16 to 26 bits",
          })
          .optional()
          .describe("Its IPv4 range. Default 10.213.0.0/24.")
          .meta({ examples: ["10.213.0.0/24"] }),
      })
      .optional()
      .describe("Makes a small VPC for the stack with public subnets, IPv4 and IPv6, and no NAT gateway."),
    dualStackTasks: z
      .boolean()
      .default(false)
      .describe(
        "Turns on the account's setting dualStackIPv6 of ECS, for the whole account and region: tasks then get an IPv6 address, " +
          "which Supabase's direct hosts need. It stays on when the stack is destroyed. Default false.",
      ),
    securityGroupIds: z
      .array(SecurityGroupId)
      .min(1)
      .max(5)
      .optional()
      .describe(
        "Existing security groups of the tasks, at most five, whose rules are left unchanged. Default: one of the stack's own without a " +
          "way in, whose id is the output securityGroupId.",
      )
      .meta({ examples: [["sg-0a1b2c3d4e5f60718"]] }),
    allowTo: z
      .strictObject({ securityGroupId: SecurityGroupId, port: DatabasePort })
      .optional()
      .describe(
        "Adds a rule to the security group of a database that lets the tasks in, by the first of their security groups. Default: none.",
      )
      .meta({ examples: [{ securityGroupId: "sg-0a1b2c3d4e5f60718", port: 5432 }] }),
    databases: z
      .array(Database)
      .min(1)
      .optional()
      .describe(
        "Where the databases are. Tasks then reach the ports that are named here only at these addresses. Default: they reach those " +
          "ports at every address.",
      )
      .meta({ examples: [[{ securityGroupId: "sg-0a1b2c3d4e5f60718", port: 5432 }]] }),
    ports: z
      .array(Port)
      .min(1)
      .optional()
      .describe(
        "Further TCP ports that tasks may reach. Without any: 443 and those that the jobs' kinds of database and store use, such " +
          "as 5432. A port in a database's URL is not among them, since the URL is a secret.",
      )
      .meta({ examples: [[6432]] }),
    https: z
      .array(HttpsPlace)
      .min(1)
      .optional()
      .describe(
        `Where port ${HTTPS} leads: AWS's services or their endpoints, other stores and monitors. Default: to every address; with ` +
          "`endpoints: true` and jobs that store in the stack's bucket alone and have no monitors, to the endpoints alone.",
      )
      .meta({ examples: [[{ cidr: "10.0.0.0/16" }, { prefixListId: "pl-0a1b2c3d" }]] }),
    endpoints: z
      .union([z.boolean(), z.array(z.enum(ENDPOINTS)).min(1)], {
        error: `expected true, false, or a list of ${ENDPOINTS.join(", ")}`,
      })
      .optional()
      .describe(
        "Makes endpoints of AWS's services for existing subnets without a way out. true: all that the jobs use. A list: only those, " +
          "where the VPC has the others already. An interface endpoint costs some 7 USD a month and zone; that of s3, a gateway, costs nothing. The VPC needs " +
          "DNS support and DNS hostnames. Default false.",
      )
      .meta({ examples: [true] }),
  })
  .refine(({ vpcId, vpcTags }) => vpcId === undefined || vpcTags === undefined, {
    error: "expected the VPC by vpcId or by vpcTags, not both",
  })
  .refine(({ subnetIds, subnetTags }) => subnetIds === undefined || subnetTags === undefined, {
    error: "expected the subnets by subnetIds or by subnetTags, not both",
  })
  .refine((network) => hasVpc(network) === hasSubnets(network), {
    error: "expected both a VPC (vpcId or vpcTags) and its subnets (subnetIds or subnetTags), or neither",
  })
  .refine((network) => !hasVpc(network) || network.create === undefined, {
    error: "expected an existing VPC (vpcId and subnetIds) or one to create, not both",
  })
  .refine(({ subnetIds, excludeZoneIds }) => subnetIds === undefined || excludeZoneIds === undefined, {
    error: "expected subnetIds without excludeZoneIds: leave out the ids of subnets in those zones",
  })
  .refine((network) => endpointsOf(network.endpoints).length === 0 || hasSubnets(network), {
    error: "expected subnetIds or subnetTags with endpoints: the default VPC and one to create have a way out",
  })
  .refine(
    ({ securityGroupIds, databases, ports, https }) =>
      securityGroupIds === undefined || [databases, ports, https].every((rules) => rules === undefined),
    {
      error:
        "expected securityGroupIds without ports, databases and https, which are rules of the stack's own security group",
    },
  )
  .refine(({ databases = [] }) => databases.every(({ port }) => port !== HTTPS), {
    error: `expected databases at other ports than ${HTTPS}, by which tasks reach AWS`,
  })
  .meta({ examples: [{ vpcId: "vpc-0a1b2c3d4e5f60718", subnetIds: ["subnet-0a1b2c3d4e5f60718"] }] });

/** Whether a network names an existing VPC. */
function hasVpc({ vpcId, vpcTags }: { vpcId?: unknown; vpcTags?: unknown }): boolean {
  return vpcId !== undefined || vpcTags !== undefined;
}

/** Whether a network names existing subnets. */
function hasSubnets({ subnetIds, subnetTags }: { subnetIds?: unknown; subnetTags?: unknown }): boolean {
  return subnetIds !== undefined || subnetTags !== undefined;
}

/**
 * The services that the setting `endpoints` means.
 *
 * @param parameters whether tasks get parameters of Systems Manager
 */
export function endpointsOf(setting: boolean | readonly Endpoint[] = [], parameters = true): readonly Endpoint[] {
  if (typeof setting !== "boolean") return setting;
  return setting ? ENDPOINTS.filter((service) => service !== "ssm" || parameters) : [];
}

/** Either a security group or a range of addresses. */
interface NetworkPlace {
  /** The id of a security group. */
  readonly securityGroupId?: pulumi.Input<string> | undefined;
  /** A range of IPv4 or IPv6 addresses. */
  readonly cidr?: pulumi.Input<string> | undefined;
}

/** Where databases are. */
export interface DatabasePlace extends NetworkPlace {
  /** The TCP port, another than 443. */
  readonly port: number;
}

/** Where AWS, stores and monitors are: one of the three. */
export interface HttpsPlace extends NetworkPlace {
  /** The id of a prefix list. */
  readonly prefixListId?: pulumi.Input<string> | undefined;
}

/** A block of IPv4 addresses. */
export interface Ipv4Block {
  /** Its first address as a number. */
  readonly first: number;
  /** The bits that all of its addresses share. */
  readonly bits: number;
}

/**
 * Reads a block that can be a VPC's with two subnets: its first address and its size, /16 to /26, as in `10.213.0.0/24`. AWS has no
 * larger VPC, and no subnet smaller than /28.
 *
 * @returns undefined where the text is none, an address within a block included
 */
export function ipv4Block(cidr: string): Ipv4Block | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (match === null) return undefined;
  const [bits = 0, ...bytes] = match.slice(1).map(Number).reverse();
  if (Math.max(...bytes) > 255 || bits < 16 || bits > 26) return undefined;
  const first = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return first % 2 ** (32 - bits) === 0 ? { first, bits } : undefined;
}
