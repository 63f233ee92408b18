import { s3Schema } from "./s3/config.ts";
import { s3Permissions } from "./s3/permissions.ts";
import { defineStorage, type BucketRequest } from "./storage.ts";
import { ProviderError } from "../errors.ts";

/** What of a configuration matters for the bucket of a stack. */
interface Settings {
  readonly bucket?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly accessKeyId?: object | undefined;
  readonly sse?: string | object | undefined;
  readonly objectLock?: { readonly mode: "governance" | "compliance"; readonly days: number } | undefined;
  readonly removeVersions: boolean;
}

/** What a configuration without a bucket asks of the one that the target `aws` makes; undefined for one with a bucket. */
function requestOf(config: Settings): BucketRequest | undefined {
  if (config.bucket !== undefined) return undefined;
  const { sse, removeVersions, objectLock } = config;
  const fields = ["endpoint", "region", "accessKeyId"] as const;
  return { meaningless: fields.filter((field) => config[field] !== undefined), sse, removeVersions, objectLock };
}

/** See `StorageDefinition.removedAtOnce`. */
function removedAtOnce({ objectLock, removeVersions }: Settings): string | undefined {
  if (objectLock === undefined) return undefined;
  if (removeVersions) {
    throw new ProviderError(
      "CONFIG",
      `It was removed, although objectLock asks for a lock of ${objectLock.days} days.`,
      {
        fix: "Use a bucket with Object Lock, with a service that honours it, or remove objectLock of the destination.",
      },
    );
  }
  return `it was hidden; the lock keeps its version for ${objectLock.days} days`;
}

/** Keeps objects in a bucket of Amazon S3, or of any service that speaks its protocol. */
export const s3 = defineStorage({
  schema: s3Schema,
  asks: ["bucket", "region", "endpoint"],
  secrets: ["accessKeyId", "secretAccessKey"],
  permissions: s3Permissions,
  place: ({ endpoint, bucket, prefix }) => [endpoint, bucket, prefix],
  stackBucket: {
    request: requestOf,
    use: (config, { name, keyArn }) => ({
      ...(keyArn !== undefined && { sse: { kmsKeyId: keyArn } }),
      ...config,
      bucket: name,
    }),
  },
  removedAtOnce,
  lockDays: ({ objectLock }) => objectLock?.days,
  ports({ endpoint }) {
    const port = endpoint === undefined ? "" : new URL(endpoint).port;
    return port === "" ? [endpoint?.startsWith("http:") === true ? 80 : 443] : [Number(port)];
  },
  create: async (config, { secrets }) => (await import("./s3/store.ts")).openS3(config, secrets),
});
