import { z } from "zod";
import { ipv4Block } from "./backup-network/ipv4-block.ts";
import { fargateMemories } from "./backup-runner/task-size.ts";

/** The numbers of days that CloudWatch Logs can keep lines for. */
const LOG_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653,
];

const EXAMPLE_IMAGE =
  "123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const Region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, {
  error: "expected the name of a region, such as eu-central-1",
});

const BucketName = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
  error: "expected a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-'",
});

/** What a task of a job gets from Fargate. */
const SizeFields = {
  cpu: z
    .int()
    .refine((cpu) => fargateMemories.has(cpu), { error: `expected one of ${[...fargateMemories.keys()].join(", ")}` })
    .describe("CPU units, 1024 for one vCPU.")
    .meta({ examples: [1_024] }),
  memory: z
    .int()
    .min(512)
    .max(122_880)
    .describe("Memory in MiB. A run needs less than 300 whatever the database weighs.")
    .meta({ examples: [2_048] }),
  scratchGiB: z
    .int()
    .min(21)
    .max(200)
    .optional()
    .describe(
      "Scratch space in GiB, 21 to 200, for restores with `--jobs` and for a database with `jobs`. Default: the 20 GiB that cost nothing; other backups need none.",
    )
    .meta({ examples: [50] }),
};

/** The size of every job that has none of its own. */
const Size = z
  .strictObject({ ...SizeFields, cpu: SizeFields.cpu.default(1_024), memory: SizeFields.memory.default(2_048) })
  .describe("The size of the tasks. Default: 1024 CPU units, which are one vCPU, and 2048 MiB.");

const Network = z
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
      .describe("Makes a small VPC for the stack: public subnets, IPv4 and IPv6, no NAT gateway."),
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

const Arn = (service: string, what: string) =>
  z.string().regex(new RegExp(`^arn:[\\w-]+:${service}:`), { error: `expected ${what}: arn:aws:${service}:…` });

const Key = Arn("kms", "the ARN of a KMS key");

const ObjectLock = z
  .strictObject({
    mode: z
      .enum(["governance", "compliance"])
      .default("governance")
      .describe(
        "governance: who has a special permission may remove a locked backup. compliance: nobody may, the account's owner " +
          "included, and nothing shortens it. Default governance.",
      ),
    days: z
      .int()
      .min(1)
      .max(36_500)
      .describe("Days for which a new backup cannot be removed.")
      .meta({ examples: [14] }),
    confirmCompliance: z
      .boolean()
      .optional()
      .describe("For compliance mode alone: true, since nobody can take that back.")
      .meta({ examples: [true] }),
  })
  .meta({ examples: [{ mode: "governance", days: 14 }] });

const Transition = z.strictObject({
  storageClass: z
    .enum(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"])
    .describe("The class; only such as can be read at once, because backups are verified and restored.")
    .meta({ examples: ["GLACIER_IR"] }),
  afterDays: z
    .int()
    .min(0)
    .max(36_500)
    .describe("Days after writing; S3 wants 30 at least for STANDARD_IA and ONEZONE_IA.")
    .meta({ examples: [30] }),
});

const Replica = z
  .union(
    [
      z.strictObject({
        region: Region.describe(
          "Makes the second bucket in this other region of the account, with a key of its own there.",
        ).meta({ examples: ["eu-west-1"] }),
      }),
      z.strictObject({
        bucketArn: Arn("s3", "the ARN of a bucket")
          .describe("An existing bucket with versions, in another region or account.")
          .meta({ examples: ["arn:aws:s3:::acme-vault"] }),
        keyArn: Key.describe("The KMS key of that bucket.").meta({
          examples: ["arn:aws:kms:eu-west-1:210987654321:key/1a2b3c4d-0000-4000-8000-000000000000"],
        }),
        accountId: z
          .string()
          .regex(/^\d{12}$/, { error: "expected the twelve digits of an account, in quotes" })
          .optional()
          .describe("The account of that bucket, where it is another one: the copies then belong to it.")
          .meta({ examples: ["210987654321"] }),
      }),
    ],
    { error: "expected either region, or bucketArn and keyArn of an existing bucket" },
  )
  .meta({ examples: [{ region: "eu-west-1" }] });

const Bucket = z
  .strictObject({
    existing: BucketName.optional()
      .describe(
        "Name of a bucket that exists already, in this region; nothing of it is changed. For the alarms it must send its events " +
          "to EventBridge. Left out: the stack makes one.",
      )
      .meta({ examples: ["acme-backups"] }),
    keyArn: Key.optional()
      .describe("The KMS key of the existing bucket. Default: the bucket decides, and tasks get no key.")
      .meta({ examples: ["arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-0000-4000-8000-000000000000"] }),
    objectLock: z
      .union([z.literal("off"), ObjectLock], {
        error: 'expected "off", or an object with mode and days',
      })
      .optional()
      .describe(
        "Locks every backup against removal, or off. A bucket gets a lock at any time and never loses it: off is refused then. " +
          "Default: governance, for as long as every backup is kept anyway, 30 days at most.",
      )
      .meta({ examples: [{ mode: "governance", days: 14 }] }),
    transitions: z
      .array(Transition)
      .min(1)
      .optional()
      .describe("Cheaper storage classes by age. Default: none.")
      .meta({ examples: [[{ storageClass: "GLACIER_IR", afterDays: 30 }]] }),
    accessLogs: z
      .strictObject({
        retentionDays: z.int().min(1).max(36_500).optional().describe("Days for which the logs are kept. Default 365."),
      })
      .optional()
      .describe("Logs every access into a bucket of its own; `{}` is enough. Default: no log.")
      .meta({ examples: [{ retentionDays: 365 }] }),
    replica: Replica.optional().describe(
      "Keeps a second copy of every backup in another region or account. Default: none.",
    ),
    breakGlass: z
      .array(Arn("iam", "the ARN of a role or a pattern of it"))
      .min(1)
      .optional()
      .describe(
        "The only principals that may remove versions of backups, locked ones included: ARNs, in which * and ? are allowed. " +
          "Default: nobody.",
      )
      .meta({ examples: [["arn:aws:iam::123456789012:role/break-glass"]] }),
    protect: z
      .boolean()
      .default(false)
      .describe(
        "Refuses whatever would remove or replace the bucket, its replica or their keys, `pulumi destroy` included, until it is " +
          "false again. Default false: `pulumi destroy` leaves them where they are.",
      ),
    removeOnDestroy: z
      .boolean()
      .default(false)
      .describe(
        "Whether `pulumi destroy` removes the bucket with all backups in it; confirmRemoval must say so too. Default false.",
      ),
    confirmRemoval: z
      .string()
      .optional()
      .describe("For removeOnDestroy alone: the stack's name.")
      .meta({ examples: ["dev"] }),
  })
  .refine(({ existing, keyArn }) => existing !== undefined || keyArn === undefined, {
    error: "expected keyArn beside existing alone, since a bucket that the stack makes has the stack's key",
  })
  .meta({ examples: [{ objectLock: { days: 14 } }] });

/** What a person writes in `provision:aws`. */
export const AwsSettings = z
  .strictObject({
    image: z
      .string()
      .optional()
      .describe(
        "The runner's image with its digest, built by CI and promoted from stack to stack unchanged. Either this or `build`.",
      )
      .meta({ examples: [EXAMPLE_IMAGE] }),
    build: z
      .strictObject({
        baseImage: z
          .string()
          .min(1)
          .optional()
          .describe("The Debian to build on, best with its digest. Default: the Dockerfile's.")
          .meta({ examples: ["debian:trixie-slim"] }),
        profile: z
          .string()
          .min(1)
          .optional()
          .describe("The AWS CLI's profile that the image is pushed with. Default: the provider's.")
          .meta({ examples: ["deploy"] }),
        keepImages: z
          .int()
          .min(1)
          .max(1_000)
          .optional()
          .describe("How many images the repository keeps. Default 50.")
          .meta({ examples: [50] }),
      })
      .optional()
      .describe(
        "Builds the image on this machine with Docker and pushes it to a repository of the stack; `{}` is enough. Nothing is built " +
          "where the repository has it already.",
      )
      .meta({ examples: [{ keepImages: 50 }] }),
    architecture: z
      .enum(["arm64", "x86_64"])
      .default("arm64")
      .describe("The processor that the image is made for. Default arm64, which costs a fifth less."),
    size: Size.prefault({}),
    sizes: z
      .record(z.string(), z.strictObject(SizeFields).partial())
      .default({})
      .describe("Exceptions from `size`, by the name of a job.")
      .meta({ examples: [{ app: { cpu: 2_048, memory: 4_096 } }] }),
    network: Network.prefault({}).describe("Where the tasks run. Default: the account's default VPC of the region."),
    bucket: Bucket.prefault({}).describe("Where destinations `{ kind: s3 }` without a bucket keep their backups."),
    schedules: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe("Whether the schedules start anything; false stops the alarms on late backups too. Default true."),
        flexibleMinutes: z
          .int()
          .min(0)
          .max(1_440)
          .default(5)
          .describe(
            "Minutes by which a start may be late, so that not all jobs start at once. Default 5, since a monitor waits ten; 0 for none.",
          ),
        maxRetries: z
          .int()
          .min(0)
          .max(185)
          .default(3)
          .describe("How often a start that failed is tried again within an hour. Default 3."),
      })
      .prefault({})
      .describe("How EventBridge Scheduler starts the tasks."),
    logs: z
      .strictObject({
        retentionDays: z
          .int()
          .refine((days) => LOG_DAYS.includes(days), { error: `expected one of ${LOG_DAYS.join(", ")}` })
          .default(365)
          .describe("Days for which CloudWatch keeps the tasks' log. Default 365.")
          .meta({ examples: [365] }),
      })
      .prefault({})
      .describe("The tasks' log."),
    alarms: z
      .strictObject({
        emails: z
          .array(z.email({ error: "expected an e-mail address" }))
          .default([])
          .describe("Who gets the alarms; each must confirm a mail from AWS once.")
          .meta({ examples: [["ops@example.com"]] }),
        topicArn: z
          .string()
          .regex(/^arn:[\w-]+:sns:[a-z0-9-]+:\d{12}:[\w-]+$/, { error: "expected the ARN of a topic: arn:aws:sns:…" })
          .optional()
          .describe(
            "An existing SNS topic for the alarms, to which CloudWatch and EventBridge may publish. Left out: the stack makes one.",
          )
          .meta({ examples: ["arn:aws:sns:us-east-1:123456789012:ops"] }),
        graceHours: z
          .number()
          .min(1)
          .max(144)
          .default(3)
          .describe("Hours that a backup may be late. Default 3.")
          .meta({ examples: [3] }),
        shrinkPercent: z
          .number()
          .min(1)
          .max(99)
          .default(50)
          .describe("Percents by which a backup may be smaller than the one before it. Default 50.")
          .meta({ examples: [50] }),
      })
      .meta({ examples: [{ emails: ["ops@example.com"] }] })
      .prefault({})
      .describe("Who is told when a backup did not happen or went wrong."),
    secretRecoveryDays: z
      .int()
      .min(0)
      .max(30)
      .refine((days) => days === 0 || days >= 7, { error: "expected 0, or 7 to 30" })
      .default(30)
      .describe(
        "Days for which a removed secret can be recovered, 7 to 30. With 0 it is gone at once, for stacks that come and go. " +
          "Default 30.",
      )
      .meta({ examples: [30] }),
    secretKeyArns: z
      .array(Key)
      .min(1)
      .optional()
      .describe("KMS keys of existing secrets (`{ arn: … }`) that have one of their own. Default: none has.")
      .meta({ examples: [["arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-0000-4000-8000-000000000000"]] }),
    permissionsBoundary: z
      .string()
      .regex(/^arn:[\w-]+:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/, {
        error: "expected the ARN of a policy: arn:aws:iam::…:policy/…",
      })
      .optional()
      .describe("A managed policy that bounds every role of the stack. Default: none.")
      .meta({ examples: ["arn:aws:iam::123456789012:policy/boundary"] }),
    rolePath: z
      .string()
      .regex(/^\/([\w+=,.@-]+\/)*$/, { error: "expected a path that begins and ends with '/'" })
      .optional()
      .describe("The path of every role of the stack. Default /.")
      .meta({ examples: ["/backup/"] }),
    tags: z
      .record(z.string().min(1).max(128), z.string().max(256))
      .default({})
      .describe("Tags for everything that the stack makes, beside those of `aws:defaultTags`.")
      .meta({ examples: [{ team: "platform" }] }),
  })
  .meta({ examples: [{ image: EXAMPLE_IMAGE }] });

/** Zod's types allow undefined wherever a field may be left out, but what was JSON holds none. */
type FromJson<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Key in keyof T]: FromJson<Exclude<T[Key], undefined>> }
    : T;

/** The settings of the AWS target, complete; see the schema of the same name. */
export type AwsSettings = FromJson<z.output<typeof AwsSettings>>;

/** The size of a job's tasks, complete. */
export type JobSize = AwsSettings["size"];

/** The size of a job's tasks: its own where it has one, filled up with the size of all. */
export function sizeOf(settings: AwsSettings, job: string): JobSize {
  return { ...settings.size, ...settings.sizes[job] };
}

/** Why Fargate does not offer a size, with memory that it does offer; undefined where there is nothing wrong. */
export function wrongSize({ cpu, memory }: JobSize): { readonly message: string; readonly memory: number } | undefined {
  const offered = fargateMemories.get(cpu) ?? [];
  if (offered.includes(memory)) return undefined;
  const [least = 0, second = 0] = offered;
  const most = offered.at(-1) ?? 0;
  const choice = offered.length < 5 ? offered.join(", ") : `${least} to ${most} in steps of ${second - least}`;
  const message = `Fargate has no ${memory} MiB of memory with ${cpu} CPU units; it has ${choice}`;
  return { message, memory: offered.find((each) => each > memory) ?? offered.at(-1) ?? memory };
}
