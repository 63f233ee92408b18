import * as pulumi from "@pulumi/pulumi";
import { checkSettings, describeProblems } from "./rules.ts";
import type { Settings } from "./types.ts";

/** Namespace of the configuration: the project's name in Pulumi.yaml. */
const NAMESPACE = "provision";

/**
 * Reads the stack's configuration. Warns of what is odd; throws one `RunError` that lists all that is wrong, each with its
 * key and what to do.
 */
export function readSettings(): Settings {
  const stack = pulumi.getStack();
  const prefix = `${NAMESPACE}:`;
  const entries = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const values = new Map(entries.map(([key, value]) => [key.slice(prefix.length), value]));
  const { settings, problems, warnings } = checkSettings({
    stack,
    values,
    region: awsRegion(),
    skipRegionValidation: skipsRegionValidation(),
    isSecret: (key) => isConfigSecret(`${prefix}${key}`),
  });
  if (settings === undefined) throw new pulumi.RunError(describeProblems(stack, problems));
  for (const warning of warnings) void pulumi.log.warn(warning);
  // Each by itself, so that a preview knows the others where one is made by `up`.
  const secrets = JSON.parse(values.get("secrets") ?? "{}") as Record<string, string>;
  return { ...settings, secrets: secretOutputs(secrets) };
}

/** Values by name as secret outputs. */
export function secretOutputs(
  values: Readonly<Record<string, pulumi.Input<string>>>,
): Readonly<Record<string, pulumi.Output<string>>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, pulumi.secret(value)]));
}

/** The region of AWS, in the order in which the provider looks for it; undefined where nothing names one. */
export function awsRegion(): string | undefined {
  return new pulumi.Config("aws").get("region") ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
}

/** Whether the provider takes regions that it does not know, and so do we. */
export function skipsRegionValidation(): boolean | undefined {
  return new pulumi.Config("aws").getBoolean("skipRegionValidation");
}

/** Whether a key holds anything encrypted. The SDK has this, but leaves it out of its types. */
function isConfigSecret(key: string): boolean {
  const runtime = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };
  return runtime.isConfigSecret(key);
}
