import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { policy, type Statement } from "../policy.ts";
import { bucketPrefix } from "../../fit-name.ts";
import { refuseUnlocking } from "./lock.ts";

/** What {@link guardedBucket} makes. */
export interface GuardedBucketOptions {
  /** Words of the bucket's name. */
  readonly words: readonly string[];
  /** Region, where it is not the provider's. */
  readonly region?: pulumi.Input<string>;
  /** KMS key; without one, S3's own keys. */
  readonly keyArn?: pulumi.Input<string>;
  /** Lock of new objects; without one, the bucket cannot lock anything. */
  readonly lock?: { readonly mode: "governance" | "compliance"; readonly days: number };
  readonly rule: aws.types.input.s3.BucketLifecycleConfigurationRule;
  readonly statements: (bucketArn: pulumi.Output<string>) => readonly Statement[];
  /** Deletes the bucket with all that is in it on `destroy`. */
  readonly removable: boolean;
  /** Refuses whatever would remove or replace the bucket. */
  readonly protect?: boolean;
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/**
 * A private, versioned, encrypted bucket. Unless it is removable, `destroy` keeps it and everything that guards it: a bucket
 * that stays must not lose its policy, its lock or its lifecycle.
 *
 * What makes a new bucket of an old one would leave the backups behind, so neither of its two inputs that AWS takes at a
 * bucket's creation alone ever changes: a renamed stack keeps the bucket with its old name, and a lock is added by its own
 * resource, which S3 lets a bucket have at any time. It lets none lose its lock again; that is refused.
 *
 * @returns the bucket, and what others wait for: its versioning and its policy
 */
export function guardedBucket(
  parent: pulumi.Resource,
  name: string,
  options: GuardedBucketOptions,
): { bucket: aws.s3.Bucket; versioning: aws.s3.BucketVersioning; bucketPolicy: aws.s3.BucketPolicy } {
  const { keyArn, lock, removable } = options;
  const opts = { parent, retainOnDelete: !removable };
  const region = options.region === undefined ? {} : { region: options.region };
  const bucket = new aws.s3.Bucket(
    name,
    {
      ...region,
      bucketPrefix: bucketPrefix(...options.words),
      objectLockEnabled: lock !== undefined,
      forceDestroy: removable,
      tags: options.tags,
    },
    { ...opts, protect: options.protect === true, ignoreChanges: ["bucketPrefix", "objectLockEnabled"] },
  );
  const of = { ...region, bucket: bucket.bucket };
  if (lock === undefined)
    pulumi.all([bucket.bucket, bucket.objectLockEnabled]).apply(([own, locked]) => {
      refuseUnlocking(own, locked);
    });
  const publicAccess = new aws.s3.BucketPublicAccessBlock(
    `${name}-public-access`,
    { ...of, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    opts,
  );
  new aws.s3.BucketOwnershipControls(
    `${name}-ownership`,
    { ...of, rule: { objectOwnership: "BucketOwnerEnforced" } },
    opts,
  );
  const versioning = new aws.s3.BucketVersioning(
    `${name}-versioning`,
    { ...of, versioningConfiguration: { status: "Enabled" } },
    opts,
  );
  const encryption =
    keyArn === undefined ? { sseAlgorithm: "AES256" } : { sseAlgorithm: "aws:kms", kmsMasterKeyId: keyArn };
  new aws.s3.BucketServerSideEncryptionConfiguration(
    `${name}-encryption`,
    {
      ...of,
      rules: [{ applyServerSideEncryptionByDefault: encryption, bucketKeyEnabled: keyArn !== undefined }],
    },
    opts,
  );
  const bucketPolicy = new aws.s3.BucketPolicy(
    `${name}-policy`,
    { ...of, policy: policy(...options.statements(bucket.arn)) },
    // S3 refuses two changes of a bucket's access at the same time.
    { ...opts, dependsOn: [publicAccess] },
  );
  new aws.s3.BucketLifecycleConfiguration(
    `${name}-lifecycle`,
    { ...of, rules: [options.rule] },
    { ...opts, dependsOn: [versioning] },
  );
  if (lock !== undefined) {
    new aws.s3.BucketObjectLockConfiguration(
      `${name}-object-lock`,
      { ...of, rule: { defaultRetention: { mode: lock.mode.toUpperCase(), days: lock.days } } },
      { ...opts, dependsOn: [versioning] },
    );
  }
  return { bucket, versioning, bucketPolicy };
}
