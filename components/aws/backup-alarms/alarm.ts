import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { JobNames } from "../../../providers/config.ts";
import { fitName } from "../../fit-name.ts";
import { formerNames } from "../former-names.ts";
import type { RoleLimits } from "../service-role.ts";

/** What all children of the alarms' component share. */
export interface AlarmContext extends RoleLimits {
  readonly parent: pulumi.Resource;
  /** Start of the children's names: the component's name and the stack's, as an alarm's name comes from its child's. */
  readonly name: string;
  readonly stack: string;
  readonly topicArn: pulumi.Input<string>;
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/** Characters that the name of an EventBridge rule may have. */
export const RULE_NAME = 64;

/** Characters that an alarm's name may have. */
const ALARM_NAME = 255;

/** An hour, the shortest period of an alarm that may look back a week. */
export const HOUR_SECONDS = 3600;

/** Hours that an alarm can look back at most: CloudWatch's limit is a week. */
export const LONGEST_LOOK_BACK_HOURS = 168;

/** Namespace of the metrics in the runner's log. */
export const NAMESPACE = "Provision";

/**
 * An alarm that tells the topic; also when it is over, where `tellsEnd`.
 *
 * @param job the job that it is about. Default: all of the stack
 */
export function alarm(
  { parent, name, topicArn, tags }: AlarmContext,
  suffix: string,
  args: aws.cloudwatch.MetricAlarmArgs,
  tellsEnd: boolean,
  job?: JobNames,
): void {
  const child = (jobName?: string) =>
    fitName([name, ...(jobName === undefined ? [] : [jobName]), suffix].join("-"), ALARM_NAME);
  new aws.cloudwatch.MetricAlarm(
    child(job?.name),
    {
      ...args,
      alarmActions: [topicArn],
      ...(tellsEnd && { okActions: [topicArn] }),
      tags,
    },
    { parent, aliases: job === undefined ? [] : formerNames(job, child) },
  );
}
