import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsAccount } from "../aws-account.ts";
import { keyStatements } from "../key-statements.ts";
import { policy } from "../policy.ts";

/**
 * The key of the alarms' topic. CloudWatch and EventBridge use it to publish; that statement has no condition on the source, as
 * neither KMS nor SNS is told one when EventBridge publishes, and the event would be lost. So it is a key of its own: with the
 * stack's, two services could use whatever encrypts the backups. It goes with the topic, and has no alias, as nobody looks for it.
 */
export function makeTopicKey(
  parent: pulumi.Resource,
  name: string,
  account: AwsAccount,
  options: {
    readonly stack: string;
    readonly tags?: pulumi.Input<Record<string, string>>;
  },
): pulumi.Output<string> {
  const { stack, tags } = options;
  const key = new aws.kms.Key(
    `${name}-key`,
    {
      description: `Alarms of the backups of the stack ${stack}`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy: policy(...keyStatements(account, ["sns"]), {
        Sid: "PublishAlarms",
        Effect: "Allow",
        Principal: { Service: ["cloudwatch.amazonaws.com", "events.amazonaws.com"] },
        Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
        Resource: "*",
      }),
      ...(tags !== undefined && { tags }),
    },
    { parent },
  );
  return key.arn;
}
