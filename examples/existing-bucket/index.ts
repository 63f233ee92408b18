import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { AwsBackups, awsSettings, withSigning } from "provision";

const config = new pulumi.Config();

// Stands for a bucket of yours: its name may as well come from a StackReference, or from the configuration.
const bucket = new aws.s3.Bucket("team-backups", { forceDestroy: true });
const events = new aws.s3.BucketNotification("team-backups", { bucket: bucket.bucket, eventbridge: true });

const { settings, key } = withSigning(
  awsSettings({
    secrets: { appUrl: config.requireSecret("appUrl") },
    aws: {
      image: config.require("image"),
      bucket: { existing: bucket.bucket },
      secretRecoveryDays: 0,
    },
    jobs: [
      {
        name: "app",
        schedule: { cron: "0 3 * * *" },
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [{ kind: "s3" }],
        retention: { last: 7, daily: 14 },
      },
    ],
  }),
);

/** The AWS CLI's commands to back up now, list and restore. */
export const { jobs } = new AwsBackups("backups", settings, { dependsOn: [events] });

/** Signs the backups. Keep a copy of it apart from the stack. */
export const signingKey = key;
