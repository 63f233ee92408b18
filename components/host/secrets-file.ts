import * as pulumi from "@pulumi/pulumi";
import { machineCommand, type Machine } from "./machine.ts";
import { privateFileScripts } from "./private-file.ts";

/** Arguments of {@link SecretsFile}. */
export interface SecretsFileArgs {
  readonly machine: Machine;
  /** Absolute path of the file. */
  readonly path: string;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
  /** The stack's secrets by name. */
  readonly secrets: pulumi.Input<Readonly<Record<string, string>>>;
  /** The names of those that the jobs refer to: no other is written. */
  readonly names: readonly string[];
}

/** The secrets of all jobs on a machine, as one JSON object in a file that only the user of the backups can read. */
export class SecretsFile extends pulumi.ComponentResource {
  /** The file's path, once it is written. */
  readonly path: pulumi.Output<string>;

  constructor(name: string, args: SecretsFileArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:SecretsFile", name, {}, opts);
    const names = [...args.names].sort();
    const content = pulumi
      .secret(args.secrets)
      .apply((secrets) => `${JSON.stringify(Object.fromEntries(names.map((key) => [key, secrets[key]])), null, 2)}\n`);
    const command = machineCommand(
      `${name}-file`,
      args.machine,
      { ...privateFileScripts(args.path, args.user), path: args.path, stdin: content, secret: true },
      { parent: this },
    );
    this.path = command.id.apply(() => args.path);
    this.registerOutputs({ path: this.path });
  }
}
