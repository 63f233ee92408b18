import * as pulumi from "@pulumi/pulumi";
import { jobPorts, jobSecrets, type JobSettings } from "../../providers/config.ts";
import { alarmJob } from "./aws-backups/alarm-job.ts";
import { runCommands, type RunCommands } from "./aws-backups/run-commands.ts";
import { entryName, scheduleEntries } from "./aws-backups/schedule-entries.ts";
import { sizeOf, type AwsSettings } from "./settings.ts";
import { BackupAlarms } from "./backup-alarms.ts";
import { BackupBucket, type BackupBucketArgs } from "./backup-bucket.ts";
import { BackupDashboard } from "./backup-dashboard.ts";
import { BackupImage, type BackupImageBuild } from "./backup-image.ts";
import { BackupKey } from "./backup-key.ts";
import { BackupNetwork, type BackupNetworkArgs } from "./backup-network.ts";
import { BackupRunner, type BackupTask } from "./backup-runner.ts";
import type { Purpose } from "./backup-runner/purposes.ts";
import { BackupSchedule } from "./backup-schedule.ts";
import { BackupSecrets } from "./backup-secrets.ts";

/** Arguments of {@link AwsBackups}. */
export interface AwsBackupsArgs {
  /** The stack's name: part of every name. */
  readonly stack: string;
  /** The region of the default provider. */
  readonly region: string;
  readonly aws: AwsSettings;
  readonly jobs: readonly JobSettings[];
  /** The stack's secrets by name. */
  readonly secrets: pulumi.Input<Readonly<Record<string, string>>>;
  /** The names of the secrets that jobs refer to. */
  readonly jobSecretNames: readonly string[];
  /** This project's folder on this machine. */
  readonly source: string;
}

/** What a person needs to know of a job. */
export interface AwsJobOutputs extends RunCommands {
  /** The ARNs of its schedules by task: `backup`, and where there are such `prune` and `drill`. */
  readonly schedules: Readonly<Record<string, pulumi.Output<string>>>;
  /** The ARNs of its task definitions by task. */
  readonly taskDefinitions: Readonly<Record<string, pulumi.Output<string>>>;
  /** The ARNs of its tasks' roles by task. */
  readonly roles: Readonly<Record<string, pulumi.Output<string>>>;
  readonly logGroup: pulumi.Output<string>;
}

/**
 * All that makes backups on AWS: a key, a bucket, the secrets, the image, a network, the tasks of each job with their roles,
 * their schedules, the alarms and a dashboard.
 *
 * It sets no budget (`aws.budgets.Budget`): that watches an account, not a stack. The tag `provision:stack` on everything tells its
 * costs apart, once it is activated as a cost allocation tag.
 *
 * What no argument sets, Pulumi's option `transformations` of this component does: it gets every resource before it is made.
 *
 * Its parts are children `<name>-key`, `<name>-bucket` and so on. One that gets another name in a later version keeps the old one
 * in its `aliases`: a new name alone would replace a bucket or a key.
 */
export class AwsBackups extends pulumi.ComponentResource {
  /** What a person needs to know, by job. */
  readonly jobs: Readonly<Record<string, AwsJobOutputs>>;
  /** The runner's image with its digest: what another stack takes over. */
  readonly image: pulumi.Output<string>;
  readonly bucket: pulumi.Output<string>;
  readonly cluster: pulumi.Output<string>;
  /** The ARN of the key that encrypts the backups, the secrets, the logs and the schedules. */
  readonly key: pulumi.Output<string>;
  /** The ARN of the topic that the alarms go to. */
  readonly alarmTopic: pulumi.Output<string>;
  /** The dashboard's address. */
  readonly dashboard: pulumi.Output<string>;
  /** The URL of the queue of what could not be started. */
  readonly deadLetterQueue: pulumi.Output<string>;

  constructor(name: string, args: AwsBackupsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:AwsBackups", name, {}, opts);
    const { stack, region, aws: settings, jobs } = args;
    const removable = settings.bucket.removeOnDestroy;
    const tags = { "provision:stack": stack, ...settings.tags };
    const common = { stack, tags };
    const parent = { parent: this };

    const roles = { permissionsBoundary: settings.permissionsBoundary, rolePath: settings.rolePath };
    const { arn: keyArn } = new BackupKey(
      `${name}-key`,
      { ...common, removeOnDestroy: removable, protect: settings.bucket.protect },
      parent,
    );
    const bucket = new BackupBucket(
      `${name}-bucket`,
      { ...common, ...roles, jobs, ...bucketArgs(settings, keyArn) },
      parent,
    );
    const secrets = new BackupSecrets(
      `${name}-secrets`,
      {
        ...common,
        secrets: args.secrets,
        names: args.jobSecretNames,
        existing: existingSecrets(jobs),
        keyArn,
        recoveryWindowDays: settings.secretRecoveryDays,
      },
      parent,
    );
    const image = new BackupImage(`${name}-image`, { ...common, ...imageArgs(args) }, parent);
    const network = new BackupNetwork(
      `${name}-network`,
      {
        ...common,
        ...networkOf(settings),
        // The kinds know the ports of the databases too.
        providerPorts: [...new Set(jobs.flatMap((job) => jobPorts(job)))].sort((one, other) => one - other),
      },
      parent,
    );
    const runner = new BackupRunner(
      `${name}-runner`,
      {
        ...common,
        ...roles,
        jobs,
        image: image.ref,
        repositoryArn: image.repositoryArn,
        bucket: {
          name: bucket.bucketName,
          keyArn: settings.bucket.existing === undefined ? keyArn : settings.bucket.keyArn,
        },
        secretArns: secrets.arns,
        secretKeyArns: settings.secretKeyArns,
        keyArn,
        logs: settings.logs,
        sizes: Object.fromEntries(jobs.map(({ name: job }) => [job, sizeOf(settings, job)])),
        architecture: settings.architecture === "arm64" ? "ARM64" : "X86_64",
      },
      parent,
    );
    const schedule = new BackupSchedule(
      `${name}-schedule`,
      {
        ...common,
        ...roles,
        ...settings.schedules,
        entries: scheduleEntries(jobs, runner.tasks),
        clusterArn: runner.clusterArn,
        network,
        keyArn,
      },
      parent,
    );
    const alarms = new BackupAlarms(
      `${name}-alarms`,
      {
        ...common,
        ...roles,
        ...settings.alarms,
        enabled: settings.schedules.enabled,
        jobs: jobs.map((job) => alarmJob(job, stack)),
        clusterArn: runner.clusterArn,
        bucketName: bucket.bucketName,
        deadLetterQueueName: schedule.deadLetterQueueName,
      },
      parent,
    );
    const dashboard = new BackupDashboard(`${name}-dashboard`, { stack, jobs, region }, parent);

    const place = { region, cluster: runner.clusterName, network };
    const entries = jobs.map((job): [string, AwsJobOutputs] => {
      const tasks = runner.tasks[job.name];
      if (tasks === undefined) throw new Error(`the runner has no tasks for ${job.name}`);
      const names = Object.keys(tasks) as Purpose[];
      const byTask = <T>(value: (task: BackupTask, purpose: Purpose) => T | undefined): Record<string, T> =>
        Object.fromEntries(
          names.flatMap((purpose): [string, T][] => {
            const task = tasks[purpose];
            const found = task && value(task, purpose);
            return found === undefined ? [] : [[purpose, found]];
          }),
        );
      const outputs: AwsJobOutputs = {
        ...runCommands(job, tasks, place),
        schedules: byTask((_, purpose) => schedule.scheduleArns[entryName(job.name, purpose)]),
        taskDefinitions: byTask(({ taskDefinitionArn }) => taskDefinitionArn),
        roles: byTask(({ roleArn }) => roleArn),
        logGroup: tasks.backup.logGroupName,
      };
      return [job.name, outputs];
    });
    this.jobs = Object.fromEntries(entries);
    this.image = image.ref;
    this.bucket = bucket.bucketName;
    this.cluster = runner.clusterName;
    this.key = keyArn;
    this.alarmTopic = alarms.topicArn;
    this.dashboard = dashboard.url;
    this.deadLetterQueue = schedule.deadLetterQueueUrl;
    this.registerOutputs({
      jobs: this.jobs,
      image: this.image,
      bucket: this.bucket,
      cluster: this.cluster,
      key: this.key,
      alarmTopic: this.alarmTopic,
      dashboard: this.dashboard,
      deadLetterQueue: this.deadLetterQueue,
    });
  }
}

/** The ARNs of the secrets that existed before and that jobs refer to, each once. */
function existingSecrets(jobs: readonly JobSettings[]): string[] {
  const refs = jobs.flatMap((job) => jobSecrets(job).map(({ ref }) => ref));
  return [...new Set(refs.flatMap((ref) => ("arn" in ref ? [ref.arn] : [])))].sort();
}

function networkOf({ network: { ports = [], ...rest } }: AwsSettings): Omit<BackupNetworkArgs, "stack"> {
  return { ...rest, databasePorts: ports };
}

function bucketArgs(
  { bucket }: AwsSettings,
  keyArn: pulumi.Input<string>,
): Omit<BackupBucketArgs, "stack" | "jobs" | "tags"> {
  const { existing, keyArn: ownKey, protect, removeOnDestroy, confirmRemoval, ...made } = bucket;
  if (existing !== undefined) return { existing, keyArn: ownKey ?? keyArn };
  return {
    ...made,
    keyArn,
    protect,
    ...(removeOnDestroy && { removeOnDestroy, confirmRemoval: confirmRemoval ?? "" }),
  };
}

function imageArgs({
  aws: { image, build, architecture },
  source,
}: AwsBackupsArgs): { image: string } | { build: BackupImageBuild } {
  if (image !== undefined) return { image };
  return { build: { ...build, source, architecture } };
}
