import * as aws from "@pulumi/aws";
import type { ExistingReplica } from "../backup-bucket/replica.ts";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** Whether the existing bucket exists, in the stack's region. AWS lists buckets nowhere else than in the account that has them. */
export async function lookUpBucket(questions: Questions, { bucket }: Pick<AwsArgs, "bucket">): Promise<void> {
  const name = plain(bucket.existing);
  if (name === undefined) return;
  const region = await regionOf(questions, name);
  if (region === undefined || region === questions.region) return;
  questions.warn(
    `bucket.existing: the bucket ${name} is in ${region}, and the stack in ${questions.region}. AWS bills what leaves a ` +
      "region, and no alarm notices what is stored there.",
  );
}

/** Whether the existing bucket for copies exists, in another region than the stack. One of another account cannot be asked about. */
export async function lookUpReplica(
  questions: Questions,
  { bucket }: Pick<AwsArgs, "bucket">,
  account: string | undefined,
): Promise<void> {
  const name = plain(ownReplica(bucket, account)?.bucketArn)?.split(":").at(-1);
  if (name === undefined || (await regionOf(questions, name)) !== questions.region) return;
  questions.warn(
    `bucket.replica: the bucket ${name} is in ${questions.region}, as the stack is: an outage of the region takes both away. Name one of ` +
      "another region or account.",
  );
}

/** The existing place of copies, where it is of this account. */
export function ownReplica({ replica }: AwsArgs["bucket"], account: string | undefined): ExistingReplica | undefined {
  if (replica === undefined || !("bucketArn" in replica)) return undefined;
  return replica.accountId === undefined || replica.accountId === account ? replica : undefined;
}

async function regionOf(questions: Questions, bucket: string): Promise<string | undefined> {
  return questions.ask(
    `the bucket ${bucket}`,
    async () => (await aws.s3.getBucket({ bucket }, questions.opts)).bucketRegion,
  );
}
