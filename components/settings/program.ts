import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { exampleAt, type JobSettings, type Problem, type Signing } from "../../providers/config.ts";
import { AwsSettings, type AwsArgs, type MayComeLater } from "../aws/settings.ts";
import { HostSettings, type HostArgs, type HostMayComeLater } from "../host/settings.ts";
import { checkedLater, type Path } from "./later.ts";
import { checkSettings } from "./rules.ts";
import { awsRegion, secretOutputs, skipsRegionValidation } from "./settings.ts";
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
  /** What `provision:host` takes. The address, port and key of a machine may be inputs, which are checked once they are known. */
  readonly host?: HostMayComeLater<z.input<typeof HostSettings>>;
}

/** The fields of `aws` whose values other resources may make. All others decide which resources there are. */
const LATER =
  /^(image|network\.(vpcId|(subnetIds|securityGroupIds)(\.\d+)?|allowTo\.securityGroupId|databases\.\d+\.(securityGroupId|cidr)|https\.\d+\.(securityGroupId|cidr|prefixListId))|bucket\.(existing|keyArn|replica\.(bucketArn|keyArn|accountId))|alarms\.topicArn|logs\.group|roles\.(jobs\.[^.]+\.)?[a-zA-Z]+|clusterArn|keyArn|secretKeyArns(\.\d+)?|permissionsBoundary)$/;

/** The same of `host`. */
const LATER_ON_HOST = /^connection\.(host|port|hostKey)$/;

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
  const exampleOf = (path: Path): unknown => {
    const found = exampleAt(AwsSettings, path, aws);
    // What exists has to be in the stack's region.
    return typeof found === "string" ? found.replace(/^(arn:[^:]*:(?:sns|ecs|kms):)[^:]*/, `$1${region ?? ""}`) : found;
  };
  const check = (own: unknown) => checked("aws", common, own, region);
  const { settings, complete } = checkedLater("aws", aws, LATER, exampleOf, check);
  return { ...settings, aws: complete as AwsArgs };
}

/**
 * The arguments of `BackupHost`, checked and with all defaults.
 *
 * @throws RunError which lists all that is wrong
 */
export function hostSettings({
  host = {},
  ...common
}: HostProgramSettings): CommonSettings & Omit<HostTarget, "host"> & { readonly host: HostArgs } {
  const exampleOf = (path: Path): unknown => exampleAt(HostSettings, path, host);
  const { settings, complete } = checkedLater("host", host, LATER_ON_HOST, exampleOf, (own) =>
    checked("host", common, own),
  );
  return { ...settings, host: complete as HostArgs };
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
    skipRegionValidation: skipsRegionValidation(),
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
