import * as aws from "@pulumi/aws";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/**
 * Whether the existing topic of the alarms exists. AWS lists an account's own topics alone, so that nothing is known of one of another
 * account. That it is in the stack's region is a rule of the settings.
 */
export async function lookUpTopic(
  questions: Questions,
  { alarms }: Pick<AwsArgs, "alarms">,
  account: string | undefined,
): Promise<void> {
  const [, , , , owner, name] = plain(alarms.topicArn)?.split(":") ?? [];
  if (name === undefined || account === undefined) return;
  if (owner !== account) {
    questions.unknown(`the topic ${name} of the account ${owner ?? ""}`, `AWS lists the topics of ${account} alone.`);
    return;
  }
  await questions.ask(`the topic ${name}`, () => aws.sns.getTopic({ name }, questions.opts));
}
