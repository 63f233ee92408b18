import * as pulumi from "@pulumi/pulumi";
import { AwsBackups } from "../components/aws/aws-backups.ts";
import { awsSettings } from "../components/settings/program.ts";
import { firstStack } from "../components/first-stack.ts";
import { withSigning } from "../components/signing-key.ts";
import { jobSettings, type JobArgs } from "./job.ts";

/** Arguments of {@link AwsBackup}. */
export interface AwsBackupArgs extends JobArgs {
  /** The runner's image by its digest: registry/repository@sha256:… */
  image: pulumi.Input<string>;
  /** The region in which everything is made: that of the provider. Default: `aws:region`. */
  region?: string;
  /** The name of a bucket that exists. Default: a new one, locked, which outlives the stack. */
  bucket?: pulumi.Input<string>;
  /** The VPC of `subnetIds`. Default: the account's default VPC. */
  vpcId?: pulumi.Input<string>;
  /** Subnets in which the tasks run. Default: those of the account's default VPC. */
  subnetIds?: pulumi.Input<pulumi.Input<string>[]>;
  /** The ARN of a topic that gets the alarms. Default: a new one. */
  alarmTopicArn?: pulumi.Input<string>;
  /** Addresses that get the alarms by mail. Default: none. */
  alarmEmails?: string[];
}

/** Backups of one database by tasks of ECS Fargate, into a bucket. */
export class AwsBackup extends pulumi.ComponentResource {
  /** The AWS CLI's command that makes a backup now. */
  readonly run: pulumi.Output<string>;
  /** The AWS CLI's command that lists the backups. */
  readonly list: pulumi.Output<string>;
  /** The AWS CLI's command that restores the newest backup. */
  readonly restore: pulumi.Output<string>;
  /** The bucket's name. */
  readonly bucketName: pulumi.Output<string>;
  /** Signs the backups; a secret. Keep a copy of it apart from the stack. */
  readonly signingKey: pulumi.Output<string>;

  /** @throws RunError which lists all that is wrong with the arguments */
  constructor(name: string, args: AwsBackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:index:AwsBackup", name, {}, opts);
    const { job, image, region, bucket, vpcId, subnetIds, alarmTopicArn, alarmEmails } = args;
    const aws = {
      image,
      ...(bucket !== undefined && { bucket: { existing: bucket } }),
      network: { ...(vpcId !== undefined && { vpcId }), ...(subnetIds !== undefined && { subnetIds }) },
      alarms: {
        ...(alarmTopicArn !== undefined && { topicArn: alarmTopicArn }),
        ...(alarmEmails !== undefined && { emails: alarmEmails }),
      },
    };
    const written = awsSettings({
      ...jobSettings(args, { kind: "s3" }),
      aws,
      ...(region !== undefined && { region }),
    });
    const { settings, key } = withSigning(written, `${name}-signing`, { parent: this });
    const first = firstStack(settings.stack, `${name}-first-stack`, { parent: this });
    const backups = new AwsBackups(`${name}-aws`, { ...settings, first }, { parent: this });
    const outputs = backups.jobs[job];
    this.run = pulumi.output(outputs?.run ?? "");
    this.list = pulumi.output(outputs?.list ?? "");
    this.restore = pulumi.output(outputs?.restore ?? "");
    this.bucketName = backups.bucket;
    this.signingKey = pulumi.secret(key ?? "");
    this.registerOutputs({
      run: this.run,
      list: this.list,
      restore: this.restore,
      bucketName: this.bucketName,
      signingKey: this.signingKey,
    });
  }
}
