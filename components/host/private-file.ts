import { basename, dirname } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { JobConfig } from "../../providers/config.ts";
import { machineCommand, type Machine, type MachineCommandArgs } from "./machine.ts";
import { folderMark, ownerFunctions, type Owner } from "./owner.ts";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/** What the files of a machine share. */
interface PrivateFileArgs {
  readonly machine: Machine;
  /** Absolute path of the file. */
  readonly path: string;
  /** The stack's folder, in which the file is, and whose that is. */
  readonly folder: string;
  readonly owner: pulumi.Input<Owner>;
  /** The user that runs the backups, and alone can read the file. Default: the one who connects. */
  readonly user?: string | undefined;
}

/** One job's configuration, as JSON that the runner reads. */
export class JobFile extends pulumi.ComponentResource {
  constructor(
    name: string,
    args: PrivateFileArgs & { readonly job: pulumi.Input<JobConfig> },
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("provision:host:JobFile", name, {}, opts);
    this.registerOutputs({ path: writeFile(this, name, args, { stdin: pulumi.output(args.job).apply(toJson) }) });
  }
}

/** Arguments of {@link SecretsFile}. */
export interface SecretsFileArgs extends PrivateFileArgs {
  /** The stack's secrets by name. */
  readonly secrets: Readonly<Record<string, pulumi.Input<string>>>;
  /** The names of those that the jobs refer to: no other is written. */
  readonly names: readonly string[];
}

/** The secrets of all jobs on a machine, as one JSON object. */
export class SecretsFile extends pulumi.ComponentResource {
  constructor(name: string, args: SecretsFileArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:SecretsFile", name, {}, opts);
    const names = [...args.names].sort();
    const stdin = pulumi
      .secret(args.secrets)
      .apply((secrets) => toJson(Object.fromEntries(names.map((key) => [key, secrets[key]]))));
    this.registerOutputs({ path: writeFile(this, name, args, { stdin, secret: true }) });
  }
}

/** The file's path, once it is written. */
function writeFile(
  parent: JobFile | SecretsFile,
  name: string,
  { machine, path, ...place }: PrivateFileArgs,
  content: Pick<MachineCommandArgs, "stdin" | "secret">,
): pulumi.Output<string> {
  const scripts = pulumi.output(place.owner).apply((owner) => privateFileScripts(path, { ...place, owner }));
  const args = { create: scripts.create, delete: scripts.delete, path, ...content };
  return machineCommand(`${name}-file`, machine, args, { parent }).id.apply(() => path);
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * The scripts that write standard input to a file that only its user can read, and that remove it. The file is there whole
 * or not at all; its unfinished form has a fixed name, so that the next run or the removal gets rid of one that was left. In a
 * folder that another owner has taken over nothing is written, and what a newer holder has written is not removed.
 */
export function privateFileScripts(
  path: string,
  place: { readonly folder: string; readonly owner: Owner; readonly user?: string | undefined },
): { create: string; delete: string } {
  const common = `${scriptStart}
${ownerFunctions(place.owner, true)}
${folderMark}
found=$(folder_mark ${quote(place.folder)})`;
  const folder = dirname(path);
  const unfinished = `${folder}/.${basename(path)}.new`;
  return {
    // noclobber (-C) refuses a link that somebody has put in the unfinished file's place.
    create: `${common}
claim ${quote(`The folder ${place.folder}`)} "$found" "Set provision:host.directory to another folder."
${ownFunction(place.user)}
file=${quote(path)}
new=${quote(unfinished)}
trap 'rm -f "$new"' EXIT
if [ ! -d ${quote(folder)} ]; then
  mkdir -p ${quote(folder)}
  own ${quote(folder)}
fi
# Nothing is written before all of it is here: a script that is killed while it waits leaves nothing.
content=$(cat)
[ -n "$content" ] || fail "Nothing arrived for $file."
rm -f "$new"
(set -C && printf '%s\\n' "$content" >"$new")
own "$new"
mv -f "$new" "$file"`,
    // The last one out takes the folders along: when they move, they are not removed before what is in them.
    delete: `${common}
case $found in "" | -) ;; *) holds "$found" || exit 0 ;; esac
rm -f ${quote(path)} ${quote(unfinished)}
rmdir ${quote(folder)} ${quote(dirname(folder))} 2>/dev/null || true`,
  };
}
