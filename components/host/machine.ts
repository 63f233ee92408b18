import { local, remote, type types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { quote } from "./shell.ts";

/** The machine that makes the backups: this one, or one that is reached over SSH. */
export interface Machine {
  /** How to reach it. Left out: this machine. */
  readonly connection?: pulumi.Input<types.input.remote.ConnectionArgs>;
  /** Tells machines apart, for instance `root@db1:22` or `localhost`. */
  readonly place: pulumi.Input<string>;
}

/** What is done on a machine, as POSIX shell scripts; each must be right also when run a second time. */
export interface MachineCommandArgs {
  /** Brings the wished state about: runs when the resource is created and when anything of it changes. */
  readonly create: pulumi.Input<string>;
  /** What runs instead of `create` where the state has the resource already. Default: `create`. */
  readonly update?: pulumi.Input<string>;
  /** Takes it back. Left out: nothing is done. */
  readonly delete?: pulumi.Input<string>;
  /** Handed to the scripts as standard input. With a secret in it, the outputs are secrets too and nothing is logged. */
  readonly stdin?: pulumi.Input<string>;
  /** True where `stdin` holds secrets. */
  readonly secret?: boolean;
  /**
   * Where on the machine this resource is. When the machine or this changes, the resource is taken away at its old place
   * and then made at the new one. Left out: what is at the old place stays.
   */
  readonly path?: string;
}

/** A command resource on a machine. */
export type MachineCommand = local.Command | remote.Command;

/**
 * Makes the one resource through which anything is done on a machine. It uses no `environment`: SSH servers refuse
 * variables that they do not know. Triggers stand for the resource's place alone, since their change is the only thing
 * that runs the old `delete`; `deleteBeforeReplace` keeps that from removing what the new `create` has made.
 */
export function machineCommand(
  name: string,
  machine: Machine,
  args: MachineCommandArgs,
  opts: pulumi.CustomResourceOptions,
): MachineCommand {
  const script = {
    ...(args.stdin !== undefined && { stdin: args.secret === true ? pulumi.secret(args.stdin) : args.stdin }),
    ...(args.path !== undefined && { triggers: [pulumi.interpolate`${machine.place}:${args.path}`] }),
    addPreviousOutputInEnv: false,
  };
  const options = pulumi.mergeOptions(opts, {
    deleteBeforeReplace: true,
    ...(args.secret === true && { additionalSecretOutputs: ["stdin", "stdout", "stderr"] }),
  });
  if (machine.connection === undefined) {
    const logging = args.secret === true ? local.Logging.None : local.Logging.Stderr;
    const { create, update, delete: remove } = args;
    return new local.Command(
      name,
      { ...script, create, ...(update && { update }), ...(remove && { delete: remove }), logging },
      options,
    );
  }
  // The user's login shell reads the command; it may be none that reads POSIX scripts.
  const posix = (text: pulumi.Input<string>) =>
    pulumi.output(text).apply((script) => `exec /bin/sh -c ${quote(script)}`);
  const logging = args.secret === true ? remote.Logging.None : remote.Logging.Stderr;
  const { connection } = machine;
  const scripts = {
    create: posix(args.create),
    ...(args.update && { update: posix(args.update) }),
    ...(args.delete && { delete: posix(args.delete) }),
  };
  return new remote.Command(name, { ...script, connection, ...scripts, logging }, options);
}
