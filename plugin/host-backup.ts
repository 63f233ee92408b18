import * as pulumi from "@pulumi/pulumi";
import { BackupHost } from "../components/host/backup-host.ts";
import { firstStack } from "../components/first-stack.ts";
import { hostSettings } from "../components/settings/program.ts";
import { withSigning } from "../components/signing-key.ts";
import { jobSettings, type JobArgs } from "./job.ts";

/** Arguments of {@link HostBackup}. */
export interface HostBackupArgs extends JobArgs {
  /** Folder of the machine that runs the deployment in which everything lives, the backups included. */
  directory: string;
  /** What starts the job: auto, systemd, crontab or none. Default auto. */
  scheduler?: string;
}

/** Backups of one database by the machine that runs the deployment, into a folder of its own. */
export class HostBackup extends pulumi.ComponentResource {
  /** The command that makes a backup now, as a shell takes it. */
  readonly run: pulumi.Output<string>;
  /** The command that lists the backups. */
  readonly list: pulumi.Output<string>;
  /** The command that restores the newest backup. */
  readonly restore: pulumi.Output<string>;
  /** Signs the backups; a secret. Keep a copy of it apart from the stack. */
  readonly signingKey: pulumi.Output<string>;

  /** @throws RunError which lists all that is wrong with the arguments */
  constructor(name: string, args: HostBackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:index:HostBackup", name, {}, opts);
    const { directory, scheduler = "auto", job } = args;
    const host = { directory, scheduler: scheduler as "auto" };
    const written = hostSettings({ ...jobSettings(args, { kind: "filesystem" }), host });
    const { settings, key } = withSigning(written, `${name}-signing`, { parent: this });
    // Of its own: each component of another language is a program by itself.
    const first = firstStack(settings.stack, `${name}-first-stack`, { parent: this });
    const outputs = new BackupHost(`${name}-host`, { ...settings, first }, { parent: this }).jobs[job];
    this.run = pulumi.output(outputs?.run ?? "");
    this.list = pulumi.output(outputs?.list ?? "");
    this.restore = pulumi.output(outputs?.restore ?? "");
    this.signingKey = pulumi.secret(key ?? "");
    this.registerOutputs({ run: this.run, list: this.list, restore: this.restore, signingKey: this.signingKey });
  }
}
