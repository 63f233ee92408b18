import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { awsAccount } from "./aws-account.ts";
import { addAccessLogs, type AccessLogs } from "./backup-bucket/access-logs.ts";
import { bucketStatements } from "./backup-bucket/bucket-policy.ts";
import { guardedBucket } from "./backup-bucket/guarded-bucket.ts";
import { lifecycleRule, noncurrentDays, type StorageTransition } from "./backup-bucket/lifecycle.ts";
import { defaultLock, keptDays, type BucketJob, type ObjectLock } from "./backup-bucket/lock.ts";
import { bucketProblems } from "./backup-bucket/problems.ts";
import { addReplica, type Replica } from "./backup-bucket/replica.ts";
import type { RoleLimits } from "./service-role.ts";

/** Arguments of {@link BackupBucket}. */
export interface BackupBucketArgs extends RoleLimits {
  /**
   * Name of a bucket that exists, which is then used as it is: of the arguments, only `keyArn`, `stack` and `jobs` may stand
   * beside it. For the alarms it has to send its events to EventBridge.
   */
  readonly existing?: pulumi.Input<string>;
  /** ARN of the KMS key that encrypts the backups. */
  readonly keyArn: pulumi.Input<string>;
  /** The stack's name: part of the bucket's name. */
  readonly stack: string;
  /** The jobs that keep backups in the bucket: the default lock and the lifecycle follow from their retention. */
  readonly jobs: readonly BucketJob[];
  /**
   * Lock of new objects, or `off`, which is refused for a bucket that has had one. Default: governance, for the days for which no job's
   * prune removes any backup, so that the lock costs nothing; at least 1, at most 30, and 30 where nothing is pruned. A lock
   * that is longer than that keeps what prune has removed, and its storage is paid for.
   */
  readonly objectLock?: ObjectLock | "off";
  /** Cheaper storage classes by age. Default: none. */
  readonly transitions?: readonly StorageTransition[];
  /** Logs every access into a bucket of its own. Default: no log. */
  readonly accessLogs?: AccessLogs;
  /** Copies every backup to another region or account. Default: no copy. */
  readonly replica?: Replica;
  /** ARN patterns of the only principals that may remove versions of objects, locked ones included. Default: nobody. */
  readonly breakGlass?: pulumi.Input<readonly string[]>;
  /** ARN patterns of the only principals that may decrypt a new replica, beside the role that copies. Default: every identity of the account. */
  readonly readers?: pulumi.Input<readonly string[]> | undefined;
  /**
   * Refuses whatever would remove or replace the bucket or its replica, `destroy` included, until it is false again. Default
   * false: `destroy` leaves them, and a new region makes new ones beside them.
   */
  readonly protect?: boolean;
  /** Deletes the bucket with all backups in it on `destroy`; `confirmRemoval` has to say so too. Default false. */
  readonly removeOnDestroy?: boolean;
  /** The stack's name, once more: what `removeOnDestroy` needs to be taken seriously. */
  readonly confirmRemoval?: string;
  /** Tags of the buckets, the role and the key that are made. */
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/**
 * The stack's bucket of backups: private, versioned, encrypted with the stack's key, locked, and with a lifecycle that only
 * ends what prune has hidden. Below it are the folders `<prefix>/<stack>/<job>/<time>-<id>/`.
 *
 * - `destroy` keeps the bucket, its backups and whatever guards them, unless `removeOnDestroy` and `confirmRemoval` both ask
 *   for its removal. With `protect` it refuses altogether.
 * - A new name of the stack, or a lock where there was none, changes the bucket and never replaces it. A lock cannot go again.
 * - Prune hides objects and may not remove versions: each stays for a week more, and never less than its lock.
 * - Nothing locks who deploys the stack out of the bucket's settings (CKV_AWS_93).
 */
export class BackupBucket extends pulumi.ComponentResource {
  readonly bucketName: pulumi.Output<string>;
  readonly bucketArn: pulumi.Output<string>;
  /** The key that encrypts the backups. */
  readonly keyArn: pulumi.Output<string>;
  /** The role with which S3 copies to the replica, for the policy of a bucket in another account. */
  readonly replicationRoleArn: pulumi.Output<string> | undefined;

  constructor(name: string, args: BackupBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupBucket", name, {}, opts);
    const [problem] = bucketProblems(args, args.stack);
    if (problem !== undefined) {
      throw new pulumi.ResourceError(`${problem.path}: ${problem.message}. ${problem.fix}`, this);
    }
    this.keyArn = pulumi.output(args.keyArn);
    const account = awsAccount(this);
    if (args.existing === undefined) {
      const { bucket, versioning } = this.#make(name, args);
      this.bucketName = bucket.bucket;
      this.bucketArn = bucket.arn;
      const { stack, accessLogs, replica, tags } = args;
      const common = { stack, account, removable: args.removeOnDestroy === true, tags };
      if (accessLogs !== undefined) {
        addAccessLogs(this, `${name}-access-logs`, bucket, {
          ...common,
          ...accessLogs,
        });
      }
      const lock = lockOf(args);
      this.replicationRoleArn =
        replica &&
        addReplica(this, `${name}-replica`, { bucket, versioning }, replica, {
          ...common,
          keyArn: args.keyArn,
          permissionsBoundary: args.permissionsBoundary,
          rolePath: args.rolePath,
          rule: lifecycleRule(noncurrentDays("replica", lock?.days ?? 0, keptDays(args.jobs)), args.transitions ?? []),
          protect: args.protect === true,
          ...(lock !== undefined && { lock }),
          ...(args.breakGlass !== undefined && { breakGlass: args.breakGlass }),
          readers: args.readers,
        });
    } else {
      this.bucketName = pulumi.output(args.existing);
      this.bucketArn = pulumi.interpolate`arn:${account.partition}:s3:::${args.existing}`;
      this.replicationRoleArn = undefined;
    }
    this.registerOutputs({
      bucketName: this.bucketName,
      bucketArn: this.bucketArn,
      keyArn: this.keyArn,
      replicationRoleArn: this.replicationRoleArn,
    });
  }

  #make(name: string, args: BackupBucketArgs): ReturnType<typeof guardedBucket> {
    const { keyArn, tags } = args;
    const lock = lockOf(args);
    const removable = args.removeOnDestroy === true;
    const made = guardedBucket(this, name, {
      words: [args.stack],
      keyArn,
      rule: lifecycleRule(noncurrentDays("bucket", lock?.days ?? 0, keptDays(args.jobs)), args.transitions ?? []),
      statements: (arn) => bucketStatements(arn, keyArn, args.breakGlass, removable),
      removable,
      protect: args.protect === true,
      ...(lock !== undefined && { lock }),
      tags,
    });
    new aws.s3.BucketNotification(
      `${name}-notification`,
      { bucket: made.bucket.bucket, eventbridge: true },
      { parent: this, retainOnDelete: !removable },
    );
    return made;
  }
}

function lockOf({ objectLock, jobs }: BackupBucketArgs): ObjectLock | undefined {
  return objectLock === "off" ? undefined : (objectLock ?? defaultLock(keptDays(jobs)));
}
