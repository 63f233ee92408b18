import { s3Schema } from "./s3/config.ts";
import { s3Permissions } from "./s3/permissions.ts";
import { removedAtOnce, requestOf } from "./s3/stack-bucket.ts";
import { defineStorage } from "./storage.ts";

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
