import { z } from "zod";

/** Where tasks run, as `provision:aws.network`. */
export const Network = z
  .strictObject({
    vpcId: z
      .string()
      .regex(/^vpc-[0-9a-f]{8,17}$/, { error: "expected the id of a VPC: vpc-…" })
      .optional()
      .describe("An existing VPC. Left out, with `create` left out too: the account's default VPC of the region.")
      .meta({ examples: ["vpc-0a1b2c3d4e5f60718"] }),
    subnetIds: z
      .array(z.string().regex(/^subnet-[0-9a-f]{8,17}$/, { error: "expected the id of a subnet: subnet-…" }))
      .min(1)
      .optional()
      .describe("Its subnets in which the tasks may run. They need a way to the database, to AWS and to the stores.")
      .meta({ examples: [["subnet-0a1b2c3d4e5f60718"]] }),
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
          "which Supabase's direct hosts need. Default false.",
      ),
    ports: z
      .array(z.int().min(1).max(65_535))
      .min(1)
      .optional()
      .describe(
        "Further TCP ports that tasks may reach. Without any: 443 and those that the jobs' kinds of database and store use, such " +
          "as 5432. A port in a database's URL is not among them, since the URL is a secret.",
      )
      .meta({ examples: [[6432]] }),
  })
  .refine(({ vpcId, subnetIds }) => (vpcId === undefined) === (subnetIds === undefined), {
    error: "expected both vpcId and subnetIds, or neither",
  })
  .refine(({ vpcId, create }) => vpcId === undefined || create === undefined, {
    error: "expected an existing VPC (vpcId and subnetIds) or one to create, not both",
  })
  .meta({ examples: [{ vpcId: "vpc-0a1b2c3d4e5f60718", subnetIds: ["subnet-0a1b2c3d4e5f60718"] }] });

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
