import * as aws from "@pulumi/aws";
import { AwsBackups, awsSettings, BackupCopyBucket } from "provision";

type Input = Parameters<typeof awsSettings>[0];
declare const secrets: NonNullable<Input["secrets"]>;
declare const image: string;
declare const jobs: Input["jobs"];
declare const others: Input["jobs"];
// page
const ireland = new aws.Provider("ireland", { region: "eu-west-1" });
const vault = new aws.Provider("vault", {
  region: "eu-central-1",
  assumeRoles: [{ roleArn: "arn:aws:iam::210987654321:role/backup-vault" }],
});
const copies = new BackupCopyBucket("copies", { stack: "prod", sourceAccountId: "123456789012" }, { provider: vault });
const replica = { bucketArn: copies.bucketArn, keyArn: copies.keyArn, accountId: "210987654321" };
const common = { secrets, aws: { image, bucket: { replica } } };
new AwsBackups("frankfurt", awsSettings({ ...common, jobs, region: "eu-central-1" }));
new AwsBackups("dublin", awsSettings({ ...common, jobs: others, region: "eu-west-1" }), { provider: ireland });
// end of page
