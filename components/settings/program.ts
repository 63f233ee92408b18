import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { exampleAt, type JobSettings, type Problem, type Signing } from "../../providers/config.ts";
import { AwsSettings, type AwsArgs, type MayComeLater } from "../aws/settings.ts";
import type { HostSettings } from "../host/settings.ts";
import { checkSettings } from "./rules.ts";
import { isObject } from "./rules/raw.ts";
import { awsRegion, secretOutputs } from "./settings.ts";
import type { AwsTarget, CommonSettings, HostTarget, Settings } from "./types.ts";

/** What a program says itself, where a stack of this project has its configuration. */
export interface ProgramSettings {
  /** The jobs, as `provision:jobs` takes them. They decide which resources there are, and so are known beforehand. */
  readonly jobs: readonly z.input<typeof JobSettings>[];
  /** The values of the secrets that jobs refer to, by name. They stay secret outputs. Default: none. */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** What signs the backups, as `provision:signing` takes it. Default: the key that `withSigning` makes. */
  readonly signing?: z.input<typeof Signing>;
  /** A part of every name, and the folder of the backups. Default: the stack's name. */
  readonly stack?: string;
}

/** What a program says of backups on AWS. */
export interface AwsProgramSettings extends ProgramSettings {
  /** What `provision:aws` takes. What another resource may make is an input: it is checked once it is known. */
  readonly aws?: MayComeLater<z.input<typeof AwsSettings>>;
  /** The region in which everything is made. Default: `aws:region`, AWS_REGION or AWS_DEFAULT_REGION. */
  readonly region?: string;
}

/** What a program says of backups on a Linux machine. */
export interface HostProgramSettings extends ProgramSettings {
  /** What `provision:host` takes. */
  readonly host?: z.input<typeof HostSettings>;
}

/** The fields of `aws` whose values other resources may make. All others decide which resources there are. */
const LATER =
  /^(image|network\.(vpcId|subnetIds(\.\d+)?)|bucket\.(existing|keyArn)|alarms\.topicArn|secretKeyArns(\.\d+)?|permissionsBoundary)$/;

type Path = readonly (string | number)[];

/**
 * The arguments of `AwsBackups`, checked and with all defaults.
 *
 * @throws RunError which lists all that is wrong
 */
export function awsSettings({
  aws = {},
  region = awsRegion(),
  ...common
}: AwsProgramSettings): CommonSettings & Omit<AwsTarget, "aws"> & { readonly aws: AwsArgs } {
  const outputs: [Path, pulumi.Output<unknown>][] = [];
  // Examples stand for what is not known yet.
  const example = replaceOutputs(aws, (path, output) => {
    outputs.push([path, output]);
    const found = exampleAt(AwsSettings, path, aws);
    // An alarm tells topics of its own region alone.
    return typeof found === "string" ? found.replace(/^(arn:[^:]*:sns:)[^:]*/, `$1${region ?? ""}`) : found;
  });
  const check = (values: unknown) => checked("aws", common, values, region);
  const decisive = outputs.map(([path]) => path.join(".")).filter((path) => !LATER.test(path));
  if (decisive.length > 0) {
    throw new pulumi.RunError(
      `aws.${decisive.join(", aws.")}: this decides which resources there are, and so cannot come from one. Write the value itself.`,
    );
  }
  const settings = check(example);
  const complete = outputs.reduce<unknown>((values, [path, output]) => {
    const later = output.apply((value) => {
      check(replaceAt(example, path, value));
      return value;
    });
    return replaceAt(values, path, later);
  }, settings.aws);
  return { ...settings, aws: complete as AwsArgs };
}

/**
 * The arguments of `BackupHost`, checked and with all defaults.
 *
 * @throws RunError which lists all that is wrong
 */
export function hostSettings({ host = {}, ...common }: HostProgramSettings): CommonSettings & HostTarget {
  return checked("host", common, host);
}

function checked<Target extends Settings["target"]>(
  target: Target,
  { jobs, secrets = {}, signing, stack = pulumi.getStack() }: ProgramSettings,
  own: unknown,
  region?: string,
): Extract<Settings, { target: Target }> {
  // Of an output only the name is known.
  const texts = Object.entries(secrets).map(([name, value]) => [name, typeof value === "string" ? value : "later"]);
  const values = Object.entries({
    target,
    jobs,
    secrets: Object.fromEntries(texts) as unknown,
    signing,
    [target]: own,
  });
  const { settings, problems, warnings } = checkSettings({
    stack,
    values: new Map(
      values.flatMap(([key, value]) =>
        value === undefined ? [] : [[key, typeof value === "string" ? value : JSON.stringify(value)]],
      ),
    ),
    region,
    isSecret: () => true,
  });
  if (settings === undefined) throw new pulumi.RunError(problems.map(inProgram).join("\n"));
  for (const warning of warnings) void pulumi.log.warn(warning);
  return { ...settings, secrets: secretOutputs(secrets) } as Extract<Settings, { target: Target }>;
}

/** Without the fix, which is one of a stack's configuration. */
function inProgram({ path, message }: Problem): string {
  return `${path.replace(/^provision:/, "")}: ${message}.`;
}

/** A copy in which something else is in the place of each output. */
function replaceOutputs(
  value: unknown,
  replace: (path: Path, output: pulumi.Output<unknown>) => unknown,
  path: Path = [],
): unknown {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return replace(path, pulumi.output(value));
  if (Array.isArray(value)) return value.map((item, index) => replaceOutputs(item, replace, [...path, index]));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replaceOutputs(item, replace, [...path, key])]),
  );
}

/** A copy with another value at a path that is there. */
function replaceAt(value: unknown, [first, ...rest]: Path, other: unknown): unknown {
  if (first === undefined) return other;
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === first ? replaceAt(item, rest, other) : item));
  const fields = value as Record<string, unknown>;
  return { ...fields, [first]: replaceAt(fields[first], rest, other) };
}
