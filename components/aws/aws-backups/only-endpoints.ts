import { jobSecrets, type JobSettings } from "../../../providers/config.ts";
import { bucketRequest } from "../../../providers/storage/index.ts";
import { repositoryArnOf } from "../backup-image/image-reference.ts";
import type { AwsArgs } from "../settings.ts";
import type { Endpoint } from "../settings/network.ts";

/** What the tasks of a stack are made of. */
interface Tasks {
  readonly aws: Pick<AwsArgs, "image">;
  readonly jobs: readonly JobSettings[];
}

/**
 * Whether tasks use no web service but AWS's own in the stack's region: the image is in ECR there, every store is the stack's bucket,
 * all secrets and parameters are there, and there are neither files nor monitors, whose services are elsewhere. An image that is an
 * output may be anywhere.
 */
export function usesOnlyEndpoints({ aws, region, jobs }: Tasks & { readonly region: string }): boolean {
  const { image } = aws;
  const near = image === undefined || (typeof image === "string" && repositoryArnOf(image)?.split(":")[3] === region);
  return near && jobs.every((job) => isWithin(region, job));
}

/** The services of AWS that tasks call, as far as an endpoint can lead to them. */
export function neededServices({ aws: { image }, jobs }: Tasks): Endpoint[] {
  const refs = jobs.flatMap((job) => jobSecrets(job).map(({ ref }) => ref));
  const inEcr = typeof image !== "string" || repositoryArnOf(image) !== undefined;
  const needed: Partial<Record<Endpoint, boolean>> = {
    "ecr.api": inEcr,
    "ecr.dkr": inEcr,
    logs: true,
    s3: true,
    secretsmanager: refs.some((ref) => "secret" in ref || "arn" in ref),
    ssm: refs.some((ref) => "ssm" in ref),
  };
  return (Object.keys(needed) as Endpoint[]).filter((service) => needed[service]);
}

function isWithin(region: string, job: JobSettings): boolean {
  const { destinations, files, monitor } = job;
  const arns = jobSecrets(job).map(({ ref }) => ("arn" in ref ? ref.arn : "ssm" in ref ? ref.ssm : ""));
  return (
    files === undefined &&
    monitor.length === 0 &&
    destinations.every((destination) => bucketRequest(destination) !== undefined) &&
    arns.every((arn) => !arn.startsWith("arn:") || arn.split(":")[3] === region)
  );
}
