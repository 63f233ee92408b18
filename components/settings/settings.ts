import * as pulumi from "@pulumi/pulumi";
import type { JobSettings, Signing } from "../../providers/config.ts";
import type { AwsSettings } from "../aws/settings.ts";
import { describeProblems } from "./describe-problems.ts";
import type { HostSettings } from "../host/settings.ts";
import { checkSettings } from "./rules.ts";

/** Namespace of the configuration: the project's name in Pulumi.yaml. */
const NAMESPACE = "provision";

/** What every target has. */
interface CommonSettings {
  readonly stack: string;
  readonly jobs: readonly JobSettings[];
  /** The stack's secrets by name; a secret output. */
  readonly secrets: pulumi.Output<Readonly<Record<string, string>>>;
  /** The names of the secrets that jobs refer to: the only ones that leave the stack. */
  readonly jobSecretNames: readonly string[];
  /** What signs the backups of all jobs that do not say so themselves. Left out: a key that the stack makes. */
  readonly signing?: Signing;
}

/** What the host target has of its own. */
export interface HostTarget {
  readonly target: "host";
  readonly host: HostSettings;
}

/** What the AWS target has of its own. */
export interface AwsTarget {
  readonly target: "aws";
  /** The region in which everything is made. */
  readonly region: string;
  readonly aws: AwsSettings;
}

/** A stack's configuration, checked and complete. */
export type Settings = CommonSettings & (HostTarget | AwsTarget);

/**
 * Reads the stack's configuration. Warns of what is odd; throws one `RunError` that lists all that is wrong, each with its
 * key and what to do.
 */
export function readSettings(): Settings {
  const stack = pulumi.getStack();
  const prefix = `${NAMESPACE}:`;
  const entries = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const { settings, problems, warnings } = checkSettings({
    stack,
    values: new Map(entries.map(([key, value]) => [key.slice(prefix.length), value])),
    // The order of the provider.
    region: new pulumi.Config("aws").get("region") ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION,
    isSecret: (key) => isConfigSecret(`${prefix}${key}`),
  });
  if (settings === undefined) throw new pulumi.RunError(describeProblems(stack, problems));
  for (const warning of warnings) void pulumi.log.warn(warning);
  const secrets = new pulumi.Config(NAMESPACE).getSecretObject<Record<string, string>>("secrets");
  return { ...settings, secrets: secrets ?? pulumi.secret<Record<string, string>>({}) };
}

/** Whether a key holds anything encrypted. The SDK has this, but leaves it out of its types. */
function isConfigSecret(key: string): boolean {
  const runtime = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };
  return runtime.isConfigSecret(key);
}
