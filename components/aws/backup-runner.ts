import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { firstName, type JobSettings, type JobConfig } from "../../providers/config.ts";
import { awsAccount, type AwsAccount } from "./aws-account.ts";
import { containerDefinitions, SCRATCH_VOLUME } from "./backup-runner/container.ts";
import { executionStatements, type ExecutionNeeds } from "./backup-runner/execution-statements.ts";
import { jobConfig, readsTags, secretVariables } from "./backup-runner/job-config.ts";
import { familyStart, purposes, furtherPurposes, type Purpose } from "./backup-runner/purposes.ts";
import { secretArn, secretArnsOf, type SecretPlaces } from "./backup-runner/secret-arns.ts";
import type { JobRoleArns } from "./settings/roles.ts";
import { taskSize, type Size } from "./settings/size.ts";
import { fitName } from "../fit-name.ts";
import { formerNames } from "./former-names.ts";
import { jobStatements } from "./job-statements.ts";
import { serviceRole, type RolePolicies, type RoleSettings, type ServiceRole, trustPolicy } from "./service-role.ts";
import type { StackBucket } from "../../providers/storage/index.ts";
import { repositoryArnOf } from "./backup-image/image-reference.ts";

/** The service that runs tasks. */
const ECS_TASKS = "ecs-tasks.amazonaws.com";

/** What the tasks of all jobs are made of. It is put together once: each step of an output costs a preview more than a job's text. */
interface Shared {
  readonly account: pulumi.Output<pulumi.Unwrap<AwsAccount>>;
  /** The account, the bucket of the destinations that leave theirs to the stack, and the stack's first name. */
  readonly place: pulumi.Output<{
    readonly bucket: StackBucket;
    readonly account: pulumi.Unwrap<AwsAccount>;
    readonly first: string;
  }>;
  readonly image: pulumi.Output<string>;
  /** With what ECS starts every task. */
  readonly start: pulumi.Output<Pick<ExecutionNeeds, "repositoryArn" | "keyArn" | "existingKeyArns">>;
  /** Who may take the roles. */
  readonly trust: pulumi.Output<string>;
}

/** Of what it is made: see the arguments of `BackupRunner`. */
interface SharedArgs {
  readonly stack: string;
  readonly firstStack?: pulumi.Input<string> | undefined;
  readonly bucket: { readonly name: pulumi.Input<string>; readonly keyArn?: pulumi.Input<string> | undefined };
  readonly image: pulumi.Input<string>;
  readonly repositoryArn?: pulumi.Input<string> | undefined;
  readonly keyArn: pulumi.Input<string>;
  readonly secretKeyArns?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
}

/** What a job's tasks have in common. */
interface Known {
  readonly config: JobConfig;
  readonly account: pulumi.Unwrap<AwsAccount>;
}

/** What is made once for all jobs. */
function shared(
  { id, region, partition }: AwsAccount,
  { stack, firstStack = stack, bucket, image, repositoryArn, keyArn, secretKeyArns = [] }: SharedArgs,
): Shared {
  const account = pulumi.output({ id, region, partition });
  return {
    account,
    place: pulumi
      .all([account, bucket.name, bucket.keyArn, firstStack])
      .apply(([known, name, bucketKeyArn, first]) => ({
        account: known,
        bucket: { name, keyArn: bucketKeyArn },
        first,
      })),
    image: pulumi.output(image),
    start: pulumi
      .all([repositoryArn ?? pulumi.output(image).apply(repositoryArnOf), keyArn, pulumi.output(secretKeyArns)])
      .apply(([repository, own, existingKeyArns]) => ({ repositoryArn: repository, keyArn: own, existingKeyArns })),
    trust: trustPolicy({
      service: ECS_TASKS,
      // A task has no name before it is started: all of the account's in this region.
      sourceArn: pulumi.interpolate`arn:${partition}:ecs:${region}:${id}:*`,
      account: id,
    }),
  };
}

/** Characters that ECS and CloudWatch Logs allow in the names of a cluster and a log group; the lesser of the two. */
const NAME = 255;

/** Days for which logs are kept if nobody says otherwise: a year, as audits ask for. */
const RETENTION_DAYS = 365;

/** Arguments of {@link BackupRunner}. */
export interface BackupRunnerArgs {
  /** The stack's name. Known beforehand, as are the jobs and their sizes: they decide which resources there are. */
  readonly stack: string;
  /** The stack's first name, which the folders of backups and the metrics have. Default: its name. */
  readonly firstStack?: pulumi.Input<string> | undefined;
  readonly jobs: readonly JobSettings[];
  /** The runner's image by its digest: `repository@sha256:…`. */
  readonly image: pulumi.Input<string>;
  /** ARN of the image's repository. Default: told from the image where it is one of ECR. */
  readonly repositoryArn?: pulumi.Input<string> | undefined;
  /** The bucket of the destinations that leave theirs to the stack. */
  readonly bucket: {
    readonly name: pulumi.Input<string>;
    /** ARN of the KMS key that objects are encrypted with. Default: the bucket decides; then the tasks are granted no key. */
    readonly keyArn?: pulumi.Input<string> | undefined;
  };
  /** ARNs of the secrets that jobs refer to: the stack's by name, existing ones by the ARN that the reference has. */
  readonly secretArns: Readonly<Record<string, pulumi.Input<string>>>;
  /** ARN of the KMS key of the logs and of the stack's secrets. */
  readonly keyArn: pulumi.Input<string>;
  /** ARNs of the keys of existing secrets. Default: they have the stack's key, or the one that AWS manages. */
  readonly secretKeyArns?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
  /** ARN of an existing cluster, which stays as it is. Default: one of the component's own. */
  readonly clusterArn?: pulumi.Input<string> | undefined;
  readonly logs?: {
    /** Name of an existing log group for all jobs, which stays as it is. Default: one of its own for each job. */
    readonly group?: pulumi.Input<string> | undefined;
    /** Days for which logs are kept, one of the numbers that CloudWatch Logs takes. Default 365. */
    readonly retentionDays?: pulumi.Input<number> | undefined;
  };
  /** Whether the log group of a job that is removed goes with it, and all of them with the stack. Default false: AWS keeps them. */
  readonly removeLogs?: boolean;
  /** The tasks' sizes by job. Default: 1 CPU, 2 GiB and no more scratch space than every task has. */
  readonly sizes?: Readonly<Record<string, Partial<Size>>> | undefined;
  /** The image's processor. Default ARM64, which costs a fifth less. */
  readonly architecture?: "ARM64" | "X86_64" | undefined;
  /** ARNs of existing roles by job, which stay as they are: see `policies` of a task. Default: each task gets one of its own. */
  readonly roles?: Readonly<Record<string, JobRoleArns>> | undefined;
  /** ARN of the policy that bounds what any of the roles can ever be allowed. Default: none. */
  readonly permissionsBoundary?: pulumi.Input<string> | undefined;
  /** IAM path of the roles, for instance `/backups/`. Default `/`. */
  readonly rolePath?: pulumi.Input<string> | undefined;
  /** Tags of everything that can have some. */
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/** What exists, made here or before. */
interface Named {
  readonly arn: pulumi.Output<string>;
  readonly name: pulumi.Output<string>;
}

/** A task that can be started. */
export interface BackupTask {
  /** The task definition's family: `provision_<stack>_<job>_<purpose>`, with the job's first name. */
  readonly family: string;
  /** The task definition's ARN with its revision. */
  readonly taskDefinitionArn: pulumi.Output<string>;
  /** The role of the program in the container. */
  readonly roleArn: pulumi.Output<string>;
  /** The role with which ECS starts the task. */
  readonly executionRoleArn: pulumi.Output<string>;
  /** When its roles were made, and with that the job; undefined where both existed. */
  readonly createdAt?: pulumi.Output<string>;
  /** What its role needs, where it is an existing one. */
  readonly policies?: RolePolicies;
  /** What its execution role needs, where it is an existing one. */
  readonly executionPolicies?: RolePolicies;
  readonly logGroupName: pulumi.Output<string>;
  /** With what the names of its log streams begin, where other tasks write to the group too. */
  readonly logStreamPrefix?: string;
}

/** A job's tasks: prune where it has a retention, drill where it has drills, report where it publishes reports. */
export type JobTasks = Readonly<Record<"backup" | "restore", BackupTask> & Partial<Record<Purpose, BackupTask>>>;

/**
 * Runs backups on ECS Fargate: one cluster; for each job a log group, a role with which ECS starts its tasks, and for each
 * purpose a task definition with a role of its own. What the program may do is in that role: the one of `backup` can neither
 * remove nor replace anything, and no role can break a lock.
 *
 * - The role that starts tasks is one a job, not one a stack: 200 jobs' secrets do not fit into one policy, and none of them
 *   should start with another's secrets. Four to six roles a job are 1000 for 160 to 250 jobs, which is what an account has
 *   unless AWS raises its quota (Service Quotas, "Roles per account", up to 5000).
 * - The role of `backup` may also read, in its own folder: each backup is read back before it counts.
 * - The log group of a job outlives it, and the stack, until its last line is too old (`retentionDays`): it says what became of backups
 *   that are still there. `deletionProtectionEnabled` is for a transformation (see `AwsBackups`).
 * - Container Insights costs some cents a month here, since tasks run for minutes.
 * - There is no capacity provider, and so no Fargate Spot: a backup that is taken away in the middle is none.
 * - ECS has neither a limit of time nor one of overlap. The runner has both: `timeoutMinutes`, and a lock in the database. What a
 *   schedule starts is stopped from outside too (`BackupSchedule`).
 * - Task definitions stay when they are replaced (`skipDestroy`), so that a former state of the stack can be run again.
 * - Children are named after the component, the stack, the job and the purpose. One that is renamed in a later version keeps
 *   the old name in its `aliases`, and so does one of a job that is renamed.
 */
export class BackupRunner extends pulumi.ComponentResource {
  readonly clusterArn: pulumi.Output<string>;
  readonly clusterName: pulumi.Output<string>;
  /** Each job's tasks. */
  readonly tasks: Readonly<Record<string, JobTasks>>;

  readonly #name: string;
  readonly #args: BackupRunnerArgs;
  readonly #shared: Shared;

  /** @throws RunError where Fargate has no task of the size that a job asks for, or a secret has no ARN */
  constructor(name: string, args: BackupRunnerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupRunner", name, {}, opts);
    this.#name = `${name}-${args.stack}`;
    this.#args = args;
    this.#shared = shared(awsAccount(this), args);
    ({ arn: this.clusterArn, name: this.clusterName } = this.#cluster());
    this.tasks = Object.fromEntries(args.jobs.map((job) => [job.name, this.#tasksOf(job)]));
    this.registerOutputs({ clusterArn: this.clusterArn, clusterName: this.clusterName, tasks: this.tasks });
  }

  #cluster(): Named {
    const { clusterArn, tags } = this.#args;
    if (clusterArn !== undefined) {
      const arn = pulumi.output(clusterArn);
      return { arn, name: arn.apply((text) => text.split("/").at(-1) ?? "") };
    }
    return new aws.ecs.Cluster(
      fitName(this.#name, NAME),
      { settings: [{ name: "containerInsights", value: "enabled" }], tags },
      { parent: this },
    );
  }

  #logGroup(job: JobSettings): Named {
    const { logs, keyArn, tags } = this.#args;
    if (logs?.group !== undefined) {
      const name = pulumi.output(logs.group);
      const arn = pulumi
        .all([this.#shared.account, name])
        .apply(([{ partition, region, id }, group]) => `arn:${partition}:logs:${region}:${id}:log-group:${group}`);
      return { arn, name };
    }
    const child = (name: string) => fitName(`${this.#name}-${name}`, NAME);
    return new aws.cloudwatch.LogGroup(
      child(job.name),
      { retentionInDays: logs?.retentionDays ?? RETENTION_DAYS, kmsKeyId: keyArn, tags },
      { parent: this, aliases: formerNames(job, child), retainOnDelete: this.#args.removeLogs !== true },
    );
  }

  #tasksOf(job: JobSettings): JobTasks {
    const { stack, logs } = this.#args;
    const { image, place } = this.#shared;
    const size = taskSize(job.name, this.#args.sizes?.[job.name]);
    const known = place.apply(({ bucket, account, first }) => ({ config: jobConfig(job, first, bucket), account }));
    const logGroup = this.#logGroup(job);
    const inContainers = pulumi.output({ known, image, group: logGroup.name });
    // In a group of its own a job's streams need no more than the purpose.
    const logStreamPrefix = logs?.group === undefined ? undefined : `${stack}/${firstName(job)}/`;
    const further = furtherPurposes(job);
    const executionRole = this.#executionRole(job, ["backup", ...further, "restore"], logGroup);
    const task = (purpose: Purpose): BackupTask => {
      const role = this.#taskRole(job, purpose, known);
      const secrets = secretVariables(job, purpose).map((secret) => ({
        name: secret.variable,
        valueFrom: secretArn(job.name, secret, this.#places),
      }));
      const family = `${familyStart(stack)}${firstName(job)}_${purpose}`;
      const child = (name: string) => `${this.#name}-${name}-${purpose}`;
      const definition = new aws.ecs.TaskDefinition(
        child(job.name),
        {
          family,
          requiresCompatibilities: ["FARGATE"],
          networkMode: "awsvpc",
          cpu: String(size.cpu),
          memory: String(size.memory),
          runtimePlatform: {
            cpuArchitecture: this.#args.architecture ?? "ARM64",
            operatingSystemFamily: "LINUX",
          },
          ...(size.scratchGiB !== undefined && { ephemeralStorage: { sizeInGib: size.scratchGiB } }),
          volumes: [{ name: SCRATCH_VOLUME }],
          executionRoleArn: executionRole.arn,
          taskRoleArn: role.arn,
          containerDefinitions: pulumi.all([inContainers, secrets]).apply(([given, arns]) =>
            containerDefinitions({
              image: given.image,
              command: purposes[purpose].command(job),
              job: given.known.config,
              secrets: arns,
              log: {
                group: given.group,
                region: given.known.account.region,
                prefix: `${logStreamPrefix ?? ""}${purpose}`,
              },
            }),
          ),
          skipDestroy: true,
          tags: this.#args.tags,
        },
        { parent: this, aliases: formerNames(job, child) },
      );
      const createdAt = executionRole.createDate ?? role.createDate;
      return {
        family,
        taskDefinitionArn: definition.arn,
        roleArn: role.arn,
        executionRoleArn: executionRole.arn,
        logGroupName: logGroup.name,
        ...(createdAt !== undefined && { createdAt }),
        ...(role.policies !== undefined && { policies: role.policies }),
        ...(executionRole.policies !== undefined && { executionPolicies: executionRole.policies }),
        ...(logStreamPrefix !== undefined && { logStreamPrefix }),
      };
    };
    return {
      backup: task("backup"),
      ...Object.fromEntries(further.map((purpose) => [purpose, task(purpose)])),
      restore: task("restore"),
    };
  }

  #executionRole(job: JobSettings, taskPurposes: readonly Purpose[], logGroup: Named): ServiceRole {
    const all = taskPurposes.flatMap((purpose) => secretVariables(job, purpose));
    const secrets = [...new Map(all.map((secret) => [secret.variable, secret])).values()];
    const statements = pulumi
      .all([this.#shared.start, logGroup.arn, ...secretArnsOf(job.name, secrets, this.#places)])
      .apply(([start, logGroupArn, secretArns, existingSecretArns, parameterArns]) =>
        executionStatements({ ...start, logGroupArn, secretArns, existingSecretArns, parameterArns }),
      );
    const child = (name: string) => `${this.#name}-${name}-start`;
    return serviceRole(
      child(job.name),
      {
        ...this.#roleSettings(),
        description: `ECS starts the tasks of the backup job ${job.name} of the stack ${this.#args.stack} with it.`,
        statements,
        existing: this.#args.roles?.[job.name]?.execution,
        tags: readsTags(this.#args.tags, secrets),
      },
      this,
      formerNames(job, child),
    );
  }

  #taskRole(job: JobSettings, purpose: Purpose, known: pulumi.Output<Known>): ServiceRole {
    const { stack } = this.#args;
    const { access } = purposes[purpose];
    const statements = known.apply(({ config, account }) => jobStatements(config, access, account));
    const child = (name: string) => `${this.#name}-${name}-${purpose}`;
    return serviceRole(
      child(job.name),
      {
        ...this.#roleSettings(),
        description: `What the ${purpose} task of the backup job ${job.name} of the stack ${stack} may do.`,
        statements,
        existing: this.#args.roles?.[job.name]?.[purpose],
      },
      this,
      formerNames(job, child),
    );
  }

  #roleSettings(): RoleSettings {
    const { permissionsBoundary, rolePath, tags } = this.#args;
    return { trust: this.#shared.trust, permissionsBoundary, rolePath, tags };
  }

  get #places(): SecretPlaces {
    return { secretArns: this.#args.secretArns, account: this.#shared.account };
  }
}
