import * as aws from "@pulumi/aws";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** Whether the existing bucket exists, in the stack's region. AWS lists buckets nowhere else than in the account that has them. */
export async function lookUpBucket(questions: Questions, { bucket }: Pick<AwsArgs, "bucket">): Promise<void> {
  const name = plain(bucket.existing);
  if (name === undefined) return;
  const region = await questions.ask(
    `the bucket ${name}`,
    async () => (await aws.s3.getBucket({ bucket: name }, questions.opts)).bucketRegion,
  );
  if (region === undefined || region === questions.region) return;
  questions.warn(
    `bucket.existing: the bucket ${name} is in ${region}, and the stack in ${questions.region}. AWS bills what leaves a ` +
      "region, and no alarm notices what is stored there.",
  );
}
