import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
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
// The bucket's policy names the role, and the role's policy the bucket.
const [replicationRoles, setReplicationRoles] = pulumi.deferredOutput<string[]>();
const source = { stack: "prod", sourceAccountId: "123456789012", replicationRoles };
const { bucketArn, keyArn, accountId } = new BackupCopyBucket("copies", source, { provider: vault });
const common = { secrets, aws: { image, bucket: { replica: { bucketArn, keyArn, accountId } } } };
const frankfurt = new AwsBackups("frankfurt", awsSettings({ ...common, jobs, region: "eu-central-1" }));
const dublin = new AwsBackups("dublin", awsSettings({ ...common, jobs: others, region: "eu-west-1" }), {
  provider: ireland,
});
setReplicationRoles(pulumi.all([frankfurt, dublin].flatMap(({ replicationRoleArn }) => replicationRoleArn ?? [])));
// end of page
