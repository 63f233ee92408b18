import * as aws from "@pulumi/aws";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** Whether the existing log group exists: ECS starts no task that cannot write to its log. */
export async function lookUpLogGroup(questions: Questions, { logs }: Pick<AwsArgs, "logs">): Promise<void> {
  const name = plain(logs.group);
  if (name === undefined) return;
  await questions.ask(`the log group ${name}`, () => aws.cloudwatch.getLogGroup({ name }, questions.opts));
}
