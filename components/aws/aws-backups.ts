import * as pulumi from "@pulumi/pulumi";
import { firstStack, type FirstStack } from "../first-stack.ts";
import { jobPorts, jobSecrets, type JobSettings, firstName } from "../../providers/config.ts";
import { jobOutputs, type AwsJobOutputs } from "./aws-backups/job-outputs.ts";
import { scheduleEntries } from "./aws-backups/schedule-entries.ts";
import { secretReaders, type SecretReaders } from "./aws-backups/secret-readers.ts";
import { usesOnlyEndpoints } from "./aws-backups/only-endpoints.ts";
import { rolesOf, sizeOf, STACK_TAG, type AwsArgs } from "./settings.ts";
import { callerArn, providerRegion } from "./aws-account.ts";
import { lookUp } from "./look-ups.ts";
import { BackupAlarms, type AlarmJob } from "./backup-alarms.ts";
import { BackupBucket, type BackupBucketArgs } from "./backup-bucket.ts";
import { BackupDashboard } from "./backup-dashboard.ts";
import { BackupHolders } from "./backup-holders.ts";
import { BackupImage, type BackupImageBuild } from "./backup-image.ts";
import { BackupKey } from "./backup-key.ts";
import { BackupNetwork } from "./backup-network.ts";
import { BackupRunner } from "./backup-runner.ts";
import { BackupSchedule } from "./backup-schedule.ts";
import { BackupSecrets } from "./backup-secrets.ts";
import { OWNER_TAG, ownerOf, principalsOf, rolesInPolicy, type RolesInPolicy } from "./principals.ts";
import type { RolePolicies } from "./service-role.ts";
import { withoutPromiseTraces } from "../without-promise-traces.ts";
import { jobFolder } from "../../providers/layout.ts";
import { bucketRequest } from "../../providers/storage/index.ts";
import { OWN_FOLDER } from "../runner-files.ts";

/** The settings of the bucket as its component takes them. */
function bucketArgs(
  { bucket }: AwsArgs,
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

/** The image, or how it is built. */
function imageArgs(
  { image, build, architecture }: AwsArgs,
  source = OWN_FOLDER,
): { image: pulumi.Input<string> } | { build: BackupImageBuild } {
  if (image !== undefined) return { image };
  return { build: { ...build, source, architecture } };
}

/** The ARNs of the secrets that existed before and that jobs refer to, each once. */
function existingSecrets(jobs: readonly JobSettings[]): string[] {
  const refs = jobs.flatMap((job) => jobSecrets(job).map(({ ref }) => ref));
  return [...new Set(refs.flatMap((ref) => ("arn" in ref ? [ref.arn] : [])))].sort();
}

/** What the alarms have to know of a job: with the folder of its backups where it keeps some in the stack's own bucket. */
function alarmJob(job: JobSettings, firstStack: pulumi.Output<string>): AlarmJob {
  const { name, rename, schedule, destinations } = job;
  const own = destinations.find((destination) => bucketRequest(destination) !== undefined);
  return {
    name,
    rename,
    ...(schedule !== undefined && { schedule }),
    ...(own !== undefined && {
      prefix: firstStack.apply((stack) => jobFolder({ stack, name: firstName(job) }, own.prefix)),
    }),
  };
}

/** Arguments of {@link AwsBackups}. */
export interface AwsBackupsArgs {
  /** The stack's name: part of every name. */
  readonly stack: string;
  /** What the state keeps of the stack. Default: what all components of the program share. */
  readonly first?: FirstStack;
  /** The region of the provider: of the option `provider`, else of the default one. */
  readonly region: string;
  /** What `provision:aws` says, complete. */
  readonly aws: AwsArgs;
  readonly jobs: readonly JobSettings[];
  /** The stack's secrets by name. */
  readonly secrets: Readonly<Record<string, pulumi.Input<string>>>;
  /** The names of the secrets that jobs refer to. */
  readonly jobSecretNames: readonly string[];
  /** The folder of this project, whose runner is built. Default: its own, also as a package. */
  readonly source?: string;
}

/**
 * All that makes backups on AWS: a key, a bucket, the secrets, the image, a network, the tasks of each job with their roles,
 * their schedules, the alarms and a dashboard; and roles for those who may hold backups, where the settings name some.
 *
 * It sets no budget (`aws.budgets.Budget`): that watches an account, not a stack. The tag `provision:stack` on everything tells its
 * costs apart, once it is activated as a cost allocation tag.
 *
 * A stack may have several, each with a name and a `provider` of its own, for other regions and accounts.
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
  /** The region in which everything is, but for a replica. */
  readonly region: pulumi.Output<string>;
  readonly cluster: pulumi.Output<string>;
  /** The ARN of the key that encrypts the backups, the secrets, the logs and the schedules. */
  readonly key: pulumi.Output<string>;
  /** The ARN of the topic that the alarms go to. */
  readonly alarmTopic: pulumi.Output<string>;
  /** The dashboard's address. */
  readonly dashboard: pulumi.Output<string>;
  /** The URL of the queue of what could not be started. */
  readonly deadLetterQueue: pulumi.Output<string>;
  /** The id of the tasks' security group, or of the first of the existing ones: what a database's rule lets in. */
  readonly securityGroupId: pulumi.Output<string>;
  /** The role with which S3 copies to the replica, for the policy of a bucket in another account; undefined without a replica. */
  readonly replicationRoleArn: pulumi.Output<string> | undefined;
  /** What the existing role of the scheduler needs; undefined without one. */
  readonly schedulerPolicies: RolePolicies | undefined;
  /** What the existing role of the state machine needs; undefined without one. */
  readonly stateMachinePolicies: RolePolicies | undefined;

  readonly #name: string;
  readonly #args: AwsBackupsArgs;
  /** ARN patterns of the people and machines that may read secrets and backups, beside the tasks. */
  /** The stack's first name. */
  readonly #first: pulumi.Output<string>;
  readonly #readers: pulumi.Output<string[]>;

  constructor(name: string, args: AwsBackupsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:AwsBackups", name, {}, opts);
    this.#name = name;
    this.#args = args;
    this.#first = (args.first ?? firstStack(args.stack)).name;
    const { stack, region, jobs } = args;
    const { readers, bucket: bucketSettings } = args.aws;
    const lookedUp = lookUp(args, this);
    this.#readers = (readers === undefined ? callerArn(this).apply(principalsOf) : pulumi.output([...readers])).apply(
      (arns) => [...arns, ...(bucketSettings.breakGlass ?? [])],
    );
    this.region = providerRegion(this).apply((provided) => {
      if (provided === region) return region;
      throw new pulumi.RunError(
        `${name} is set up for ${region}, and its provider works in ${provided}. Give awsSettings the region ${provided}, or ${name} a ` +
          `provider of ${region}: new aws.Provider("${region}", { region: "${region}" }).`,
      );
    });
    const parts = withoutPromiseTraces(() => this.#makeParts());
    const { key, bucket, image, network, runner, schedule, alarms, holders } = parts;
    const dashboard = new BackupDashboard(
      `${name}-dashboard`,
      {
        stack,
        firstStack: this.#first,
        jobs,
        region,
        owner: this.#owner.replaceAll("/", "_").replaceAll(/[^\w-]/g, "-"),
      },
      { parent: this },
    );

    this.jobs = jobOutputs(jobs, runner, schedule, holders, { region, cluster: runner.clusterName, network });
    this.image = image.ref;
    this.bucket = bucket.bucketName;
    this.cluster = runner.clusterName;
    this.key = key.arn;
    this.alarmTopic = alarms.topicArn;
    this.dashboard = dashboard.url;
    this.deadLetterQueue = schedule.deadLetterQueueUrl;
    this.securityGroupId = network.securityGroupId;
    this.replicationRoleArn = bucket.replicationRoleArn;
    this.schedulerPolicies = schedule.policies;
    this.stateMachinePolicies = schedule.machinePolicies;
    // A program ends when all is registered, and what was looked up has to be said before.
    const outputs = {
      jobs: this.jobs,
      image: this.image,
      bucket: this.bucket,
      cluster: this.cluster,
      key: this.key,
      alarmTopic: this.alarmTopic,
      dashboard: this.dashboard,
      deadLetterQueue: this.deadLetterQueue,
      securityGroupId: this.securityGroupId,
      ...(this.replicationRoleArn !== undefined && { replicationRoleArn: this.replicationRoleArn }),
      ...(this.schedulerPolicies !== undefined && { schedulerPolicies: this.schedulerPolicies }),
      ...(this.stateMachinePolicies !== undefined && { stateMachinePolicies: this.stateMachinePolicies }),
    };
    this.registerOutputs(lookedUp.then(() => outputs));
  }

  #makeParts() {
    const { aws: settings, source, jobs, jobSecretNames } = this.#args;
    // The policies of the key and of the secrets name roles whose own policies name them: whose ARNs are known only below.
    const [principals, setPrincipals] = pulumi.deferredOutput<Principals>();
    const readers = secretReaders(jobSecretNames, jobs, this.#owner);
    const { key, bucket, secrets } = this.#makeStores(principals, readers.byName);
    const image = new BackupImage(
      `${this.#name}-image`,
      { ...this.#common(), ...imageArgs(settings, source) },
      { parent: this },
    );
    const network = this.#makeNetwork();
    const runner = this.#makeRunner({ key, bucket, secrets, image });
    const { schedule, alarms } = this.#makeSchedule({ key, bucket, network, runner });
    const holders = this.#makeHolders({ key, bucket, secrets });
    setPrincipals(this.#principals(bucket, runner, schedule, holders));
    readers.set(runner.tasks, holders, this.#readers);
    return { key, bucket, image, network, runner, schedule, alarms, holders };
  }

  /** Whose all of it is. */
  get #owner(): string {
    return ownerOf(this.#args.stack, this.#name);
  }

  /** What every part gets. */
  #common() {
    const { stack, aws: settings } = this.#args;
    const tags = { ...settings.tags, [STACK_TAG]: stack, [OWNER_TAG]: this.#owner };
    return { stack, firstStack: this.#first, tags };
  }

  /** What every part with roles gets. */
  #withRoles() {
    const { permissionsBoundary, rolePath } = this.#args.aws;
    return { ...this.#common(), permissionsBoundary, rolePath };
  }

  /** The key, and what it encrypts: the bucket and the secrets. */
  #makeStores(principals: pulumi.Output<Principals>, readers: SecretReaders["byName"]) {
    const { aws: settings, jobs } = this.#args;
    const { protect, removeOnDestroy } = settings.bucket;
    const key: Parts["key"] =
      settings.keyArn === undefined
        ? new BackupKey(
            `${this.#name}-key`,
            {
              ...this.#common(),
              removeOnDestroy,
              protect,
              readers: principals.apply(({ users, readers: people }) => [...users.named, ...people]),
              ownRoles: principals.apply(({ users }) => users.own),
              schedulers: principals.schedulers,
            },
            { parent: this },
          )
        : { arn: pulumi.output(settings.keyArn) };
    const bucket = new BackupBucket(
      `${this.#name}-bucket`,
      { ...this.#withRoles(), jobs, readers: this.#readers, ...bucketArgs(settings, key.arn) },
      { parent: this },
    );
    const secrets = new BackupSecrets(
      `${this.#name}-secrets`,
      {
        ...this.#common(),
        secrets: this.#args.secrets,
        names: this.#args.jobSecretNames,
        existing: existingSecrets(jobs),
        keyArn: key.arn,
        readers: mapValues(readers, (each) => each.named),
        ownReaders: mapValues(readers, (each) => each.own),
        recoveryWindowDays: settings.secretRecoveryDays,
      },
      { parent: this },
    );
    return { key, bucket, secrets };
  }

  /** Who may use the key. */
  #principals(
    bucket: BackupBucket,
    { tasks }: BackupRunner,
    schedule: BackupSchedule,
    holders: BackupHolders["roleArns"],
  ): pulumi.Output<Principals> {
    const roles = Object.values(tasks).flatMap((byPurpose) =>
      Object.values(byPurpose).flatMap((task) => [
        { arn: task.roleArn, existing: task.policies !== undefined },
        { arn: task.executionRoleArn, existing: task.executionPolicies !== undefined },
      ]),
    );
    const arnsOf = (existing: boolean) => roles.filter((role) => role.existing === existing).map(({ arn }) => arn);
    const copying = bucket.replicationRoleArn === undefined ? [] : [bucket.replicationRoleArn];
    return pulumi
      .all([
        this.#readers,
        pulumi.all([...new Set(arnsOf(false)), ...Object.values(holders)]),
        pulumi.all([...new Set(arnsOf(true)), ...copying]),
        pulumi.all([...schedule.roleArns]),
      ])
      .apply(([readers, made, named, schedulers]) => ({
        users: rolesInPolicy(made, named, [OWNER_TAG, this.#owner]),
        readers,
        schedulers,
      }));
  }

  #makeNetwork(): BackupNetwork {
    const { aws: settings, jobs } = this.#args;
    const { ports = [], ...network } = settings.network;
    // The kinds of database declare their ports too.
    const providerPorts = [...new Set(jobs.flatMap((job) => jobPorts(job)))].sort((one, other) => one - other);
    return new BackupNetwork(
      `${this.#name}-network`,
      {
        ...this.#common(),
        ...network,
        databasePorts: ports,
        providerPorts,
        parameters: jobs.some((job) => jobSecrets(job).some(({ ref }) => "ssm" in ref)),
        onlyAws: usesOnlyEndpoints(this.#args),
      },
      { parent: this },
    );
  }

  #makeRunner({ key, bucket, secrets, image }: Pick<Parts, "key" | "bucket" | "secrets" | "image">): BackupRunner {
    const { aws: settings, jobs } = this.#args;
    return new BackupRunner(
      `${this.#name}-runner`,
      {
        ...this.#withRoles(),
        jobs,
        image: image.ref,
        repositoryArn: image.repositoryArn,
        ...this.#storeArgs({ key, bucket, secrets }),
        clusterArn: settings.clusterArn,
        logs: settings.logs,
        removeLogs: settings.bucket.removeOnDestroy,
        sizes: Object.fromEntries(jobs.map(({ name }) => [name, sizeOf(settings, name)])),
        roles: Object.fromEntries(jobs.map(({ name }) => [name, rolesOf(settings, name)])),
        architecture: settings.architecture === "arm64" ? "ARM64" : "X86_64",
      },
      { parent: this },
    );
  }

  /** The ARNs of the roles of those who may hold backups, by job; none where nobody is named. */
  #makeHolders(parts: Pick<Parts, "key" | "bucket" | "secrets">): BackupHolders["roleArns"] {
    const { aws: settings, jobs } = this.#args;
    const { holders } = settings;
    if (holders === undefined) return {};
    const args = { ...this.#withRoles(), jobs, holders, ...this.#storeArgs(parts) };
    return new BackupHolders(`${this.#name}-holders`, args, { parent: this }).roleArns;
  }

  /** Where backups and secrets are, for the roles that reach them. */
  #storeArgs({ key, bucket, secrets }: Pick<Parts, "key" | "bucket" | "secrets">) {
    const { aws: settings } = this.#args;
    return {
      bucket: {
        name: bucket.bucketName,
        keyArn: settings.bucket.existing === undefined ? key.arn : settings.bucket.keyArn,
      },
      secretArns: secrets.arns,
      secretKeyArns: settings.secretKeyArns,
      keyArn: key.arn,
    };
  }

  /** What starts the tasks, and what rings when they do not run or fail. */
  #makeSchedule({ key, bucket, network, runner }: Pick<Parts, "key" | "bucket" | "network" | "runner">) {
    const { aws: settings, jobs } = this.#args;
    const { clusterArn } = runner;
    const schedule = new BackupSchedule(
      `${this.#name}-schedule`,
      {
        ...this.#withRoles(),
        ...settings.schedules,
        entries: scheduleEntries(jobs, runner.tasks),
        clusterArn,
        network,
        keyArn: key.arn,
        roleArn: settings.roles.scheduler,
        machineRoleArn: settings.roles.stateMachine,
      },
      { parent: this },
    );
    const alarms = new BackupAlarms(
      `${this.#name}-alarms`,
      {
        ...this.#withRoles(),
        ...settings.alarms,
        enabled: settings.schedules.enabled,
        restarts: settings.schedules.restarts,
        jobs: jobs.map((job) => ({ ...alarmJob(job, this.#first), since: runner.tasks[job.name]?.backup.createdAt })),
        clusterArn,
        sharedCluster: settings.clusterArn !== undefined,
        bucketName: bucket.bucketName,
        deadLetterQueueName: schedule.deadLetterQueueName,
      },
      { parent: this },
    );
    return { schedule, alarms };
  }
}

/** ARN patterns of who may do what. */
interface Principals {
  /** The roles that may encrypt and decrypt with the key. */
  readonly users: RolesInPolicy;
  /** Who else may. */
  readonly readers: readonly string[];
  /** With which roles schedules are started. */
  readonly schedulers: readonly string[];
}

/** The parts that other parts need. */
interface Parts {
  /** The stack's own key, or one that exists. */
  readonly key: Pick<BackupKey, "arn">;
  readonly bucket: BackupBucket;
  readonly secrets: BackupSecrets;
  readonly image: BackupImage;
  readonly network: BackupNetwork;
  readonly runner: BackupRunner;
}

function mapValues<T, U>(
  record: Readonly<Record<string, pulumi.Output<T>>>,
  value: (each: pulumi.Unwrap<T>) => U,
): Record<string, pulumi.Output<pulumi.Unwrap<U>>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, each]) => [name, (each as pulumi.Output<pulumi.Unwrap<T>>).apply(value)]),
  ) as Record<string, pulumi.Output<pulumi.Unwrap<U>>>;
}
