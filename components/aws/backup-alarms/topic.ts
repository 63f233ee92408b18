import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsAccount } from "../aws-account.ts";
import { fitName } from "../../fit-name.ts";
import { keyStatements } from "../key-statements.ts";
import { denyWithoutTls, policy } from "../policy.ts";

/** Characters that a topic's name may have. */
const TOPIC_NAME = 256;

/** The topic that all alarms go to. */
export function makeTopic(
  parent: pulumi.Resource,
  name: string,
  account: AwsAccount,
  options: {
    readonly stack: string;
    readonly keyArn: pulumi.Input<string>;
    readonly tags?: pulumi.Input<Record<string, string>> | undefined;
  },
): pulumi.Output<string> {
  const { stack, tags } = options;
  const topic = new aws.sns.Topic(
    fitName(name, TOPIC_NAME),
    {
      displayName: `Backups of ${stack}`,
      kmsMasterKeyId: options.keyArn,
      tags,
    },
    { parent },
  );
  const publish = { Effect: "Allow", Action: "sns:Publish", Resource: topic.arn } as const;
  new aws.sns.TopicPolicy(
    `${name}-policy`,
    {
      arn: topic.arn,
      policy: policy(
        denyWithoutTls("sns:Publish", topic.arn),
        {
          Sid: "PublishAlarms",
          ...publish,
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Condition: fromAlarms(account),
        },
        // Without a condition: EventBridge tells SNS no source, and what it publishes would be refused without a trace.
        { Sid: "PublishEvents", ...publish, Principal: { Service: "events.amazonaws.com" } },
      ),
    },
    { parent },
  );
  return topic.arn;
}

/** Has a topic send its messages to addresses, and warns of each that has not confirmed it, as far as the state knows. */
export function subscribe(
  parent: pulumi.Resource,
  name: string,
  topic: pulumi.Input<string>,
  emails: readonly string[],
): void {
  for (const endpoint of emails) {
    const { pendingConfirmation } = new aws.sns.TopicSubscription(
      `${name}-email-${endpoint}`,
      { topic, protocol: "email", endpoint },
      { parent },
    );
    pendingConfirmation.apply((pending) => {
      if (!pending) return;
      void pulumi.log.warn(
        `${endpoint} gets no alarms before somebody there opens the link in AWS's mail, which AWS forgets after two days. ` +
          "Once it is confirmed, `pulumi refresh` ends this warning; if the mail is lost, `pulumi up --refresh` sends another after that.",
        parent,
      );
    });
  }
}

/**
 * The key of the alarms' topic. CloudWatch publishes with it for this account's alarms. For EventBridge the condition is the topic's
 * account: KMS knows no source of what EventBridge sends to an encrypted topic
 * (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html), and its events would be lost. It is not the stack's key, so
 * that neither service can use what encrypts the backups. It is removed with the topic and has no alias.
 */
export function makeTopicKey(
  parent: pulumi.Resource,
  name: string,
  account: AwsAccount,
  options: {
    readonly stack: string;
    readonly tags?: pulumi.Input<Record<string, string>> | undefined;
  },
): pulumi.Output<string> {
  const { stack, tags } = options;
  const use = { Effect: "Allow", Action: ["kms:Decrypt", "kms:GenerateDataKey*"], Resource: "*" } as const;
  const key = new aws.kms.Key(
    `${name}-key`,
    {
      description: `Alarms of the backups of the stack ${stack}`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy: policy(
        ...keyStatements(account, ["sns"]),
        {
          Sid: "PublishAlarms",
          ...use,
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Condition: fromAlarms(account),
        },
        {
          Sid: "PublishEvents",
          ...use,
          Principal: { Service: "events.amazonaws.com" },
          Condition: {
            ArnLike: {
              "kms:EncryptionContext:aws:sns:topicArn": pulumi.interpolate`arn:${account.partition}:sns:${account.region}:${account.id}:*`,
            },
          },
        },
      ),
      tags,
    },
    { parent },
  );
  return key.arn;
}

/** The condition that only alarms of this account and region meet. */
function fromAlarms({ partition, region, id }: AwsAccount) {
  return {
    StringEquals: { "aws:SourceAccount": id },
    ArnLike: { "aws:SourceArn": pulumi.interpolate`arn:${partition}:cloudwatch:${region}:${id}:alarm:*` },
  };
}
