import { dirname } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { STORE_MARK } from "../../providers/layout.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/** One place in the machine's file system where backups are kept. */
export interface BackupFolder {
  /** Absolute path of the destination's root. */
  readonly root: string;
  /** The folder of a job's backups below it, relative to the root: all that may ever be removed. */
  readonly folder: string;
}

/** Arguments of {@link BackupFolders}. */
export interface BackupFoldersArgs {
  readonly machine: Machine;
  readonly folders: pulumi.Input<readonly BackupFolder[]>;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
  /** Whether `pulumi destroy` removes the backups of the stack's jobs. */
  readonly removeOnDestroy: boolean;
}

/**
 * The folders that hold backups on a machine. They are never removed, moved or replaced by a change of the settings: a
 * folder that is no longer named stays as it is. `destroy` removes the backups of the stack's jobs where `removeOnDestroy` says so.
 */
export class BackupFolders extends pulumi.ComponentResource {
  constructor(name: string, args: BackupFoldersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:BackupFolders", name, {}, opts);
    const folders = pulumi.output(args.folders);
    machineCommand(
      `${name}-paths`,
      args.machine,
      {
        create: folders.apply(
          (all) => `${scriptStart}
${ownFunction(args.user)}
make() {
  if [ ! -d "$1" ]; then
    (umask 022 && mkdir -p "$(dirname "$1")") && mkdir "$1" || fail "$(id -un) cannot create $1 on $(hostname): create it, or change the path of the destination."
    own "$1"
  fi
}
${[...new Set(all.map(({ root }) => `make ${quote(root)}`))].join("\n")}`,
        ),
        ...(args.removeOnDestroy && { delete: folders.apply((all) => ["set -eu", ...all.map(removal)].join("\n")) }),
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

/** Removes a job's folder, and those above it in the store that are empty then; other files stay. */
function removal({ root, folder }: BackupFolder): string {
  const stack = dirname(folder);
  const store = quote(dirname(stack));
  // The mark goes with the last of the store's folders.
  return `rm -rf ${quote(`${root}/${folder}`)}
(cd ${quote(root)} && { rmdir ${quote(stack)}; [ "$(ls -A ${store})" != ${STORE_MARK} ] || rm ${store}/${STORE_MARK}; rmdir -p ${store}; }) 2>/dev/null || true`;
}
