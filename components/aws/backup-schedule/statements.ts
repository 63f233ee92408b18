import type * as pulumi from "@pulumi/pulumi";
import type { PolicyStatement } from "../../../providers/config.ts";
import type { AwsAccount } from "../aws-account.ts";

/** What the scheduler may do: have tasks run, and leave what it could not start in the queue. */
export function schedulerStatements(
  { partition, region, id }: pulumi.Unwrap<AwsAccount>,
  needs: {
    readonly machineArns: readonly string[];
    readonly queueArn: string;
    readonly keyArn: string;
    readonly groupName: string;
  },
): PolicyStatement[] {
  return [
    { Effect: "Allow", Action: ["states:StartExecution"], Resource: needs.machineArns },
    { Effect: "Allow", Action: ["sqs:SendMessage"], Resource: [needs.queueArn] },
    {
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: [needs.keyArn],
      Condition: {
        ArnLike: {
          "kms:EncryptionContext:aws:scheduler:schedule:arn": `arn:${partition}:scheduler:${region}:${id}:schedule/${needs.groupName}/*`,
        },
      },
    },
  ];
}

/** What the state machine may do: start these tasks in this cluster, hand them their roles, see and stop them, and fill the queue. */
export function machineStatements(
  { partition, region, id }: pulumi.Unwrap<AwsAccount>,
  needs: {
    readonly clusterArn: string;
    readonly queueArn: string;
    readonly roleArns: readonly string[];
    readonly families: readonly string[];
  },
): PolicyStatement[] {
  const ecs = `arn:${partition}:ecs:${region}:${id}`;
  const tasks = `${ecs}:task/${needs.clusterArn.split("/").at(-1) ?? ""}/*`;
  return [
    {
      Effect: "Allow",
      Action: ["ecs:RunTask"],
      Resource: needs.families.map((family) => `${ecs}:task-definition/${family}:*`),
      Condition: { ArnEquals: { "ecs:cluster": needs.clusterArn } },
    },
    {
      Effect: "Allow",
      Action: ["ecs:TagResource"],
      Resource: [tasks],
      Condition: { StringEquals: { "ecs:CreateAction": "RunTask" } },
    },
    { Effect: "Allow", Action: ["ecs:DescribeTasks", "ecs:StopTask"], Resource: [tasks] },
    {
      Effect: "Allow",
      Action: ["iam:PassRole"],
      Resource: needs.roleArns,
      Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
    { Effect: "Allow", Action: ["sqs:SendMessage"], Resource: [needs.queueArn] },
  ];
}
