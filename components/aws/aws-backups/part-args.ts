import type * as pulumi from "@pulumi/pulumi";
import { firstName, jobSecrets, type JobSettings } from "../../../providers/config.ts";
import { jobFolder } from "../../../providers/layout.ts";
import { bucketRequest } from "../../../providers/storage/index.ts";
import { OWN_FOLDER } from "../../runner-files.ts";
import type { AlarmJob } from "../backup-alarms.ts";
import type { BackupBucketArgs } from "../backup-bucket.ts";
import type { BackupImageBuild } from "../backup-image.ts";
import type { AwsArgs } from "../settings.ts";

/** The settings of the bucket as its component takes them. */
export function bucketArgs(
  { bucket }: AwsArgs,
  keyArn: pulumi.Input<string>,
): Omit<BackupBucketArgs, "stack" | "jobs" | "tags"> {
  const { existing, keyArn: ownKey, protect, removeOnDestroy, confirmRemoval, ...made } = bucket;
  if (existing !== undefined) return { existing, keyArn: ownKey ?? keyArn };
  return {
    ...made,
    keyArn,
    protect,
    ...(removeOnDestroy && { removeOnDestroy, confirmRemoval: confirmRemoval ?? "" }),
  };
}

/** The image, or how it is built. */
export function imageArgs(
  { image, build, architecture }: AwsArgs,
  source = OWN_FOLDER,
): { image: pulumi.Input<string> } | { build: BackupImageBuild } {
  if (image !== undefined) return { image };
  return { build: { ...build, source, architecture } };
}

/** The ARNs of the secrets that existed before and that jobs refer to, each once. */
export function existingSecrets(jobs: readonly JobSettings[]): string[] {
  const refs = jobs.flatMap((job) => jobSecrets(job).map(({ ref }) => ref));
  return [...new Set(refs.flatMap((ref) => ("arn" in ref ? [ref.arn] : [])))].sort();
}

/** What the alarms have to know of a job: with the folder of its backups where it keeps some in the stack's own bucket. */
export function alarmJob(job: JobSettings, firstStack: pulumi.Output<string>): AlarmJob {
  const { name, rename, schedule, destinations } = job;
  const own = destinations.find((destination) => bucketRequest(destination) !== undefined);
  return {
    name,
    rename,
    ...(schedule !== undefined && { schedule }),
    ...(own !== undefined && {
      prefix: firstStack.apply((stack) => jobFolder({ stack, name: firstName(job) }, own.prefix)),
    }),
  };
}
