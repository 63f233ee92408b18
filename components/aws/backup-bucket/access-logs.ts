import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsAccount } from "../aws-account.ts";
import { denyWithoutTls } from "../policy.ts";
import { guardedBucket } from "./guarded-bucket.ts";

/** A bucket of its own for the log of every access to the backups. */
export interface AccessLogs {
  /** Days after which a log file is removed. Default 365. */
  readonly retentionDays?: number;
}

/** What {@link addAccessLogs} needs beside the settings. */
interface AccessLogsOptions extends AccessLogs {
  readonly stack: string;
  readonly account: AwsAccount;
  readonly removable: boolean;
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/**
 * Logs every access to a bucket into another one. That one has S3's own keys and no Object Lock, since S3 delivers its logs
 * to no other.
 */
export function addAccessLogs(
  parent: pulumi.Resource,
  name: string,
  source: aws.s3.Bucket,
  options: AccessLogsOptions,
): void {
  const { stack, removable, tags } = options;
  const days = options.retentionDays ?? 365;
  const logs = guardedBucket(parent, name, {
    words: [stack, "access"],
    rule: {
      id: "access-logs",
      status: "Enabled",
      filter: { prefix: "" },
      expiration: { days },
      noncurrentVersionExpiration: { noncurrentDays: 1 },
      abortIncompleteMultipartUpload: { daysAfterInitiation: 1 },
    },
    statements: (arn) => [
      denyWithoutTls("s3:*", arn, pulumi.interpolate`${arn}/*`),
      {
        Sid: "TakeAccessLogs",
        Effect: "Allow",
        Principal: { Service: "logging.s3.amazonaws.com" },
        Action: "s3:PutObject",
        Resource: pulumi.interpolate`${arn}/*`,
        Condition: {
          ArnLike: { "aws:SourceArn": source.arn },
          StringEquals: { "aws:SourceAccount": options.account.id },
        },
      },
    ],
    removable,
    tags,
  });
  new aws.s3.BucketLogging(
    `${name}-logging`,
    { bucket: source.bucket, targetBucket: logs.bucket.bucket, targetPrefix: "access/" },
    // S3 looks for its permission to deliver when the log is turned on.
    { parent, retainOnDelete: !removable, dependsOn: [logs.bucketPolicy] },
  );
}
