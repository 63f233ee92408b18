import * as pulumi from "@pulumi/pulumi";
import type { JobConfig } from "../../../providers/config.ts";
import type { StackBucket } from "../../../providers/storage/index.ts";
import type { AwsAccount } from "../aws-account.ts";
import { trustPolicy } from "../service-role.ts";
import { repositoryArnOf } from "../backup-image/image-reference.ts";
import type { ExecutionNeeds } from "./execution-statements.ts";

/** The service that runs tasks. */
const ECS_TASKS = "ecs-tasks.amazonaws.com";

/** What the tasks of all jobs are made of. It is put together once: each step of an output costs a preview more than a job's text. */
export interface Shared {
  readonly account: pulumi.Output<pulumi.Unwrap<AwsAccount>>;
  /** The account, the bucket of the destinations that leave theirs to the stack, and the stack's first name. */
  readonly place: pulumi.Output<{
    readonly bucket: StackBucket;
    readonly account: pulumi.Unwrap<AwsAccount>;
    readonly first: string;
  }>;
  readonly image: pulumi.Output<string>;
  /** With what ECS starts every task. */
  readonly start: pulumi.Output<Pick<ExecutionNeeds, "repositoryArn" | "keyArn" | "existingKeyArns">>;
  /** Who may take the roles. */
  readonly trust: pulumi.Output<string>;
}

/** Of what it is made: see the arguments of `BackupRunner`. */
interface SharedArgs {
  readonly stack: string;
  readonly firstStack?: pulumi.Input<string> | undefined;
  readonly bucket: { readonly name: pulumi.Input<string>; readonly keyArn?: pulumi.Input<string> | undefined };
  readonly image: pulumi.Input<string>;
  readonly repositoryArn?: pulumi.Input<string> | undefined;
  readonly keyArn: pulumi.Input<string>;
  readonly secretKeyArns?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
}

/** What a job's tasks have in common. */
export interface Known {
  readonly config: JobConfig;
  readonly account: pulumi.Unwrap<AwsAccount>;
}

/** What is made once for all jobs. */
export function shared(
  { id, region, partition }: AwsAccount,
  { stack, firstStack = stack, bucket, image, repositoryArn, keyArn, secretKeyArns = [] }: SharedArgs,
): Shared {
  const account = pulumi.output({ id, region, partition });
  return {
    account,
    place: pulumi
      .all([account, bucket.name, bucket.keyArn, firstStack])
      .apply(([known, name, bucketKeyArn, first]) => ({
        account: known,
        bucket: { name, keyArn: bucketKeyArn },
        first,
      })),
    image: pulumi.output(image),
    start: pulumi
      .all([repositoryArn ?? pulumi.output(image).apply(repositoryArnOf), keyArn, pulumi.output(secretKeyArns)])
      .apply(([repository, own, existingKeyArns]) => ({ repositoryArn: repository, keyArn: own, existingKeyArns })),
    trust: trustPolicy({
      service: ECS_TASKS,
      // A task has no name before it is started: all of the account's in this region.
      sourceArn: pulumi.interpolate`arn:${partition}:ecs:${region}:${id}:*`,
      account: id,
    }),
  };
}
