import * as pulumi from "@pulumi/pulumi";
import type { AwsAccount } from "../aws-account.ts";
import type { SecretVariable } from "./job-config.ts";

/** Where secrets are. */
export interface SecretPlaces {
  /** ARNs of the secrets that jobs refer to: the stack's by name, existing ones by the ARN that the reference has. */
  readonly secretArns: Readonly<Record<string, pulumi.Input<string>>>;
  readonly account: pulumi.Output<pulumi.Unwrap<AwsAccount>>;
}

/** The ARNs of a job's secrets: of the stack's own, of existing ones, and of parameters. */
export function secretArnsOf(job: string, secrets: readonly SecretVariable[], places: SecretPlaces) {
  const arnsOf = (kind: "secret" | "arn" | "ssm") =>
    secrets.filter(({ source }) => kind in source).map((secret) => secretArn(job, secret, places));
  return [arnsOf("secret"), arnsOf("arn"), arnsOf("ssm")] as const;
}

/**
 * The ARN of one of a job's secrets, or of a parameter.
 *
 * @throws RunError where the secret is the stack's and has no ARN
 */
export function secretArn(job: string, { source }: SecretVariable, places: SecretPlaces): pulumi.Input<string> {
  if ("ssm" in source) return parameterArn(source.ssm, places);
  const key = "secret" in source ? source.secret : source.arn;
  const arn = Object.hasOwn(places.secretArns, key) ? places.secretArns[key] : undefined;
  if (arn !== undefined) return arn;
  if ("arn" in source) return source.arn;
  throw new pulumi.RunError(
    `The job ${job} refers to the secret ${key}, of which no ARN is known. Put it into secretArns.`,
  );
}

/** A parameter's own name begins with a slash where it is a path, which the ARN has once. */
function parameterArn(reference: string, { account }: SecretPlaces): pulumi.Input<string> {
  if (reference.startsWith("arn:")) return reference;
  const name = reference.replace(/^\//, "");
  return account.apply(({ partition, region, id }) => `arn:${partition}:ssm:${region}:${id}:parameter/${name}`);
}
