import type { JobSettings } from "../../../providers/config.ts";
import { bucketRequest } from "../../../providers/storage/index.ts";
import { repositoryArnOf } from "../backup-image/image-reference.ts";
import type { AwsArgs } from "../settings.ts";

/**
 * Whether tasks use no web service but AWS's own in the stack's region: the image is in ECR there, every store is the stack's bucket,
 * and there are neither files nor monitors, whose services are elsewhere. An image that is an output may be anywhere.
 */
export function usesOnlyEndpoints({
  aws,
  region,
  jobs,
}: {
  readonly aws: Pick<AwsArgs, "image">;
  readonly region: string;
  readonly jobs: readonly JobSettings[];
}): boolean {
  const { image } = aws;
  const near = image === undefined || (typeof image === "string" && repositoryArnOf(image)?.split(":")[3] === region);
  return near && jobs.every(isWithinAws);
}

function isWithinAws({ destinations, files, monitor }: JobSettings): boolean {
  return (
    files === undefined &&
    monitor.length === 0 &&
    destinations.every((destination) => bucketRequest(destination) !== undefined)
  );
}
