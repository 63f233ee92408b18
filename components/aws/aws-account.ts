import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";

/** The account that a provider works in, and where. */
export interface AwsAccount {
  /** The account's number. */
  readonly id: pulumi.Output<string>;
  readonly region: pulumi.Output<string>;
  /** `aws`, `aws-cn` or `aws-us-gov`: the second part of every ARN. */
  readonly partition: pulumi.Output<string>;
}

/** The ARN of the identity that deploys: of a user, of a role's session, or of the account itself. */
export function callerArn(parent: pulumi.Resource): pulumi.Output<string> {
  return aws.getCallerIdentityOutput({}, { parent }).arn;
}

/** The region of a component's provider. */
export function providerRegion(parent: pulumi.Resource): pulumi.Output<string> {
  return aws.getRegionOutput({}, { parent }).region;
}

/** The account, region and partition of a component's provider. Asks AWS, at no cost, in a preview too. */
export function awsAccount(parent: pulumi.Resource): AwsAccount {
  return {
    id: aws.getCallerIdentityOutput({}, { parent }).accountId,
    region: providerRegion(parent),
    partition: aws.getPartitionOutput({}, { parent }).partition,
  };
}

/** The number of the account that a component's provider works in. */
export async function callerAccount(parent: pulumi.Resource): Promise<string> {
  return (await aws.getCallerIdentity({}, { parent })).accountId;
}
