import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { JobNames } from "../../../providers/config.ts";
import { MANIFEST } from "../../../providers/layout.ts";
import type { AwsAccount } from "../aws-account.ts";
import { fitName } from "../../fit-name.ts";
import { formerNames } from "../former-names.ts";
import { denyWithoutTls, policy } from "../policy.ts";
import { RULE_NAME, type AlarmContext } from "./alarm.ts";

/** Characters that a queue's name may have. */
const QUEUE_NAME = 80;

/**
 * A queue that takes the events of stored backups and forgets them after a minute. Nobody reads it: a rule wants a target,
 * and only its count of matches is of interest.
 */
export function receiptsQueue({ parent, name, tags }: AlarmContext, account: AwsAccount): pulumi.Output<string> {
  const queue = new aws.sqs.Queue(
    fitName(`${name}-receipts`, QUEUE_NAME),
    {
      messageRetentionSeconds: 60,
      sqsManagedSseEnabled: true,
      tags,
    },
    { parent },
  );
  new aws.sqs.QueuePolicy(
    `${name}-receipts-policy`,
    {
      queueUrl: queue.url,
      policy: policy(denyWithoutTls("sqs:*", queue.arn), {
        Sid: "TakeEvents",
        Effect: "Allow",
        Principal: { Service: "events.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: queue.arn,
        Condition: {
          ArnLike: {
            "aws:SourceArn": pulumi.interpolate`arn:${account.partition}:events:${account.region}:${account.id}:rule/*`,
          },
        },
      }),
    },
    { parent },
  );
  return queue.arn;
}

/**
 * A rule that matches each backup of a job that S3 says it has stored: a manifest, which is written last. That S3 tells it,
 * and not the runner, is the point.
 *
 * @param prefix the folder of the job's backups in the bucket, without a slash at its end
 * @returns the rule's name
 */
export function storedObjectRule(
  { parent, name, stack, tags }: AlarmContext,
  job: JobNames,
  prefix: pulumi.Input<string>,
  bucketName: pulumi.Output<string>,
  queueArn: pulumi.Input<string>,
): pulumi.Output<string> {
  const ruleName = (of: string) => fitName(`${name}-${of}-stored`, RULE_NAME);
  const rule = new aws.cloudwatch.EventRule(
    ruleName(job.name),
    {
      description: `Stored backups of the job ${job.name} of ${stack}`,
      eventPattern: pulumi.all([bucketName, prefix]).apply(([bucket, folder]) =>
        JSON.stringify({
          source: ["aws.s3"],
          "detail-type": ["Object Created"],
          detail: {
            bucket: { name: [bucket] },
            object: { key: [{ wildcard: `${folder.replaceAll(/[*\\]/g, "\\$&")}/*/${MANIFEST}` }] },
          },
        }),
      ),
      tags,
    },
    { parent, aliases: formerNames(job, ruleName) },
  );
  const targetName = (of: string) => `${name}-${of}-stored-target`;
  new aws.cloudwatch.EventTarget(
    targetName(job.name),
    { rule: rule.name, targetId: "receipts", arn: queueArn },
    { parent, aliases: formerNames(job, targetName) },
  );
  return rule.name;
}
