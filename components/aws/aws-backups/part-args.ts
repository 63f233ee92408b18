import type * as pulumi from "@pulumi/pulumi";
import { OWN_FOLDER } from "../../runner-files.ts";
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
