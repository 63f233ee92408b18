import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsAccount } from "../aws-account.ts";
import { fitName } from "../../fit-name.ts";
import { keyStatements } from "../key-statements.ts";
import { policy, type Statement } from "../policy.ts";
import { roleLimits, type RoleLimits } from "../service-role.ts";
import { bucketStatements } from "./bucket-policy.ts";
import { guardedBucket, type GuardedBucketOptions } from "./guarded-bucket.ts";

/** Characters that IAM allows in a role's name. */
const ROLE_NAME = 64;

/** Where backups are copied to as soon as they are written. */
export type Replica = NewReplica | ExistingReplica;

/** A bucket that the stack makes in another region of the same account, with a key of its own there, used through S3 alone. */
export interface NewReplica {
  /** The other region. */
  readonly region: string;
}

/**
 * A bucket that exists, in another account or region. It has versions, and Object Lock where the stack's bucket has it. In another
 * account, `BackupCopyBucket` makes one whose policies let the role `replicationRoleArn` copy to it.
 */
export interface ExistingReplica {
  readonly bucketArn: pulumi.Input<string>;
  /** KMS key in the region of that bucket. */
  readonly keyArn: pulumi.Input<string>;
  /** The bucket's account, if it is another one; it then owns the copies. */
  readonly accountId?: pulumi.Input<string>;
}

/** What {@link addReplica} needs beside the settings. */
interface ReplicaOptions
  extends RoleLimits, Pick<GuardedBucketOptions, "lock" | "rule" | "removable" | "protect" | "tags"> {
  readonly stack: string;
  readonly account: AwsAccount;
  readonly keyArn: pulumi.Input<string>;
  readonly breakGlass?: pulumi.Input<readonly string[]>;
  /** ARN patterns of the only principals that may use the key of a new replica, beside the role that copies. Default: every identity of the account. */
  readonly readers?: pulumi.Input<readonly string[]> | undefined;
}

/**
 * Copies every new object of a bucket to another one, and every delete marker: without them, nothing would ever end old
 * copies, and ending them by their age would take the last backups of a job that stopped. What is removed here by mistake
 * stays recoverable there for a month, and locked for as long as here. The removal of a version is never copied.
 *
 * @returns the ARN of the role with which S3 copies
 */
export function addReplica(
  parent: pulumi.Resource,
  name: string,
  source: { readonly bucket: aws.s3.Bucket; readonly versioning: aws.s3.BucketVersioning },
  replica: Replica,
  options: ReplicaOptions,
): pulumi.Output<string> {
  const { stack, account, tags, keyArn } = options;
  const { bucket } = source;
  const role = new aws.iam.Role(
    fitName(`${name}-${stack}-role`, ROLE_NAME),
    {
      assumeRolePolicy: policy({
        Sid: "ReplicateBackups",
        Effect: "Allow",
        Principal: { Service: "s3.amazonaws.com" },
        Action: "sts:AssumeRole",
        Condition: {
          StringEquals: { "aws:SourceAccount": account.id },
          ArnLike: { "aws:SourceArn": bucket.arn },
        },
      }),
      ...roleLimits(options),
      tags,
    },
    { parent },
  );
  const destination: Destination =
    "region" in replica ? makeReplica(parent, name, replica, { ...options, roleArn: role.arn }) : replica;
  const rolePolicy = new aws.iam.RolePolicy(
    `${name}-role-policy`,
    {
      role: role.id,
      policy: policy(...replicationStatements(bucket.arn, keyArn, destination)),
    },
    { parent },
  );
  new aws.s3.BucketReplicationConfig(
    `${name}-replication`,
    {
      bucket: bucket.bucket,
      role: role.arn,
      rules: [replicationRule(destination)],
    },
    {
      parent,
      retainOnDelete: !options.removable,
      dependsOn: [source.versioning, rolePolicy, ...(destination.made ?? [])],
    },
  );
  return role.arn;
}

/** The replica as the replication needs it. */
interface Destination extends ExistingReplica {
  /** What has to be there first. */
  readonly made?: readonly pulumi.Resource[];
}

function makeReplica(
  parent: pulumi.Resource,
  name: string,
  { region }: NewReplica,
  options: ReplicaOptions & { readonly roleArn: pulumi.Output<string> },
): Destination {
  const { stack, account, removable, protect = false, lock, tags, breakGlass, readers, roleArn } = options;
  const users = readers && pulumi.all([roleArn, readers]).apply(([role, others]) => [role, ...others]);
  const key = new aws.kms.Key(
    `${name}-key`,
    {
      region,
      description: `Copies of the backups of the stack ${stack}`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy: policy(...keyStatements({ ...account, region: pulumi.output(region) }, ["s3"], users)),
      tags,
    },
    { parent, protect, retainOnDelete: !removable },
  );
  const { bucket, versioning } = guardedBucket(parent, name, {
    words: [stack, "replica"],
    region,
    keyArn: key.arn,
    rule: options.rule,
    statements: (arn) => bucketStatements(arn, key.arn, breakGlass, removable),
    removable,
    protect,
    ...(lock !== undefined && { lock }),
    tags,
  });
  return { bucketArn: bucket.arn, keyArn: key.arn, made: [versioning] };
}

/** What S3 may do as it copies: read the bucket, write copies, and use both keys. */
function replicationStatements(
  bucketArn: pulumi.Output<string>,
  keyArn: pulumi.Input<string>,
  destination: ExistingReplica,
): Statement[] {
  const via = (arn: pulumi.Input<string>) => ({
    StringLike: {
      "kms:ViaService": "s3.*.amazonaws.com",
      "kms:EncryptionContext:aws:s3:arn": [arn, pulumi.interpolate`${arn}/*`],
    },
  });
  return [
    {
      Sid: "ReadBucket",
      Effect: "Allow",
      Action: ["s3:GetReplicationConfiguration", "s3:ListBucket"],
      Resource: bucketArn,
    },
    {
      Sid: "ReadVersions",
      Effect: "Allow",
      Action: [
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
      ],
      Resource: pulumi.interpolate`${bucketArn}/*`,
    },
    {
      Sid: "WriteCopies",
      Effect: "Allow",
      Action: ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
      Resource: pulumi.interpolate`${destination.bucketArn}/*`,
    },
    { Sid: "Decrypt", Effect: "Allow", Action: "kms:Decrypt", Resource: keyArn, Condition: via(bucketArn) },
    {
      Sid: "EncryptCopies",
      Effect: "Allow",
      Action: ["kms:Encrypt", "kms:GenerateDataKey"],
      Resource: destination.keyArn,
      Condition: via(destination.bucketArn),
    },
  ];
}

/** Copies delete markers too, and gives the copies to the account that has the other bucket. */
function replicationRule({ bucketArn, keyArn, accountId }: ExistingReplica) {
  return {
    id: "backups",
    status: "Enabled",
    priority: 0,
    filter: { prefix: "" },
    deleteMarkerReplication: { status: "Enabled" },
    sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
    destination: {
      bucket: bucketArn,
      encryptionConfiguration: { replicaKmsKeyId: keyArn },
      ...(accountId !== undefined && {
        account: accountId,
        accessControlTranslation: { owner: "Destination" },
      }),
    },
  };
}
