import * as pulumi from "@pulumi/pulumi";
import { RECORDS_FOLDER } from "../../providers/layout.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/** Arguments of {@link Folder}. */
export interface FolderArgs {
  readonly machine: Machine;
  /** Absolute path of the folder in which everything of the stack lives. */
  readonly path: string;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
}

/**
 * The stack's folder on a machine, with its `jobs` and `logs`; closed to others. It is removed with the stack unless
 * backups are left in it.
 */
export class Folder extends pulumi.ComponentResource {
  /** The folder's path, once it exists. */
  readonly path: pulumi.Output<string>;

  constructor(name: string, args: FolderArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:Folder", name, {}, opts);
    const folder = quote(args.path);
    const command = machineCommand(
      `${name}-path`,
      args.machine,
      {
        path: args.path,
        create: `${scriptStart}
${ownFunction(args.user)}
folder=${folder}
if [ ! -d "$folder" ]; then
  # The folders above it must stay open, for the user of the backups has to pass through them.
  (umask 022 && mkdir -p "$(dirname "$folder")") && mkdir "$folder" ||
    fail "$(id -un) cannot create $folder on $(hostname)." "Set provision:host.directory to a folder that $(id -un) may create, for instance $HOME/provision, or run as root."
  own "$folder"
fi
for part in jobs logs; do
  mkdir -p "$folder/$part" || fail "$(id -un) may not write in $folder on $(hostname): set provision:host.directory to another folder, or run as its owner."
  chmod 700 "$folder/$part"
  own "$folder/$part"
done`,
        delete: `folder=${folder}
rm -f "$folder"/logs/*.log "$folder/jobs/${RECORDS_FOLDER}"/store-*
rmdir "$folder/jobs/${RECORDS_FOLDER}" 2>/dev/null || true
rmdir "$folder/logs" "$folder/jobs" "$folder/backups" "$folder" 2>/dev/null || true`,
      },
      { parent: this },
    );
    this.path = command.id.apply(() => args.path);
    this.registerOutputs({ path: this.path });
  }
}
