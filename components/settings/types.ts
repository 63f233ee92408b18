import type * as pulumi from "@pulumi/pulumi";
import type { JobSettings, Problem, Signing } from "../../providers/config.ts";
import type { AwsSettings } from "../aws/settings.ts";
import type { HostSettings } from "../host/settings.ts";

/** The stack's configuration as Pulumi hands it over. */
export interface RawSettings {
  readonly stack: string;
  /** Texts by key without the namespace; lists and objects are JSON. */
  readonly values: ReadonlyMap<string, string>;
  /** The region of AWS (`aws:region`, or AWS_REGION); undefined where nothing names one. */
  readonly region: string | undefined;
  /** Whether the region may be one that is not known here (`aws:skipRegionValidation`). Default false. */
  readonly skipRegionValidation?: boolean | undefined;
  /** Whether a key's value holds anything encrypted. */
  isSecret(key: string): boolean;
}

/** A job that is right, and where it stands. */
export interface CheckedJob {
  /** For instance `provision:jobs[0]`. */
  readonly path: string;
  readonly job: JobSettings;
}

/** What `provision:jobs` holds. */
export interface CheckedJobs {
  readonly jobs: readonly CheckedJob[];
  readonly problems: readonly Problem[];
  readonly references: readonly Reference[];
}

/** A reference to a secret, wherever in the configuration it stands. */
export interface Reference {
  readonly path: string;
  readonly kind: "secret" | "env" | "file" | "arn" | "ssm";
  readonly value: string;
}

/** What a target's rules check. */
export interface TargetInput extends Pick<CheckedJobs, "jobs" | "references"> {
  readonly raw: RawSettings;
  /** The names of the stack's secrets. */
  readonly secretNames: readonly string[];
}

/** What a target's rules found. */
export interface TargetFindings<Settings> {
  /** The target with its settings; undefined where they cannot be read. */
  readonly settings: Settings | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  /** The names of secrets that the target itself uses. */
  readonly secretNames: readonly string[];
}

/** What every target has. */
export interface CommonSettings {
  readonly stack: string;
  readonly jobs: readonly JobSettings[];
  /** The stack's secrets by name, each a secret output. */
  readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
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
