import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { reasonOf } from "./answer.ts";

/** The account that a provider works in, and where. */
export interface AwsAccount {
  /** The account's number. */
  readonly id: pulumi.Output<string>;
  readonly region: pulumi.Output<string>;
  /** `aws`, `aws-cn` or `aws-us-gov`: the second part of every ARN. */
  readonly partition: pulumi.Output<string>;
}

/** The failures by their reason: Pulumi prints an error once, and every component asks. */
const failures = new Map<string, pulumi.RunError>();

/** Who deploys. Where AWS does not say it, the error is one that Pulumi prints in one line and without a stack trace. */
async function caller(parent: pulumi.Resource): Promise<aws.GetCallerIdentityResult> {
  try {
    return await aws.getCallerIdentity({}, { parent });
  } catch (error) {
    const reason = reasonOf(error);
    const failure =
      failures.get(reason) ??
      new pulumi.RunError(
        "AWS does not say whose account this is. Give this shell credentials of the account: aws sso login, AWS_PROFILE or " +
          `AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The reason: ${reason}`,
      );
    failures.set(reason, failure);
    throw failure;
  }
}

/** The ARN of the identity that deploys: of a user, of a role's session, or of the account itself. */
export function callerArn(parent: pulumi.Resource): pulumi.Output<string> {
  return pulumi.output(caller(parent)).arn;
}

/** The region of a component's provider. */
export function providerRegion(parent: pulumi.Resource): pulumi.Output<string> {
  // Without credentials every question fails, each with words of its own: the first one's are told.
  return pulumi.output(caller(parent).then(() => aws.getRegion({}, { parent }))).region;
}

/** The account, region and partition of a component's provider. Asks AWS, at no cost, in a preview too. */
export function awsAccount(parent: pulumi.Resource): AwsAccount {
  const identity = caller(parent);
  return {
    id: pulumi.output(identity).accountId,
    region: pulumi.output(identity.then(() => aws.getRegion({}, { parent }))).region,
    partition: pulumi.output(identity.then(() => aws.getPartition({}, { parent }))).partition,
  };
}

/** The number of the account that a component's provider works in. */
export async function callerAccount(parent: pulumi.Resource): Promise<string> {
  return (await caller(parent)).accountId;
}
