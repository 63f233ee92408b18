import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { underFirstName, type JobConfig, type JobSettings } from "../../providers/config.ts";
import { BackupFolders } from "./backup-folders.ts";
import { withFolder } from "../../providers/storage/index.ts";
import { backupFolders, backupsIn, describeDestinations } from "./destinations.ts";
import { Folder } from "./folder.ts";
import type { HostArgs } from "./settings.ts";
import type { Machine } from "./machine.ts";
import { OWN_FOLDER } from "../runner-files.ts";
import { Installation } from "./installation.ts";
import { runnerCommand, toShell, withSchedule } from "./runner-command.ts";
import { Schedule } from "./schedule.ts";
import { JobFile, SecretsFile } from "./private-file.ts";
import { ownerOf } from "./owner.ts";
import { quote } from "./shell.ts";
import { firstStack, type FirstStack } from "../first-stack.ts";
import { reportCommand } from "../report-command.ts";
import { defaultDirectory } from "./settings.ts";

/** Arguments of {@link BackupHost}. */
export interface BackupHostArgs {
  /** The stack's name: part of the backups' place and of the units' names. */
  readonly stack: string;
  readonly host: HostArgs;
  readonly jobs: readonly JobSettings[];
  /** The stack's secrets by name. */
  readonly secrets: Readonly<Record<string, pulumi.Input<string>>>;
  /** The names of the secrets that jobs refer to. */
  readonly jobSecretNames: readonly string[];
  /** What the state keeps of the stack. Default: what all components of the program share. */
  readonly first?: FirstStack;
  /** The folder of this project, whose runner makes the backups. Default: its own, also as a package. */
  readonly source?: string;
}

/** What a person needs to know of a job. */
export interface JobOutputs {
  /** How it is scheduled: `systemd system`, `systemd user`, `crontab` or `none`; `by hand` where it has no schedule. */
  readonly scheduled: pulumi.Input<string>;
  /** Where its backups are, one entry a destination. */
  readonly backups: pulumi.Input<readonly string[]>;
  /** The command that makes a backup now, as a shell on this machine takes it; so are the others. */
  readonly run: pulumi.Input<string>;
  readonly list: pulumi.Input<string>;
  readonly verify: pulumi.Input<string>;
  /** Restores the newest verified backup into a scratch database and compares; only where the job has drills. */
  readonly drill?: pulumi.Input<string>;
  /** Prints what is recoverable and what proves it; `--out report.html` makes a page. */
  readonly report: pulumi.Input<string>;
  /** Restores the newest backup into the empty database whose URL is in the file that follows `--to`. */
  readonly restore: pulumi.Input<string>;
}

/** All that makes backups on a Linux machine: a folder, the secrets, and for each job its file and its schedule. */
export class BackupHost extends pulumi.ComponentResource {
  /** What a person needs to know, by job. */
  readonly jobs: Readonly<Record<string, JobOutputs>>;

  constructor(name: string, args: BackupHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:BackupHost", name, {}, opts);
    const { stack, host, source = OWN_FOLDER, first = firstStack(args.stack) } = args;
    const { directory } = host;
    const project = pulumi.getProject();
    const machine = toMachine(host, args.secrets);
    const owner = ownerOf(this, name, { machine, first, adopt: host.adopt ?? false });
    const common = { machine, folder: directory, owner, ...(host.user !== undefined && { user: host.user }) };
    const jobs = args.jobs.map(({ schedule, ...job }) => ({
      name: job.name,
      schedule,
      drillSchedule: job.drill?.schedule,
      reportSchedule: job.report?.schedule,
      publish: reportCommand(job),
      timeoutMinutes: job.timeoutMinutes,
      drills: job.drill !== undefined,
      scratch: scratchOf(job),
      job: first.name.apply((name) => toJobConfig(job, name, backupsOf(directory, stack, name))),
    }));
    const roots = (job: JobConfig) => backupFolders([job]).map(({ root }) => root);

    const folder = new Folder(`${name}-folder`, { ...common, path: directory }, { parent: this });
    const inFolder = { parent: this, dependsOn: [folder] };
    const backups = new BackupFolders(
      `${name}-backups`,
      {
        ...common,
        folders: pulumi.all(jobs.map(({ job }) => job)).apply(backupFolders),
        removeOnDestroy: host.removeBackupsOnDestroy,
        ...(first.resource && { stack: first.resource }),
      },
      inFolder,
    );
    const secretsFile = `${directory}/secrets.json`;
    const secrets = new SecretsFile(
      `${name}-secrets`,
      { ...common, path: secretsFile, secrets: args.secrets, names: args.jobSecretNames },
      inFolder,
    );
    const installation = new Installation(
      `${name}-program`,
      { ...common, source, ...(host.node !== undefined && { node: host.node }) },
      inFolder,
    );

    const place = { node: installation.node, cli: installation.cli, secretsFile };
    const entries = jobs.map(
      ({ name: jobName, job, schedule, drillSchedule, reportSchedule, publish, ...rest }): [string, JobOutputs] => {
        const path = `${directory}/jobs/${jobName}.json`;
        const owned = pulumi
          .all([job, first.id])
          .apply(([config, id]) => ({ ...config, owner: { id, name: `${project}/${stack}` } }));
        const file = new JobFile(`${name}-${jobName}`, { ...common, path, job: owned }, inFolder);
        const forPerson = (...words: string[]) => byHand(host, toShell(runnerCommand(place, path, ...words)));
        const schedules = { backup: schedule, drill: drillSchedule, report: reportSchedule };
        const timer = (task: "backup" | "drill" | "report") => {
          const at = schedules[task];
          const words = task === "report" ? publish : [task];
          const command = runnerCommand(place, path, ...words);
          return (
            at &&
            new Schedule(
              `${name}-${jobName}-${task === "backup" ? "" : `${task}-`}schedule`,
              {
                ...common,
                job: { stack, name: jobName, timeoutMinutes: rest.timeoutMinutes, schedule: at },
                ...(task === "backup" ? {} : { task }),
                // A report names the backups that the schedule missed.
                command: task === "report" && schedule ? withSchedule(command, schedule) : command,
                byHand: forPerson(...words),
                logFile: `${directory}/logs/${jobName}.log`,
                writable: job.apply((config) => [directory, ...roots(config), ...rest.scratch]),
                scheduler: host.scheduler,
              },
              { parent: this, dependsOn: [file, secrets, installation, backups] },
            )
          );
        };
        const scheduled = timer("backup")?.how ?? "by hand";
        timer("drill");
        timer("report");
        const outputs = {
          scheduled,
          backups: job.apply(describeDestinations),
          run: forPerson("backup"),
          list: forPerson("list"),
          verify: forPerson("verify"),
          ...(rest.drills ? { drill: forPerson("drill") } : {}),
          report: forPerson("report"),
          restore: forPerson("restore", "latest", "--to", `file:${directory}/target-url`),
        };
        return [jobName, outputs];
      },
    );
    this.jobs = Object.fromEntries(entries);
    this.registerOutputs({ jobs: this.jobs });
  }
}

function toMachine({ connection }: HostArgs, secrets: BackupHostArgs["secrets"]): Machine {
  if (connection === undefined) return { place: "localhost" };
  const { host, port, user, hostKey } = connection;
  const keyName = connection.privateKey?.secret;
  const privateKey = keyName && pulumi.secret(secrets[keyName] ?? "");
  const args: types.input.remote.ConnectionArgs = {
    host,
    port,
    user,
    ...(hostKey !== undefined && { hostKey }),
    ...(privateKey !== undefined && { privateKey }),
  };
  return { connection: args, place: pulumi.interpolate`${user}@${host}:${port}` };
}

/**
 * What the runner reads: the job with its stack's first name, and with the stack's own folder where a destination names none. When it,
 * its drills and its reports run is the timers' business alone, so that a changed schedule changes nothing else.
 */
function toJobConfig(job: Omit<JobSettings, "schedule">, stack: string, backups: string): JobConfig {
  const destinations = job.destinations.map((destination) => withFolder(destination, backups));
  const { drill, ...rest } = underFirstName(job);
  const copy = drill && { ...drill };
  delete copy?.schedule;
  delete rest.report;
  return { ...rest, ...(copy && { drill: copy }), stack, destinations };
}

/** The stack's own folder of backups: where the directory is named after the stack, they stay in that of its first name. */
function backupsOf(directory: string, stack: string, first: string): string {
  return backupsIn(directory === defaultDirectory(stack) ? defaultDirectory(first) : directory);
}

/** The folder for scratch files that a job names, where it names one. */
function scratchOf({ database }: Pick<JobConfig, "database">): string[] {
  return "scratch" in database && database.scratch !== undefined ? [database.scratch] : [];
}

/** A call of the runner as a shell on this machine takes it: through SSH and as another user where that is needed. */
function byHand(host: HostArgs, call: string): pulumi.Input<string> {
  const asUser = host.user === undefined ? call : `sudo -u ${host.user} env ${call}`;
  if (host.connection === undefined) return asUser;
  const { host: name, port, user } = host.connection;
  return pulumi.interpolate`ssh -p ${port} ${user}@${name} ${quote(asUser)}`;
}
