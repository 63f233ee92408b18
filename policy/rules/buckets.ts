import type { PolicyResource, ReportViolation, StackValidationPolicy } from "@pulumi/policy";
import { at, backupBuckets, companionOf, holdsIn, known, STACKS } from "./stack.ts";

/** Checks a companion of every bucket that holds backups: what is wrong with it, or with there being none. */
function ofEachBucket(
  companion: string,
  problem: (props: unknown, bucket: PolicyResource) => string | undefined,
  holds: (args: { getConfig(): object }, bucket: PolicyResource) => boolean = () => true,
): StackValidationPolicy["validateStack"] {
  return (args, report: ReportViolation) => {
    for (const bucket of backupBuckets(args.resources)) {
      if (!holds(args, bucket)) continue;
      const found = known(() => problem(companionOf(bucket, companion, args.resources)?.props, bucket));
      if (found !== undefined) report(`The bucket ${bucket.name} ${found}`, bucket.urn);
    }
  };
}

const BLOCKS = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"];

/** Nobody outside of the account reads backups, whatever a policy or an ACL says. */
export const bucketPrivate: StackValidationPolicy = {
  name: "bucket-private",
  description: "A bucket of backups blocks all public access.",
  validateStack: ofEachBucket("BucketPublicAccessBlock", (props) => {
    const open = BLOCKS.filter((block) => at(props, block) !== true);
    if (open.length === 0) return undefined;
    return `can be made public: ${open.join(", ")} ${open.length === 1 ? "is" : "are"} not true. Set all four in an aws.s3.BucketPublicAccessBlock.`;
  }),
};

/** What overwrites or removes a backup leaves the former version. */
export const bucketVersioned: StackValidationPolicy = {
  name: "bucket-versioned",
  description: "A bucket of backups keeps versions.",
  validateStack: ofEachBucket("BucketVersioning", (props) => {
    const status = at(props, "versioningConfiguration.status");
    if (status === "Enabled") return undefined;
    return `keeps no versions: the status of its versioning is ${typeof status === "string" ? status : "not set"}. Set Enabled in an aws.s3.BucketVersioning.`;
  }),
};

/** Reading a backup takes a permission on a key too, whose policy names the readers. */
export const bucketEncrypted: StackValidationPolicy = {
  name: "bucket-encrypted",
  description: "A bucket of backups is encrypted with a KMS key of the account.",
  validateStack: ofEachBucket("BucketServerSideEncryptionConfiguration", (props) => {
    const algorithm = at(props, "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm");
    if (algorithm === "aws:kms" || algorithm === "aws:kms:dsse") return undefined;
    return `is encrypted with ${typeof algorithm === "string" ? algorithm : "S3's own keys"}. Set aws:kms and a key in an aws.s3.BucketServerSideEncryptionConfiguration.`;
  }),
};

/** Nobody who takes over the account removes the last good backup. */
export const bucketLocked: StackValidationPolicy = {
  name: "bucket-locked",
  description: "A bucket of backups locks what is written, in the stacks that `stacks` names (default: prod).",
  configSchema: STACKS,
  validateStack: ofEachBucket(
    "BucketObjectLockConfiguration",
    (props) => {
      const retention = retentionOf(props);
      if (retention !== undefined) return undefined;
      return "has no default lock, so that backups can be removed at once. Set a mode and days in an aws.s3.BucketObjectLockConfiguration (Provision: leave out bucket.objectLock, or give it days).";
    },
    (args, { urn }) => holdsIn(args.getConfig(), urn),
  ),
};

/** The days of a bucket's default lock. */
export function retentionOf(lock: unknown): number | undefined {
  const count = (unit: string) => Number(at(lock, `rule.defaultRetention.${unit}`) ?? 0);
  const days = count("days") + 365 * count("years");
  return days === 0 ? undefined : days;
}
