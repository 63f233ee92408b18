import { z } from "zod";
import type { FromJson, Later } from "../settings/later.ts";
import type { Replica } from "./backup-bucket/replica.ts";
import { ARCHITECTURES } from "./backup-image/platform.ts";
import { Size, SizeFields } from "./settings/size.ts";
import { Arn, Bucket, Key } from "./settings/bucket.ts";
import { JOB_ROLES, Roles, type JobRole, type JobRoleArns } from "./settings/roles.ts";
import { Network, type DatabasePlace, type HttpsPlace } from "./settings/network.ts";

/** The key of the tag that everything of a stack has, with the stack's name. */
export const STACK_TAG = "provision:stack";

/** The numbers of days that CloudWatch Logs can keep lines for. */
const LOG_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653,
];

const EXAMPLE_IMAGE =
  "123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

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
          .describe("The AWS CLI's profile that the image is pushed with. Default: `aws:profile`.")
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
      .enum(ARCHITECTURES)
      .default("arm64")
      .describe("The processor that the image is made for. Default arm64, which costs a fifth less."),
    size: Size.prefault({}),
    sizes: z
      .record(z.string(), z.strictObject(SizeFields).partial())
      .default({})
      .describe("Exceptions from `size`, by the name of a job.")
      .meta({ examples: [{ app: { cpu: 2_048, memory: 4_096 } }] }),
    network: Network.prefault({}).describe("Where the tasks run. Default: the account's default VPC of the region."),
    clusterArn: Arn("ecs", "the ARN of a cluster")
      .optional()
      .describe("An existing ECS cluster, which may run other tasks too. Left out: the stack makes one.")
      .meta({ examples: ["arn:aws:ecs:eu-central-1:123456789012:cluster/shared"] }),
    keyArn: Key.optional()
      .describe(
        "An existing KMS key for the stack's bucket, secrets, logs and schedules, whose policy is left unchanged. It has to allow this " +
          "account's identities through S3, Secrets Manager and EventBridge Scheduler, and CloudWatch Logs for the log groups. Left out: " +
          "the stack makes one, which only `readers` and the tasks may use.",
      )
      .meta({ examples: ["arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-0000-4000-8000-000000000000"] }),
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
            "Minutes over which starts are spread, so that not all jobs start at once; 0 for none. Default 5, because monitors wait ten.",
          ),
        maxRetries: z.int().min(0).max(185).default(3).describe("Retries of a failed start within an hour. Default 3."),
        restarts: z
          .int()
          .min(0)
          .max(3)
          .default(2)
          .describe(
            "How often a task is started again after it could not start, was killed (for instance because memory ran out) or lost its " +
              "host. A run that fails by itself is not started again. Default 2: after five minutes, and then after ten.",
          ),
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
        group: z
          .string()
          .regex(/^[\w./#-]{1,512}$/, { error: "expected the name of a log group" })
          .optional()
          .describe(
            "An existing log group for the tasks of all jobs, which is left unchanged, `retentionDays` too; its streams begin with the stack " +
              "and the job. Left out: the stack makes one for each job.",
          )
          .meta({ examples: ["/platform/backups"] }),
      })
      .prefault({})
      .describe("The tasks' log."),
    alarms: z
      .strictObject({
        emails: z
          .array(z.email({ error: "expected an e-mail address" }))
          .default([])
          .describe("E-mail addresses that get the alarms; each must confirm a mail from AWS once.")
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
          .describe("Percent by which a backup may be smaller than the one before. Default 50.")
          .meta({ examples: [50] }),
      })
      .meta({ examples: [{ emails: ["ops@example.com"] }] })
      .prefault({})
      .describe("Alarms about backups that are late, missing, failed or too small."),
    secretRecoveryDays: z
      .int()
      .min(0)
      .max(30)
      .refine((days) => days === 0 || days >= 7, { error: "expected 0, or 7 to 30" })
      .default(30)
      .describe("Days for which a removed secret can be recovered, 7 to 30; 0 removes it at once. Default 30.")
      .meta({ examples: [30] }),
    secretKeyArns: z
      .array(Key)
      .min(1)
      .optional()
      .describe(
        "KMS keys of existing secrets (`{ arn: … }`) and parameters (`{ ssm: … }`) that have one of their own. Default: none has.",
      )
      .meta({ examples: [["arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-0000-4000-8000-000000000000"]] }),
    readers: z
      .array(Arn("iam", "the ARN of a role or a user, or a pattern of it"))
      .min(1)
      .optional()
      .describe(
        "The only principals beside the tasks that may read the secrets and decrypt the backups: who deploys, who checks for drift, who " +
          "restores by hand. ARNs, in which * and ? are allowed. Default: the one that runs `pulumi up`. With several, name all.",
      )
      .meta({ examples: [["arn:aws:iam::123456789012:role/deploy", "arn:aws:iam::123456789012:role/on-call"]] }),
    holders: z
      .array(
        z.string().regex(/^arn:[\w-]+:iam::\d{12}:(root|(role|user)\/[\w+=,.@/-]+)$/, {
          error: "expected the ARN of a role, a user or an account, without patterns: arn:aws:iam::…:role/…",
        }),
      )
      .min(1)
      .optional()
      .describe(
        "Who may hold backups and release them: ARNs of roles, users or accounts. Each job gets a role for that, which they may take: the " +
          "output `jobs.<name>.roles.hold`. It reads no dump, removes nothing and shortens no lock. Default: nobody, and no such role.",
      )
      .meta({ examples: [["arn:aws:iam::123456789012:role/legal"]] }),
    roles: Roles.prefault({}).describe(
      "Existing roles, by their ARNs, whose policies are left unchanged: the outputs `policies` say what each needs. That of the " +
        "scheduler has to trust EventBridge Scheduler beforehand, that of the state machine Step Functions. Left out: the stack makes them.",
    ),
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
      .describe(
        `Tags on everything that the stack makes, in addition to \`aws:defaultTags\` and to ${STACK_TAG}, the stack's name.`,
      )
      .meta({ examples: [{ team: "platform" }] }),
  })
  .meta({ examples: [{ image: EXAMPLE_IMAGE }] });

/** The settings of the AWS target, complete; see the schema of the same name. */
export type AwsSettings = FromJson<z.output<typeof AwsSettings>>;

/** Settings in which what another resource may make is an input. */
export type MayComeLater<T extends z.input<typeof AwsSettings>> = Later<
  Omit<T, "network" | "bucket" | "alarms" | "logs" | "roles">,
  "image" | "clusterArn" | "keyArn" | "permissionsBoundary" | "secretKeyArns"
> & {
  [Key in keyof Pick<T, "network">]: LaterNetwork<NonNullable<T["network"]>>;
} & {
  [Key in keyof Pick<T, "bucket">]: LaterBucket<NonNullable<T["bucket"]>>;
} & {
  [Key in keyof Pick<T, "alarms">]: Later<NonNullable<T["alarms"]>, "topicArn">;
} & {
  [Key in keyof Pick<T, "logs">]: Later<NonNullable<T["logs"]>, "group">;
} & {
  [Key in keyof Pick<T, "roles">]: LaterRoles<NonNullable<T["roles"]>>;
};

/** A bucket that another resource may make, or copy to. */
export type LaterBucket<T extends z.input<typeof Bucket>> = Later<Omit<T, "replica">, "existing" | "keyArn"> & {
  [Key in keyof Pick<T, "replica">]: Replica;
};

/** Existing roles that another resource may make. */
export type LaterRoles<T extends z.input<typeof Roles>> = Later<
  Omit<T, "jobs">,
  JobRole | "scheduler" | "stateMachine"
> & {
  [Key in keyof Pick<T, "jobs">]: Readonly<Record<string, JobRoleArns>>;
};

/** A network in which what another resource may make is an input. */
export type LaterNetwork<T extends z.input<typeof Network>> = Later<
  Omit<T, "allowTo" | "databases" | "https">,
  "vpcId" | "subnetIds" | "securityGroupIds"
> & {
  [Key in keyof Pick<T, "allowTo">]: Later<NonNullable<T["allowTo"]>, "securityGroupId">;
} & {
  [Key in keyof Pick<T, "databases">]: readonly DatabasePlace[];
} & {
  [Key in keyof Pick<T, "https">]: readonly HttpsPlace[];
};

/** The settings of the AWS target, complete, as `AwsBackups` takes them. */
export type AwsArgs = MayComeLater<AwsSettings>;

/** The size of a job's tasks: its own where it has one, filled up with the size of all. */
export function sizeOf({ size, sizes }: Pick<AwsSettings, "size" | "sizes">, job: string): Size {
  return { ...size, ...sizes[job] };
}

/** The existing roles of a job's tasks: its own where it has one, else that of all. */
export function rolesOf({ roles: { jobs = {}, ...all } }: Pick<AwsArgs, "roles">, job: string) {
  const found = JOB_ROLES.map((role) => [role, jobs[job]?.[role] ?? all[role]] as const);
  return Object.fromEntries(found.filter(([, arn]) => arn !== undefined)) as JobRoleArns;
}
