import * as aws from "@pulumi/aws";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** Whether the existing cluster is in this account and takes tasks. That it is in the stack's region is a rule of the settings. */
export async function lookUpCluster(
  questions: Questions,
  { clusterArn }: Pick<AwsArgs, "clusterArn">,
  account: string | undefined,
): Promise<void> {
  const arn = plain(clusterArn);
  if (arn === undefined) return;
  const owner = arn.split(":")[4];
  if (account !== undefined && owner !== account) {
    questions.warn(
      `clusterArn: ${arn} is of the account ${owner ?? ""}, and tasks of ${account} run in clusters of their own account alone.`,
    );
    return;
  }
  const clusterName = arn.split("/").at(-1) ?? "";
  const status = await questions.ask(
    `the cluster ${clusterName}`,
    async () => (await aws.ecs.getCluster({ clusterName }, questions.opts)).status,
  );
  if (status === undefined || status === "ACTIVE") return;
  questions.warn(
    `clusterArn: the cluster ${clusterName} is not active (${status}), and no task starts in it. Name another, or let the stack make ` +
      "one: pulumi config rm --path provision:aws.clusterArn",
  );
}
