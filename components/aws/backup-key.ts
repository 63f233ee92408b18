import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { awsAccount } from "./aws-account.ts";
import { accountRoot, keyStatements, onlyPrincipals, USE } from "./key-statements.ts";
import { policy, type Statement } from "./policy.ts";
import type { OwnRoles } from "./principals.ts";

/** Services through which the roles of the stack use the key, by the first part of their host names. */
const SERVICES = ["s3", "secretsmanager", "scheduler"];

/** Arguments of {@link BackupKey}. */
export interface BackupKeyArgs {
  /** The stack's name: part of the alias and of the description. */
  readonly stack: string;
  /** Deletes the key on `destroy`. Default false: backups that stay in their bucket cannot be read without it. */
  readonly removeOnDestroy?: boolean;
  /** Refuses whatever would remove or replace the key, `destroy` included, until it is false again. Default false. */
  readonly protect?: boolean;
  /**
   * ARN patterns of the only principals that may encrypt and decrypt with the key, through the services that need it: the tasks'
   * roles, who deploys, who restores by hand. Who administers the key stays free to change this. Default: every identity of the account.
   */
  readonly readers?: pulumi.Input<readonly string[]> | undefined;
  /** The stack's own roles, which may do so beside `readers`. Default: none. */
  readonly ownRoles?: pulumi.Output<OwnRoles> | undefined;
  /** ARNs of the only roles that may decrypt schedules. Default: every identity of the account. */
  readonly schedulers?: pulumi.Input<readonly string[]> | undefined;
  /** Tags of the key. */
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/**
 * The stack's KMS key, for the bucket, the secrets, the logs and the schedules, with a rotation every year.
 *
 * - Only `readers` use it, through the services that need it, and only where a policy of theirs says so too: nobody decrypts with it
 *   directly. Every administrator of the account may change its policy, so that nobody is ever locked out.
 * - EventBridge Scheduler decrypts a schedule with the schedule's own role, which KMS takes for a direct call
 *   (https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html shows its event): without a statement for this
 *   account's schedules, none would start anything.
 * - CloudWatch Logs uses it for log groups of this account and region alone.
 * - No service gets a grant on it, which none of them needs. (ECR would; the images have a key that outlives this one.)
 * - `destroy` keeps the key, because the bucket keeps its backups. The alias is removed: nothing refers to it.
 */
export class BackupKey extends pulumi.ComponentResource {
  /** The key's ARN. */
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: BackupKeyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupKey", name, {}, opts);
    const key = new aws.kms.Key(
      `${name}-key`,
      {
        description: `Backups of the stack ${args.stack}`,
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: policy(...this.#statements(args)),
        tags: args.tags,
      },
      { parent: this, protect: args.protect === true, retainOnDelete: args.removeOnDestroy !== true },
    );
    const shortId = key.id.apply((id) => id.slice(0, 8));
    new aws.kms.Alias(
      `${name}-alias`,
      // The key's id begins with something unique, which Pulumi's own names would put before alias/.
      { name: pulumi.interpolate`alias/provision-${args.stack}-${shortId}`, targetKeyId: key.id },
      { parent: this },
    );
    this.arn = key.arn;
    this.registerOutputs({ arn: this.arn });
  }

  #statements({ readers, ownRoles, schedulers }: BackupKeyArgs): Statement[] {
    const account = awsAccount(this);
    const { id, region, partition } = account;
    return [
      ...keyStatements(account, SERVICES, readers, ownRoles),
      {
        Sid: "DecryptSchedules",
        Effect: "Allow",
        Principal: accountRoot(account),
        Action: "kms:Decrypt",
        Resource: "*",
        Condition: {
          ArnLike: {
            "kms:EncryptionContext:aws:scheduler:schedule:arn": pulumi.interpolate`arn:${partition}:scheduler:${region}:${id}:schedule/*`,
            ...(schedulers !== undefined && onlyPrincipals(schedulers).ArnLike),
          },
        },
      },
      {
        Sid: "EncryptLogs",
        Effect: "Allow",
        Principal: { Service: pulumi.interpolate`logs.${region}.amazonaws.com` },
        Action: [...USE, "kms:DescribeKey"],
        Resource: "*",
        Condition: {
          ArnLike: {
            "kms:EncryptionContext:aws:logs:arn": pulumi.interpolate`arn:${partition}:logs:${region}:${id}:log-group:*`,
          },
        },
      },
    ];
  }
}
