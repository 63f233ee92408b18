import { ProviderError } from "../../errors.ts";
import type { S3Service } from "./service.ts";

/** Requests that are made at the same time. */
const PARALLEL = 16;

/**
 * Puts a legal hold on objects, or takes it off: Object Lock's lock without an end, on the version that is the newest now.
 *
 * @returns false where the bucket has no Object Lock, and nothing was done
 */
export async function setLegalHold(
  service: S3Service,
  paths: readonly string[],
  held: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (!(await hasObjectLock(service, signal))) return false;
  const { bucket } = service;
  const Status = held ? "ON" : "OFF";
  const hold = (path: string) =>
    service.request(
      { verb: "hold", permission: "s3:PutObjectLegalHold", target: `s3://${bucket}/${path}` },
      (s3, { abortSignal }) =>
        s3.putObjectLegalHold({ Bucket: bucket, Key: path, LegalHold: { Status } }, { abortSignal }),
      { signal },
    );
  for (let from = 0; from < paths.length; from += PARALLEL) {
    await Promise.all(paths.slice(from, from + PARALLEL).map(hold));
  }
  return true;
}

async function hasObjectLock(service: S3Service, signal: AbortSignal | undefined): Promise<boolean> {
  const { bucket } = service;
  try {
    const { ObjectLockConfiguration } = await service.request(
      { verb: "read the lock of", permission: "s3:GetBucketObjectLockConfiguration", target: `s3://${bucket}` },
      (s3, { abortSignal }) => s3.getObjectLockConfiguration({ Bucket: bucket }, { abortSignal }),
      { signal },
    );
    return ObjectLockConfiguration?.ObjectLockEnabled === "Enabled";
  } catch (error) {
    const cause = error instanceof ProviderError ? (error.cause as { name?: string } | undefined) : undefined;
    // How S3 says that a bucket has no lock, and how services say that they have none at all.
    if (cause?.name === "ObjectLockConfigurationNotFoundError" || cause?.name === "NotImplemented") return false;
    throw error;
  }
}
