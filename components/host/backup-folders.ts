import { dirname } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { OWNERS_FOLDER, STORE_MARK } from "../../providers/layout.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { folderMark, ownerFunctions, type Owner } from "./owner.ts";
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
  /** The stack's folder, which bears its owner's mark, and whose that is. */
  readonly folder: string;
  readonly owner: pulumi.Input<Owner>;
  /** What goes with the stack alone; see {@link FirstStack}. */
  readonly stack?: pulumi.Resource;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
  /** Whether `pulumi destroy` removes the backups of the stack's jobs. */
  readonly removeOnDestroy: boolean;
}

/**
 * The folders that hold backups on a machine. They are never removed, moved or replaced by a change of the settings: a
 * folder that is no longer named stays. `destroy` removes the backups of the stack's jobs where `removeOnDestroy` says so.
 */
export class BackupFolders extends pulumi.ComponentResource {
  constructor(name: string, args: BackupFoldersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:BackupFolders", name, {}, opts);
    const { folder, removeOnDestroy, user } = args;
    const parts = pulumi.all([args.folders, args.owner]);
    const paths = machineCommand(
      `${name}-paths`,
      args.machine,
      {
        create: parts.apply(([all]) => createScript(all, user)),
        ...(removeOnDestroy && { delete: parts.apply(([all, owner]) => deleteScript(all, folder, owner)) }),
      },
      { parent: this },
    );
    if (removeOnDestroy) this.#keepUnlessDestroyed(name, args, paths);
    this.registerOutputs({});
  }

  /**
   * Keeps the backups where the component goes and the stack stays: a changed target or connection, or a component that is renamed or
   * left out. This resource is removed before the folders are, and not at all where what it is `deletedWith` goes: in a `destroy`.
   */
  #keepUnlessDestroyed(
    name: string,
    { machine, folder, owner, stack }: BackupFoldersArgs,
    paths: pulumi.Resource,
  ): void {
    const kept = pulumi.output(owner).apply((found) => quote(keptMark(folder, found)));
    machineCommand(
      `${name}-kept`,
      machine,
      {
        create: pulumi.interpolate`rm -f ${kept}`,
        delete: pulumi.interpolate`[ ! -d ${quote(folder)} ] || : >${kept}`,
      },
      { parent: this, dependsOn: [paths], ...(stack !== undefined && { deletedWith: stack }) },
    );
  }
}

/** File in the stack's folder that says that an ordinary `up` has left the holder's component out. */
function keptMark(folder: string, { holder }: Owner): string {
  return `${folder}/.backups-kept-${holder}`;
}

function createScript(folders: readonly BackupFolder[], user: string | undefined): string {
  return `${scriptStart}
${ownFunction(user)}
make() {
  if [ ! -d "$1" ]; then
    (umask 022 && mkdir -p "$(dirname "$1")") && mkdir "$1" || fail "$(id -un) cannot create $1 on $(hostname): create it, or change the path of the destination."
    own "$1"
  fi
}
${[...new Set(folders.map(({ root }) => `make ${quote(root)}`))].join("\n")}`;
}

/** Removes the backups of the stack's jobs, as long as the stack's folder is this component's; other files stay. */
function deleteScript(folders: readonly BackupFolder[], folder: string, owner: Owner): string {
  return `${scriptStart}
${ownerFunctions(owner, true)}
${folderMark}
if [ -e ${quote(keptMark(folder, owner))} ]; then exit 0; fi
holds "$(folder_mark ${quote(folder)})" || exit 0
# Whose a job's folder is, its newest mark says: one of another owner's backups stays.
ours() {
  newest=$(ls "$1/${OWNERS_FOLDER}" 2>/dev/null | sort | tail -n 1)
  case $newest in "" | *-"$id".json) ;; *) return 1 ;; esac
}
${folders.map(removal).join("\n")}`;
}

/** Removes a job's folder, and those above it in the store that are empty then. */
function removal({ root, folder }: BackupFolder): string {
  const stack = dirname(folder);
  const store = quote(dirname(stack));
  // The mark goes with the last of the store's folders.
  return `if ours ${quote(`${root}/${folder}`)}; then
  rm -rf ${quote(`${root}/${folder}`)}
  (cd ${quote(root)} && { rmdir ${quote(stack)}; [ "$(ls -A ${store})" != ${STORE_MARK} ] || rm ${store}/${STORE_MARK}; rmdir -p ${store}; }) 2>/dev/null || true
fi`;
}
