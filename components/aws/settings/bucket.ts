import { z } from "zod";

const Region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, {
  error: "expected the name of a region, such as eu-central-1",
});

const BucketName = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
  error: "expected a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-'",
});

/** The ARN of something of a service, which `what` names. */
export const Arn = (service: string, what: string) =>
  z.string().regex(new RegExp(`^arn:[\\w-]+:${service}:`), { error: `expected ${what}: arn:aws:${service}:…` });

/** The ARN of a KMS key. */
export const Key = Arn("kms", "the ARN of a KMS key");

const ObjectLock = z
  .strictObject({
    mode: z
      .enum(["governance", "compliance"])
      .default("governance")
      .describe(
        "governance: principals with a special permission can remove a locked backup. compliance: nobody can, not even the " +
          "account's owner. Default governance.",
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
      .describe("With compliance mode: true, because nobody can undo it.")
      .meta({ examples: [true] }),
  })
  .meta({ examples: [{ mode: "governance", days: 14 }] });

const Transition = z.strictObject({
  storageClass: z
    .enum(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"])
    .describe("The class. Only those that can be read at once, because backups are verified and restored.")
    .meta({ examples: ["GLACIER_IR"] }),
  afterDays: z
    .int()
    .min(0)
    .max(36_500)
    .describe("Days after writing; at least 30 for STANDARD_IA and ONEZONE_IA.")
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
          .describe("The bucket's account, if it is another one; it then owns the copies.")
          .meta({ examples: ["210987654321"] }),
      }),
    ],
    { error: "expected either region, or bucketArn and keyArn of an existing bucket" },
  )
  .meta({ examples: [{ region: "eu-west-1" }] });

/** The stack's bucket, as `provision:aws.bucket`. */
export const Bucket = z
  .strictObject({
    existing: BucketName.optional()
      .describe(
        "Name of an existing bucket in this region, which is left unchanged. It must send its events " +
          "to EventBridge for the alarms. Left out: the stack makes one.",
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
        "Locks every backup against removal, or off. A lock can be added at any time and never removed. " +
          "Default: governance, for as long as every backup is kept anyway, at most 30 days.",
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
        "Refuses every change that removes or replaces the bucket, its replica or their keys, `pulumi destroy` included. " +
          "Default false: `pulumi destroy` leaves them.",
      ),
    removeOnDestroy: z
      .boolean()
      .default(false)
      .describe("Whether `pulumi destroy` removes the bucket with all backups; needs confirmRemoval. Default false."),
    confirmRemoval: z
      .string()
      .optional()
      .describe("With removeOnDestroy: the stack's name.")
      .meta({ examples: ["dev"] }),
  })
  .refine(({ existing, keyArn }) => existing !== undefined || keyArn === undefined, {
    error: "expected keyArn beside existing alone, since a bucket that the stack makes has the stack's key",
  })
  .meta({ examples: [{ objectLock: { days: 14 } }] });
