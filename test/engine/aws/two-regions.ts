import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { AwsBackups, awsSettings, BackupCopyBucket, withSigning } from "../../../components/index.ts";

// Jobs in two regions by explicit providers, and a copy of the first one's backups by the second's.

const config = new pulumi.Config("aws");

function provider(region: aws.Region): aws.Provider {
  return new aws.Provider(region, {
    region,
    accessKey: config.require("accessKey"),
    secretKey: config.require("secretKey"),
    skipCredentialsValidation: true,
    s3UsePathStyle: true,
    endpoints: config.requireObject<aws.types.input.ProviderEndpoint[]>("endpoints"),
  });
}

function settings(name: string, region: string, bucket: object) {
  return withSigning(
    awsSettings({
      secrets: { [`${name}Url`]: pulumi.secret("postgres://u:p@db/app") },
      region,
      aws: {
        image: `123456789012.dkr.ecr.${region}.amazonaws.com/provision@sha256:${"ab".repeat(32)}`,
        bucket,
        alarms: { emails: ["ops@example.com"] },
      },
      jobs: [
        {
          name,
          schedule: { cron: "0 3 * * *" },
          database: { kind: "postgres", url: { secret: `${name}Url` } },
          destinations: [{ kind: "s3" }],
        },
      ],
    }),
    `${name}-signing`,
  ).settings;
}

const [virginia, ireland] = [provider("us-east-1"), provider("eu-west-1")];
const copies = new BackupCopyBucket("copies", { stack: "dev", sourceAccountId: "123456789012" }, { provider: ireland });
const replica = { bucketArn: copies.bucketArn, keyArn: copies.keyArn };
const first = new AwsBackups("first", settings("one", "us-east-1", { replica }), { provider: virginia });
const second = new AwsBackups("second", settings("two", "eu-west-1", {}), { providers: [ireland] });

export const { bucket } = first;
export const { bucketName } = copies;
export const jobs = { ...first.jobs, ...second.jobs };
