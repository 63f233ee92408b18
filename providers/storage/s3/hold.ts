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

/**
 * Until when a lock with an end keeps the newest version of an object, for those who may not read the object; undefined where none does.
 * Others learn it from the answer to HEAD, which services without this request give too.
 */
export async function retainedUntil(
  service: S3Service,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Date | undefined> {
  const { bucket } = service;
  try {
    const { Retention } = await service.request(
      { verb: "read the lock of", permission: "s3:GetObjectRetention", target: `s3://${bucket}/${path}` },
      (s3, { abortSignal }) => s3.getObjectRetention({ Bucket: bucket, Key: path }, { abortSignal }),
      { signal },
    );
    return Retention?.RetainUntilDate;
  } catch (error) {
    // Of an object without such a lock, and in a bucket that has no locks.
    if (["NoSuchObjectLockConfiguration", "InvalidRequest"].includes(nameOfCause(error))) return undefined;
    throw error;
  }
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
    // How S3 says that a bucket has no lock, and how services say that they have none at all.
    if (["ObjectLockConfigurationNotFoundError", "NotImplemented"].includes(nameOfCause(error))) return false;
    throw error;
  }
}

/** The name that S3 has for an error. */
function nameOfCause(error: unknown): string {
  return (error instanceof ProviderError ? (error.cause as { name?: string } | undefined)?.name : undefined) ?? "";
}
