import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { awsPlace } from "./aws-place.ts";
import { policy, type Statement } from "./policy.ts";
import { transformed, type Transform } from "./transform.ts";

/** Services through which the roles of the stack use the key, by the first part of their host names. */
const SERVICES = ["s3", "secretsmanager", "sns", "scheduler"];

/** What a person with administrative rights does with a key and its alias. Using it is not among them. */
const ADMINISTRATION = [
  "kms:CancelKeyDeletion",
  "kms:CreateAlias",
  "kms:DeleteAlias",
  "kms:Describe*",
  "kms:Disable*",
  "kms:Enable*",
  "kms:Get*",
  "kms:List*",
  "kms:PutKeyPolicy",
  "kms:RevokeGrant",
  "kms:RotateKeyOnDemand",
  "kms:ScheduleKeyDeletion",
  "kms:TagResource",
  "kms:UntagResource",
  "kms:UpdateAlias",
  "kms:UpdateKeyDescription",
];

/** Arguments of {@link BackupKey}. */
export interface BackupKeyArgs {
  /** The stack's name: part of the alias and of the description. */
  readonly stack: string;
  /** Days for which a deleted key can still be brought back, 7 to 30. Default 30. */
  readonly deletionWindowDays?: pulumi.Input<number>;
  /** Deletes the key on `destroy`. Default false: backups that stay in their bucket cannot be read without it. */
  readonly removeOnDestroy?: boolean;
  /** Refuses whatever would remove or replace the key, `destroy` included, until it is false again. Default false. */
  readonly protect?: boolean;
  /** Tags of the key. */
  readonly tags?: pulumi.Input<Record<string, string>>;
  /** Changes a child before it is made. */
  readonly transform?: {
    readonly key?: Transform<aws.kms.KeyArgs>;
    readonly alias?: Transform<aws.kms.AliasArgs>;
  };
}

/**
 * The stack's KMS key, for the bucket, the secrets, the logs, the topic and the schedules, with a rotation every year.
 *
 * - The account's identities use it only through the services that need it, and only where a policy of theirs says so too:
 *   nobody decrypts with it directly.
 * - EventBridge Scheduler decrypts a schedule with the schedule's own role, which KMS takes for a direct call
 *   (https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html shows its event): without a statement for this
 *   account's schedules, none would start anything.
 * - CloudWatch Logs uses it for log groups of this account and region alone.
 * - CloudWatch alarms and EventBridge use it to publish to an encrypted topic. That statement has no condition on the source:
 *   neither KMS nor SNS is told one when EventBridge publishes, and the event would be lost.
 * - No service gets a grant on it, which none of them needs. (ECR would; the images have a key that outlives this one.)
 * - `destroy` keeps the key, because the bucket keeps its backups. The alias goes: nothing refers to it.
 */
export class BackupKey extends pulumi.ComponentResource {
  /** The key's ARN. */
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: BackupKeyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupKey", name, {}, opts);
    const key = new aws.kms.Key(
      ...transformed<aws.kms.KeyArgs>(
        args.transform?.key,
        `${name}-key`,
        {
          description: `Backups of the stack ${args.stack}`,
          enableKeyRotation: true,
          deletionWindowInDays: args.deletionWindowDays ?? 30,
          policy: policy(...this.#statements()),
          ...(args.tags !== undefined && { tags: args.tags }),
        },
        { parent: this, protect: args.protect === true, retainOnDelete: args.removeOnDestroy !== true },
      ),
    );
    const shortId = key.id.apply((id) => id.slice(0, 8));
    new aws.kms.Alias(
      ...transformed<aws.kms.AliasArgs>(
        args.transform?.alias,
        `${name}-alias`,
        // The key's id begins with something unique, which Pulumi's own names would put before alias/.
        { name: pulumi.interpolate`alias/provision-${args.stack}-${shortId}`, targetKeyId: key.id },
        { parent: this },
      ),
    );
    this.arn = key.arn;
    this.registerOutputs({ arn: this.arn });
  }

  #statements(): Statement[] {
    const { account, region, partition } = awsPlace(this);
    const root = pulumi.interpolate`arn:${partition}:iam::${account}:root`;
    const use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];
    return [
      { Sid: "Administer", Effect: "Allow", Principal: { AWS: root }, Action: ADMINISTRATION, Resource: "*" },
      {
        Sid: "UseThroughServices",
        Effect: "Allow",
        Principal: { AWS: root },
        Action: use,
        Resource: "*",
        Condition: {
          StringEquals: {
            "kms:ViaService": region.apply((where) => SERVICES.map((service) => `${service}.${where}.amazonaws.com`)),
          },
        },
      },
      {
        Sid: "DecryptSchedules",
        Effect: "Allow",
        Principal: { AWS: root },
        Action: "kms:Decrypt",
        Resource: "*",
        Condition: {
          ArnLike: {
            "kms:EncryptionContext:aws:scheduler:schedule:arn": pulumi.interpolate`arn:${partition}:scheduler:${region}:${account}:schedule/*`,
          },
        },
      },
      {
        Sid: "EncryptLogs",
        Effect: "Allow",
        Principal: { Service: pulumi.interpolate`logs.${region}.amazonaws.com` },
        Action: [...use, "kms:DescribeKey"],
        Resource: "*",
        Condition: {
          ArnLike: {
            "kms:EncryptionContext:aws:logs:arn": pulumi.interpolate`arn:${partition}:logs:${region}:${account}:log-group:*`,
          },
        },
      },
      {
        Sid: "PublishAlarms",
        Effect: "Allow",
        Principal: { Service: ["cloudwatch.amazonaws.com", "events.amazonaws.com"] },
        Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
        Resource: "*",
      },
    ];
  }
}
