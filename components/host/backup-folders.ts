import * as pulumi from "@pulumi/pulumi";
import { machineCommand, type Machine } from "./machine.ts";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/** One place in the machine's file system where backups are kept. */
export interface BackupFolder {
  /** Absolute path of the destination's root. */
  readonly root: string;
  /** The stack's own folder below it, relative to the root: all that may ever be removed. */
  readonly own: string;
}

/** Arguments of {@link BackupFolders}. */
export interface BackupFoldersArgs {
  readonly machine: Machine;
  readonly folders: readonly BackupFolder[];
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
  /** Whether `pulumi destroy` removes the stack's backups. */
  readonly removeOnDestroy: boolean;
}

/**
 * The folders that hold backups on a machine. They are never removed, moved or replaced by a change of the settings: a
 * folder that is no longer named stays as it is. `destroy` removes the stack's part of them where `removeOnDestroy` says so.
 */
export class BackupFolders extends pulumi.ComponentResource {
  constructor(name: string, args: BackupFoldersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:BackupFolders", name, {}, opts);
    const create = args.folders.map(({ root }) => `make ${quote(root)}`);
    const remove = args.folders.map(({ root, own }) => `rm -rf ${quote(`${root}/${own}`)}`);
    machineCommand(
      `${name}-paths`,
      args.machine,
      {
        create: `${scriptStart}
${ownFunction(args.user)}
make() {
  if [ ! -d "$1" ]; then
    (umask 022 && mkdir -p "$(dirname "$1")") && mkdir "$1" || fail "$(id -un) cannot create $1 on $(hostname): create it, or change the path of the destination."
    own "$1"
  fi
}
${create.join("\n")}`,
        ...(args.removeOnDestroy && { delete: `set -eu\n${remove.join("\n")}` }),
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
