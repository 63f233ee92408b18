import * as aws from "@pulumi/aws";
import type { AwsArgs } from "../settings.ts";
import { ownReplica } from "./bucket.ts";
import { plain, plainList } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** Whether the existing keys exist and are in use. Each is asked for in the region that its ARN names. */
export async function lookUpKeys(
  questions: Questions,
  { keyArn, bucket, secretKeyArns }: Pick<AwsArgs, "keyArn" | "bucket" | "secretKeyArns">,
  account: string | undefined,
): Promise<void> {
  const ofCopies = plain(ownReplica(bucket, account)?.keyArn);
  const arns = new Set([plain(keyArn), plain(bucket.keyArn), ofCopies, ...plainList(secretKeyArns)]);
  await Promise.all(
    [...arns].map(async (arn) => {
      if (arn === undefined) return;
      const region = arn.split(":")[3] ?? questions.region;
      const state = await questions.ask(
        `the key ${arn}`,
        async () => (await aws.kms.getKey({ keyId: arn, region }, questions.opts)).keyState,
      );
      if (state === undefined || state === "Enabled") return;
      questions.warn(`The key ${arn} is not enabled (${state}): what it encrypts can be neither written nor read.`);
    }),
  );
}
