import { UnknownValueError, type PolicyConfigSchema, type PolicyResource } from "@pulumi/policy";

/** The types of resources that the rules are about. */
export const BUCKET = "aws:s3/bucket:Bucket";
export const KEY = "aws:kms/key:Key";
export const TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition";
export const SCHEDULE = "aws:scheduler/schedule:Schedule";

/** A companion of a bucket, such as its versioning: an S3 resource of its own. */
export const companion = (name: string): string => `aws:s3/${name[0]?.toLowerCase() ?? ""}${name.slice(1)}:${name}`;

/** The resources of a type, by its former name of S3 as well: `aws.s3.BucketV2`, `aws.s3.BucketVersioningV2`. */
export function ofType(resources: readonly PolicyResource[], type: string): PolicyResource[] {
  const former = type.startsWith("aws:s3/") ? type.replace(/:(\w+)$/, "V2:$1V2") : type;
  return resources.filter((resource) => resource.type === type || resource.type === former);
}

/**
 * Whether an argument of a resource names another one: by an output of it, or, where the program wrote the name itself, by equal
 * text. In a preview of a new stack a name that AWS gives is not known, but whose output it is.
 */
export function names(resource: PolicyResource, argument: string, other: PolicyResource): boolean {
  if (resource.propertyDependencies[argument]?.some(({ urn }) => urn === other.urn) === true) return true;
  const value = known((): unknown => resource.props[argument]);
  if (typeof value !== "string") return false;
  return ["bucket", "arn", "id"].some((output) => known((): unknown => other.props[output]) === value);
}

/** The buckets that hold backups: all but those into which another one logs its accesses, not itself. */
export function backupBuckets(resources: readonly PolicyResource[]): PolicyResource[] {
  const loggings = ofType(resources, companion("BucketLogging"));
  return ofType(resources, BUCKET).filter(
    (bucket) => !loggings.some((each) => names(each, "targetBucket", bucket) && !names(each, "bucket", bucket)),
  );
}

/** The companion of a bucket. */
export function companionOf(
  bucket: PolicyResource,
  name: string,
  resources: readonly PolicyResource[],
): PolicyResource | undefined {
  return ofType(resources, companion(name)).find((each) => names(each, "bucket", bucket));
}

/** In which stacks a rule holds. */
export const STACKS: PolicyConfigSchema = {
  properties: {
    stacks: {
      type: "array",
      items: { type: "string" },
      default: ["prod"],
      description: "The names of the stacks in which the rule holds; * stands for any characters. Default: prod.",
    },
  },
};

/** Whether a rule with the configuration {@link STACKS} holds for the stack that a resource is in. */
export function holdsIn({ stacks = ["prod"] }: { readonly stacks?: readonly string[] }, urn: string): boolean {
  const stack = urn.split("::")[0]?.split(":")[2] ?? "";
  return stacks.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`).test(stack);
  });
}

/** What stands at a path in the arguments of a resource: `rule.defaultRetention.days`, `rules.0`. Undefined where nothing does. */
export function at(props: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((within, key) => {
    return typeof within === "object" && within !== null ? (within as Record<string, unknown>)[key] : undefined;
  }, props);
}

/** A value of a resource where it is known: in a preview, reading one that is not throws. */
export function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnknownValueError) return undefined;
    throw error;
  }
}
