import type * as aws from "@pulumi/aws";
import type { Output } from "@pulumi/pulumi";
// page
import { AwsBackups, awsSettings, withSigning } from "provision";

const { settings, key } = withSigning(
  awsSettings({
    secrets: { appUrl: database.url }, // outputs of other resources, here and below
    aws: { image, bucket: { existing: bucket.bucket }, network: { vpcId: vpc.id, subnetIds: vpc.privateSubnetIds } },
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
export const { jobs } = new AwsBackups("backups", settings);
export const signingKey = key;
// end of page

declare const database: { readonly url: Output<string> };
declare const image: Output<string>;
declare const bucket: aws.s3.Bucket;
declare const vpc: { readonly id: Output<string>; readonly privateSubnetIds: Output<string>[] };
