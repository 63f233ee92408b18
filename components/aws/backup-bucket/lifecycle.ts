import type * as aws from "@pulumi/aws";

/** Moves backups to a cheaper storage class some days after they were written. */
export interface StorageTransition {
  /** Only classes whose objects can be read at once, because backups are verified and restored. */
  readonly storageClass: "STANDARD_IA" | "ONEZONE_IA" | "INTELLIGENT_TIERING" | "GLACIER_IR";
  /** Days after writing. S3 takes 30 at least for STANDARD_IA and ONEZONE_IA, 0 for the others. */
  readonly afterDays: number;
}

/** The classes that S3 moves objects to from each. None of them leads back. */
const NEXT_CLASSES: Readonly<Record<StorageTransition["storageClass"], readonly string[]>> = {
  STANDARD_IA: ["INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR"],
  INTELLIGENT_TIERING: ["ONEZONE_IA", "GLACIER_IR"],
  ONEZONE_IA: [],
  GLACIER_IR: [],
};

/** Days that S3 keeps an object before it moves it to a class with `_IA`, and from there to another. */
const IA_DAYS = 30;

/** Why S3 would not take transitions one after the other, in whatever order they stand, and what to do; undefined where it does. */
export function transitionsProblem(
  transitions: readonly StorageTransition[],
): { readonly message: string; readonly fix: string } | undefined {
  const fix = "Write classes that can follow each other, for example [{ storageClass: GLACIER_IR, afterDays: 30 }].";
  const sorted = [...transitions].sort((one, other) => one.afterDays - other.afterDays);
  for (const [index, { storageClass, afterDays }] of sorted.entries()) {
    if (isInfrequentAccess(storageClass) && afterDays < IA_DAYS) {
      return {
        message: `S3 moves nothing to ${storageClass} before day ${IA_DAYS}, and afterDays is ${afterDays}`,
        fix: `Set afterDays to ${IA_DAYS} or more, or set storageClass: ${storageClass} in the job's destination.`,
      };
    }
    const before = sorted[index - 1];
    if (before === undefined) continue;
    if (!NEXT_CLASSES[before.storageClass].includes(storageClass)) {
      const message = `S3 moves nothing from ${before.storageClass} (after ${before.afterDays} days) to ${storageClass} (after ${afterDays})`;
      return { message, fix };
    }
    const stay = isInfrequentAccess(before.storageClass) ? IA_DAYS : 1;
    if (afterDays - before.afterDays < stay) {
      const message = `S3 moves nothing to ${storageClass} (after ${afterDays} days) before it has been in ${before.storageClass} (after ${before.afterDays}) for ${stay} days`;
      return { message, fix };
    }
  }
  return undefined;
}

function isInfrequentAccess(storageClass: string): boolean {
  return storageClass.endsWith("_IA");
}

/** Days for which a removed backup can still be brought back, once its lock is over: a week, and in a replica a month. */
const RECOVERY_DAYS = { bucket: 7, replica: 30 };

/** A day more than a run may take (timeoutMinutes of a job): an upload that is going on is never ended. */
const UPLOAD_DAYS = 15;

/**
 * Days after which a version that prune has hidden is removed, never before its lock ends: what the lock is longer than the
 * retention is added. (S3 itself waits for the lock of what an interrupted run left.)
 *
 * @param lockDays 0 without a lock
 * @param keptDays days for which prune hides nothing; undefined where nothing is pruned
 */
export function noncurrentDays(place: "bucket" | "replica", lockDays: number, keptDays: number | undefined): number {
  return RECOVERY_DAYS[place] + Math.max(0, lockDays - (keptDays ?? 0));
}

/**
 * The one rule of a bucket of backups. It ends what prune has hidden, the delete markers that are left over then, and
 * uploads that nobody finished. It never ends a current version: only the retention decides what is a backup.
 */
export function lifecycleRule(
  noncurrent: number,
  transitions: readonly StorageTransition[],
): aws.types.input.s3.BucketLifecycleConfigurationRule {
  return {
    id: "backups",
    status: "Enabled",
    filter: { prefix: "" },
    noncurrentVersionExpiration: { noncurrentDays: noncurrent },
    expiration: { expiredObjectDeleteMarker: true },
    abortIncompleteMultipartUpload: { daysAfterInitiation: UPLOAD_DAYS },
    ...(transitions.length > 0 && {
      transitions: transitions.map(({ storageClass, afterDays }) => ({ storageClass, days: afterDays })),
    }),
  };
}
