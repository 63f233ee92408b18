import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { fitName } from "../../fit-name.ts";
import { GOOD_EXIT_CODES } from "../task-ends.ts";
import { RULE_NAME, type AlarmContext } from "./alarm.ts";

/** Ends of a task that its exit code does not tell: one that could not start has none. */
const BAD_STOP_CODES = [
  "TaskFailedToStart",
  "SpotInterruption",
  "TerminationNotice",
  "UserInitiated",
  "InfrastructureHealth",
];

/**
 * Tells the topic of every task of the cluster that failed, was killed or could not start: backup, prune, drill, report, restore.
 *
 * @param restarts how often a scheduled task is started again that was killed or could not start, which the message says
 * @param definitions with what the ARNs of the task definitions begin that are watched. Default: all are.
 */
export function tellOfFailedTasks(
  { parent, name, stack, topicArn, tags }: AlarmContext,
  clusterArn: pulumi.Input<string>,
  restarts: number,
  definitions?: pulumi.Input<string>,
): void {
  const rule = new aws.cloudwatch.EventRule(
    fitName(`${name}-failed-task`, RULE_NAME),
    {
      description: `Tasks of the backups of ${stack} that failed`,
      eventPattern: pulumi.jsonStringify({
        source: ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        detail: {
          clusterArn: [clusterArn],
          ...(definitions !== undefined && { taskDefinitionArn: [{ prefix: definitions }] }),
          lastStatus: ["STOPPED"],
          $or: [{ containers: { exitCode: [{ "anything-but": GOOD_EXIT_CODES }] } }, { stopCode: BAD_STOP_CODES }],
        },
      }),
      tags,
    },
    { parent },
  );
  new aws.cloudwatch.EventTarget(
    `${name}-failed-task-target`,
    {
      rule: rule.name,
      targetId: "topic",
      arn: topicArn,
      inputTransformer: {
        inputPaths: {
          task: "$.detail.taskArn",
          definition: "$.detail.taskDefinitionArn",
          code: "$.detail.containers[0].exitCode",
          reason: "$.detail.stoppedReason",
        },
        // EventBridge puts a text into quotation marks only where the template has them.
        inputTemplate:
          `"A task of the backups of ${stack} failed: <reason> (exit code <code>)."\n` +
          `"Task <task>"\n"Task definition <definition>"` +
          (restarts === 0
            ? ""
            : `\n"If a schedule started it, and it was killed or could not start, it is started again, ${restarts} times at most."`),
      },
    },
    { parent },
  );
}
