import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { awsAccount } from "./aws-account.ts";
import { bucketStatements } from "./backup-bucket/bucket-policy.ts";
import { guardedBucket } from "./backup-bucket/guarded-bucket.ts";
import { lifecycleRule, noncurrentDays, type StorageTransition } from "./backup-bucket/lifecycle.ts";
import { defaultLock, keptDays, type BucketJob, type ObjectLock } from "./backup-bucket/lock.ts";
import { keyStatements, onlyPrincipals } from "./key-statements.ts";
import { policy, type Statement } from "./policy.ts";

/** Arguments of {@link BackupCopyBucket}. */
export interface BackupCopyBucketArgs {
  /** The name of the stack whose backups are copied: part of the bucket's name. */
  readonly stack: string;
  /** The number of the account that has the backups. */
  readonly sourceAccountId: string;
  /**
   * ARN patterns of the only roles that may copy: the output `replicationRoleArn` of `AwsBackups` or `BackupBucket`. Default: those roles
   * of the source account that its own policies let copy here.
   */
  readonly replicationRoles?: pulumi.Input<readonly string[]> | undefined;
  /** The jobs whose backups are copied: the default lock and the lifecycle follow from their retention. Default: nothing is ever pruned. */
  readonly jobs?: readonly BucketJob[] | undefined;
  /**
   * Lock of new copies, or `off`, which is refused for a bucket that has had one. A bucket with a lock is copied only to one with a lock.
   * Default: as that of `BackupBucket`.
   */
  readonly objectLock?: ObjectLock | "off" | undefined;
  /** Cheaper storage classes by age. Default: none. */
  readonly transitions?: readonly StorageTransition[] | undefined;
  /** ARN patterns of the only principals that may remove versions of copies, locked ones included. Default: nobody. */
  readonly breakGlass?: pulumi.Input<readonly string[]> | undefined;
  /** ARN patterns of the only principals of this account that may decrypt copies. Default: every identity of this account. */
  readonly readers?: pulumi.Input<readonly string[]> | undefined;
  /** Refuses whatever would remove or replace the bucket or its key. Default false: `destroy` leaves them. */
  readonly protect?: boolean | undefined;
  /** Tags of the bucket and the key. */
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/** What S3 does with the copies of another account's bucket, which are this account's own then. */
const COPY = [
  "s3:ReplicateObject",
  "s3:ReplicateDelete",
  "s3:ReplicateTags",
  "s3:ObjectOwnerOverrideToBucketOwner",
] as const;

/**
 * The other account's side of a copy of all backups: a bucket like the stack's own and its key, whose policies let the source
 * account's replication add copies and hide them, and do nothing else. It is made with a provider of the other account
 * (`{ provider }`), and what it gives is the stack's `bucket.replica`, with this account's number as `accountId`.
 *
 * - Nobody of the source account can read, remove or unlock copies, whatever that account's policies say.
 * - `destroy` keeps the bucket, its copies and its key.
 */
export class BackupCopyBucket extends pulumi.ComponentResource {
  readonly bucketName: pulumi.Output<string>;
  /** ARN of the bucket, once it can take copies. */
  readonly bucketArn: pulumi.Output<string>;
  /** ARN of the key that encrypts the copies. */
  readonly keyArn: pulumi.Output<string>;
  /** The number of this account. */
  readonly accountId: pulumi.Output<string>;

  constructor(name: string, args: BackupCopyBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupCopyBucket", name, {}, opts);
    const { stack, breakGlass, readers, jobs = [], transitions = [], protect = false, tags } = args;
    const account = awsAccount(this);
    const source = sourceOf(args, account.partition);
    const key = new aws.kms.Key(
      `${name}-key`,
      {
        description: `Copies of the backups of the stack ${stack}`,
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: policy(...keyStatements(account, ["s3"], readers), {
          Sid: "EncryptCopies",
          ...source,
          Action: ["kms:Encrypt", "kms:GenerateDataKey"],
          Resource: "*",
          Condition: {
            ...source.Condition,
            StringEquals: { "kms:ViaService": pulumi.interpolate`s3.${account.region}.amazonaws.com` },
          },
        }),
        tags,
      },
      { parent: this, protect, retainOnDelete: true },
    );
    const lock = args.objectLock === "off" ? undefined : (args.objectLock ?? defaultLock(keptDays(jobs)));
    const { bucket, versioning, bucketPolicy } = guardedBucket(this, name, {
      words: [stack, "copies"],
      keyArn: key.arn,
      rule: lifecycleRule(noncurrentDays("replica", lock?.days ?? 0, keptDays(jobs)), transitions),
      statements: (arn) => [
        ...bucketStatements(arn, key.arn, breakGlass, false),
        { Sid: "TakeCopies", ...source, Action: COPY, Resource: pulumi.interpolate`${arn}/*` },
      ],
      removable: false,
      protect,
      ...(lock !== undefined && { lock }),
      tags,
    });
    this.bucketName = bucket.bucket;
    // A replication is refused while its destination keeps no versions.
    this.bucketArn = pulumi.all([bucket.arn, versioning.id, bucketPolicy.id]).apply(([arn]) => arn);
    this.keyArn = key.arn;
    this.accountId = account.id;
    this.registerOutputs({
      bucketName: this.bucketName,
      bucketArn: this.bucketArn,
      keyArn: this.keyArn,
      accountId: this.accountId,
    });
  }
}

/** The roles that copy. A principal that is named exactly would have to exist before the bucket does. */
function sourceOf(
  { sourceAccountId, replicationRoles }: BackupCopyBucketArgs,
  partition: pulumi.Output<string>,
): Pick<Statement, "Effect" | "Principal"> & { readonly Condition: NonNullable<Statement["Condition"]> } {
  const anyRole = pulumi.interpolate`arn:${partition}:iam::${sourceAccountId}:role/*`;
  return {
    Effect: "Allow",
    Principal: { AWS: pulumi.interpolate`arn:${partition}:iam::${sourceAccountId}:root` },
    Condition: onlyPrincipals(replicationRoles ?? pulumi.all([anyRole])),
  };
}
