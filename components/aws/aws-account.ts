import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";

/** The account that the default provider works in, and where. */
export interface AwsAccount {
  /** The account's number. */
  readonly id: pulumi.Output<string>;
  readonly region: pulumi.Output<string>;
  /** `aws`, `aws-cn` or `aws-us-gov`: the second part of every ARN. */
  readonly partition: pulumi.Output<string>;
}

/** The account, region and partition of the default provider. Asks AWS, at no cost, in a preview too. */
export function awsAccount(parent: pulumi.Resource): AwsAccount {
  return {
    id: aws.getCallerIdentityOutput({}, { parent }).accountId,
    region: aws.getRegionOutput({}, { parent }).region,
    partition: aws.getPartitionOutput({}, { parent }).partition,
  };
}
