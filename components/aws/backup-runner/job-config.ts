import * as pulumi from "@pulumi/pulumi";
import { jobSecrets, underFirstName, type JobConfig, type JobSettings } from "../../../providers/config.ts";
import { arnVariable, secretVariable, ssmVariable } from "../../../providers/environment.ts";
import { monitorsOnAws } from "../../../providers/monitor/index.ts";
import { withStackBucket, type StackBucket } from "../../../providers/storage/index.ts";
import { OWNER_TAG, readsTag } from "../principals.ts";
import { purposes, type Purpose } from "./purposes.ts";

/**
 * What the runner reads in a task: the job with its stack, the stack's bucket where a destination leaves its bucket to the stack,
 * and CloudWatch's metrics, which the alarms and the dashboard live on. Secrets in Secrets Manager are variables there.
 *
 * When its tasks run is their schedules' business alone, so that a changed schedule changes nothing else.
 */
export function jobConfig(job: JobSettings, stack: string, bucket: StackBucket): JobConfig {
  const { drill, ...rest } = withoutSchedules(underFirstName(job));
  return withVariables({
    ...rest,
    ...(drill !== undefined && { drill: withoutSchedule(drill) }),
    stack,
    destinations: job.destinations.map((destination) => withStackBucket(destination, bucket)),
    monitor: monitorsOnAws(job.monitor),
  });
}

/** A secret that a task gets: the variable that the runner reads, and where the value comes from. */
export interface SecretVariable {
  readonly variable: string;
  /** Name of the stack's secret, the ARN of an existing one, or the name or ARN of a parameter. */
  readonly source: { readonly secret: string } | { readonly arn: string } | { readonly ssm: string };
}

/** Returns the tags of a role that reads some secrets: of an owner, those by which the policy of each secret knows it. */
export function readsTags(
  tags: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>> | undefined,
  secrets: readonly SecretVariable[],
): pulumi.Output<Record<string, string>> {
  const names = secrets.flatMap(({ source }) => ("secret" in source ? [source.secret] : []));
  return pulumi.output(tags ?? {}).apply((given) => {
    const owner = given[OWNER_TAG];
    return owner === undefined
      ? given
      : { ...given, ...Object.fromEntries(names.map((name) => [readsTag(name), owner])) };
  });
}

/** The secrets that a job's task for a purpose gets, each once, by the name of the variable. */
export function secretVariables(job: JobSettings, purpose: Purpose): SecretVariable[] {
  return secretsIn(job, purposes[purpose].secrets);
}

/** The secrets of some parts of a job's configuration, each once, by the name of the variable. */
export function secretsIn(job: JobSettings, parts: readonly string[]): SecretVariable[] {
  const found = new Map<string, SecretVariable>();
  for (const { path, ref } of jobSecrets(job)) {
    if (!parts.includes(String(path[0]))) continue;
    if ("secret" in ref) add({ variable: secretVariable(ref.secret), source: ref });
    if ("arn" in ref) add({ variable: arnVariable(ref.arn), source: ref });
    if ("ssm" in ref) add({ variable: ssmVariable(ref.ssm), source: ref });
  }
  return [...found.values()].sort((one, other) => (one.variable < other.variable ? -1 : 1));

  function add(secret: SecretVariable): void {
    found.set(secret.variable, secret);
  }
}

function withoutSchedule(drill: NonNullable<JobSettings["drill"]>): JobSettings["drill"] {
  const copy = { ...drill };
  delete copy.schedule;
  return copy;
}

function withoutSchedules(job: JobSettings): Omit<JobSettings, "schedule" | "prune" | "report"> {
  const copy = { ...job };
  delete copy.schedule;
  delete copy.prune;
  delete copy.report;
  return copy;
}

/** A task gets what exists at AWS as a variable too; it must not be able to ask there for more. */
function withVariables<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => withVariables(item)) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (first?.[0] === "arn" && entries.length === 1) return { env: arnVariable(String(first[1])) } as T;
  if (first?.[0] === "ssm" && entries.length === 1) return { env: ssmVariable(String(first[1])) } as T;
  return Object.fromEntries(entries.map(([key, item]) => [key, withVariables(item as unknown)])) as T;
}
