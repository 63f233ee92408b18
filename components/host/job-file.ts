import * as pulumi from "@pulumi/pulumi";
import type { JobConfig } from "../../providers/config.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { privateFileScripts } from "./private-file.ts";

/** Arguments of {@link JobFile}. */
export interface JobFileArgs {
  readonly machine: Machine;
  /** Absolute path of the file. */
  readonly path: string;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
  /** What the runner reads. */
  readonly job: JobConfig;
}

/** What the runner reads about one job, as JSON in a file that only the user of the backups can read. */
export class JobFile extends pulumi.ComponentResource {
  /** The file's path, once it is written. */
  readonly path: pulumi.Output<string>;

  constructor(name: string, args: JobFileArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:JobFile", name, {}, opts);
    const command = machineCommand(
      `${name}-file`,
      args.machine,
      {
        ...privateFileScripts(args.path, args.user),
        path: args.path,
        stdin: `${JSON.stringify(args.job, null, 2)}\n`,
      },
      { parent: this },
    );
    this.path = command.id.apply(() => args.path);
    this.registerOutputs({ path: this.path });
  }
}
