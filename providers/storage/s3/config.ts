import { z } from "zod";
import { retryFields } from "../../retry.ts";
import { SecretRef } from "../../fields/secret-ref.ts";
import { storageFields } from "../storage.ts";
import type { ObjectHeaders } from "./upload-plan.ts";

const DAY_MS = 86_400_000;

/** The configuration of a destination of kind s3. */
export const s3Schema = z
  .strictObject({
    kind: z.literal("s3").describe("A bucket of Amazon S3, or of any service that speaks its protocol."),
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
        error: "expected a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-'",
      })
      .optional()
      .describe("Name of the bucket. Left out: a bucket of the stack's own on the target `aws`.")
      .meta({ examples: ["acme-backups"] }),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/, { error: "expected the name of a region, such as eu-central-1" })
      .optional()
      .describe(
        "Region of the bucket. Default: AWS_REGION or the profile of the runner; us-east-1 where there is an endpoint.",
      )
      .meta({ examples: ["eu-central-1"] }),
    endpoint: z
      .string()
      .regex(/^https?:\/\/[^\s/?#@]+\/?$/, {
        error: "expected http:// or https:// and a host, without a path, a user or a password",
      })
      .optional()
      .describe("URL of a service other than Amazon's that speaks its protocol.")
      .meta({ examples: ["https://minio.example.com:9000"] }),
    forcePathStyle: z
      .boolean()
      .optional()
      .describe("Put the bucket into the path instead of the host name. Default: true where there is an endpoint."),
    accessKeyId: SecretRef.optional().describe(
      "Id of the access key, together with secretAccessKey. Default for both: the runner's AWS credentials, such as the " +
        "role of its task.",
    ),
    secretAccessKey: SecretRef.optional().describe("The access key's secret."),
    sse: z
      .union([
        z.literal("AES256"),
        z.strictObject({
          kmsKeyId: z
            .string()
            .min(1)
            .describe("Id, ARN or alias of the KMS key.")
            .meta({ examples: ["alias/backups"] }),
        }),
      ])
      .optional()
      .describe(
        "Encryption by the store: with a KMS key, or AES256 for keys of S3's own. Default: what the bucket says.",
      ),
    storageClass: z
      .enum(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"])
      .optional()
      .describe(
        "Storage class. Default: the bucket's. Only such as can be read at once, because backups are verified.",
      ),
    objectLock: z
      .strictObject({
        mode: z
          .enum(["governance", "compliance"])
          .describe(
            "governance: only holders of a special permission may remove it. compliance: nobody may, not even the account's owner.",
          ),
        days: z
          .int()
          .min(1)
          .max(36_500)
          .describe("Days for which nothing can be removed.")
          .meta({ examples: [30] }),
      })
      .optional()
      .describe("Locks each object against removal. The bucket must have Object Lock. Default: what the bucket says."),
    removeVersions: z
      .boolean()
      .default(false)
      .describe(
        "On a bucket with versions, remove all versions of what is removed. Default false: removing only hides objects, and " +
          "a lifecycle rule of the bucket must end their versions.",
      ),
    partSizeMiB: z
      .int()
      .min(5)
      .max(5_120)
      .default(8)
      .describe(
        "Minimum size in MiB of the parts of a large object. Grows for databases above about 40 GiB, because S3 takes 10,000 " +
          "parts. Four parts are in memory, or two where four are more than 64 MiB. Default 8.",
      )
      .meta({ examples: [16] }),
    ...storageFields,
    ...retryFields,
  })
  .refine(({ accessKeyId, secretAccessKey }) => (accessKeyId === undefined) === (secretAccessKey === undefined), {
    error: "expected both accessKeyId and secretAccessKey, or neither",
  });

/** A destination of kind s3. */
export type S3Config = z.output<typeof s3Schema>;

/** What the configuration says of how objects are stored. */
export function objectHeaders({ sse, storageClass, objectLock }: S3Config): ObjectHeaders {
  return {
    ...(sse === "AES256" && { ServerSideEncryption: sse }),
    ...(typeof sse === "object" && { ServerSideEncryption: "aws:kms", SSEKMSKeyId: sse.kmsKeyId }),
    ...(storageClass !== undefined && { StorageClass: storageClass }),
    ...(objectLock !== undefined && {
      ObjectLockMode: objectLock.mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
      ObjectLockRetainUntilDate: new Date(Date.now() + objectLock.days * DAY_MS),
    }),
  };
}
