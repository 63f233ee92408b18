import * as pulumi from "@pulumi/pulumi";
import { RECORDS_FOLDER } from "../../providers/layout.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { folderMark, ownerFunctions, takePlace, type Owner } from "./owner.ts";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/** Arguments of {@link Folder}. */
export interface FolderArgs {
  readonly machine: Machine;
  /** Absolute path of the folder in which everything of the stack lives. */
  readonly path: string;
  readonly owner: pulumi.Input<Owner>;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
}

/**
 * The stack's folder on a machine, with its `jobs` and `logs`; closed to others. It bears its owner's mark, and another's is refused.
 * It is removed with the stack unless backups are left in it.
 */
export class Folder extends pulumi.ComponentResource {
  /** The folder's path, once it exists. */
  readonly path: pulumi.Output<string>;

  constructor(name: string, args: FolderArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:Folder", name, {}, opts);
    const owner = pulumi.all([args.owner, args.machine.place]).apply(([found, place]) => {
      takePlace(`${args.path} on ${place}`, found, "Give each a directory of its own.");
      return found;
    });
    const command = machineCommand(
      `${name}-path`,
      args.machine,
      {
        path: args.path,
        create: owner.apply((found) => createScript(args, found, false)),
        update: owner.apply((found) => createScript(args, found, true)),
        delete: owner.apply((found) => deleteScript(args.path, found)),
      },
      { parent: this },
    );
    this.path = command.id.apply(() => args.path);
    this.registerOutputs({ path: this.path });
  }
}

function createScript({ path, user }: FolderArgs, owner: Owner, known: boolean): string {
  return `${scriptStart}
${ownFunction(user)}
${ownerFunctions(owner, known)}
${folderMark}
folder=${quote(path)}
found=$(folder_mark "$folder")
# Without a mark and without jobs, it is a folder that a person has made for this stack, or what a destroyed one has left.
if [ "$found" = - ] && [ ! -e "$folder/secrets.json" ] && ! ls "$folder"/jobs/*.json >/dev/null 2>&1; then found=; fi
claim "The folder $folder" "$found" "Set provision:host.directory to another folder."
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
done
printf '%s\\n' "$mark" >"$folder/.owner.new"
own "$folder/.owner.new"
mv -f "$folder/.owner.new" "$folder/.owner"`;
}

function deleteScript(path: string, owner: Owner): string {
  return `${scriptStart}
${ownerFunctions(owner, true)}
${folderMark}
folder=${quote(path)}
holds "$(folder_mark "$folder")" || exit 0
rm -f "$folder"/logs/*.log "$folder/jobs/${RECORDS_FOLDER}"/store-* "$folder"/.backups-kept-* "$folder/.owner"
rmdir "$folder/jobs/${RECORDS_FOLDER}" 2>/dev/null || true
rmdir "$folder/logs" "$folder/jobs" "$folder/backups" "$folder" 2>/dev/null || true`;
}
