import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { awsAccount } from "./aws-account.ts";
import { fitName } from "../fit-name.ts";
import { OWNER_TAG, type OwnRoles } from "./principals.ts";
import { denyWithoutTls, type Statement } from "./policy.ts";

/** Characters that a secret's name may have. */
const SECRET_NAME = 512;

/** Arguments of {@link BackupSecrets}. */
export interface BackupSecretsArgs {
  /** The stack's name: part of the secrets' names. */
  readonly stack: string;
  /** The stack's secrets by name. They stay secret outputs, whether they come as such or not. */
  readonly secrets: Readonly<Record<string, pulumi.Input<string>>>;
  /** The names of those that jobs refer to: no other gets to AWS. */
  readonly names: readonly string[];
  /** ARNs of secrets that exist. They are passed on as they are; Provision neither reads nor changes them. */
  readonly existing: readonly string[];
  /** ARN of the KMS key that encrypts the secrets. */
  readonly keyArn: pulumi.Input<string>;
  /**
   * By the secret's name, ARN patterns of the only principals that may read its value: the roles that start the tasks, and who
   * deploys, because the provider reads what it has written. Whatever else changes or removes a secret needs no reading. Default: who
   * may read is up to the account's own policies.
   */
  readonly readers?: Readonly<Record<string, pulumi.Input<readonly string[]>>> | undefined;
  /** By the secret's name, the stack's own roles that may read it beside `readers`. Default: none. */
  readonly ownReaders?: Readonly<Record<string, pulumi.Input<OwnRoles>>> | undefined;
  /** Days for which a deleted secret can still be brought back: 7 to 30, or 0 for none. Default 30. */
  readonly recoveryWindowDays?: pulumi.Input<number>;
  /** Tags of the secrets. */
  readonly tags?: pulumi.Input<Record<string, string>> | undefined;
}

/**
 * The secrets of the stack's jobs in AWS Secrets Manager, one each, with the values of the stack's configuration.
 *
 * - No rotation: a database's owner changes its password, not Provision. Checks that ask for one (SecretsManager.1 and
 *   .4, CKV2_AWS_57) are to be suppressed with that reason.
 * - No replicas in other regions: they are read where the tasks run, and a stack in another region has its own.
 * - The policy keeps other accounts out, and lets nobody but `readers` read a value, whatever a role of the account is allowed: an
 *   administrator has to change the policy first, which leaves a trace. It is there before the value is.
 * - Pulumi names them, with a unique end: the name of a secret that waits for its deletion cannot be used again. That end must
 *   not be `-` and six characters, which Secrets Manager would take for its own; Pulumi's default has seven.
 */
export class BackupSecrets extends pulumi.ComponentResource {
  /** ARNs by the secret's name; of existing ones by their ARN. They do not change when a value does. */
  readonly arns: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: BackupSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupSecrets", name, {}, opts);
    const { stack, keyArn, tags } = args;
    const account = awsAccount(this).id;
    const made = [...new Set(args.names)].sort().map((secretName): [string, pulumi.Output<string>] => {
      const child = `${name}-${stack}-${secretName}`;
      const secret = new aws.secretsmanager.Secret(
        fitName(child, SECRET_NAME),
        {
          description: `The secret ${secretName} of the backups of the stack ${stack}`,
          kmsKeyId: keyArn,
          recoveryWindowInDays: args.recoveryWindowDays ?? 30,
          tags,
        },
        { parent: this },
      );
      const policy = pulumi
        .all([account, args.readers && (args.readers[secretName] ?? []), pulumi.output(args.ownReaders?.[secretName])])
        .apply(([id, readers, own]) => JSON.stringify(policyOf(secretName, id, readers, own)));
      const secretPolicy = new aws.secretsmanager.SecretPolicy(
        `${child}-policy`,
        { secretArn: secret.arn, policy, blockPublicPolicy: true },
        { parent: this },
      );
      new aws.secretsmanager.SecretVersion(
        `${child}-value`,
        { secretId: secret.id, secretString: valueOf(args.secrets, secretName) },
        { parent: this, dependsOn: [secretPolicy] },
      );
      return [secretName, secret.arn];
    });
    const existing = args.existing.map((arn): [string, pulumi.Output<string>] => [arn, pulumi.output(arn)]);
    this.arns = Object.fromEntries([...made, ...existing]);
    this.registerOutputs({ arns: this.arns });
  }
}

function valueOf(secrets: BackupSecretsArgs["secrets"], name: string): pulumi.Output<string> {
  return pulumi.secret(secrets[name] ?? "").apply((value) => {
    if (value !== "") return value;
    throw new pulumi.RunError(
      `The stack has no secret ${name}. Set it: pulumi config set --secret --path 'provision:secrets.${name}'`,
    );
  });
}

/** The policy of a secret, which the account has and, where they are given, only some of its identities read. */
function policyOf(
  name: string,
  account: string,
  readers: readonly string[] | undefined,
  own: OwnRoles = { tag: [OWNER_TAG, ""], arns: [] },
): object {
  // Without one, nobody could read it, which no stack can mean.
  if (readers?.length === 0 && own.arns.length === 0) {
    throw new pulumi.RunError(`The secret ${name} has no readers. Put the role that starts its tasks into readers.`);
  }
  const statements: Statement[] = [
    denyWithoutTls("secretsmanager:*", "*"),
    {
      Sid: "DenyOtherAccounts",
      Effect: "Deny",
      Principal: "*",
      Action: "secretsmanager:*",
      Resource: "*",
      Condition: { StringNotEquals: { "aws:PrincipalAccount": account } },
    },
    ...(readers === undefined ? [] : denyOthers(readers, own)),
  ];
  return { Version: "2012-10-17", Statement: statements };
}

/** Whoever is not named has to have both the tag and the name of an own role: each of the two statements refuses whom the other lets pass. */
function denyOthers(readers: readonly string[], { tag: [key, value], arns }: OwnRoles): Statement[] {
  const deny = { Effect: "Deny", Principal: "*", Action: "secretsmanager:GetSecretValue", Resource: "*" } as const;
  const unlike = (patterns: readonly string[]) => ({ ArnNotLike: { "aws:PrincipalArn": patterns } });
  const untagged = {
    StringNotEquals: { [`aws:PrincipalTag/${key}`]: value },
    ...(readers.length > 0 && unlike(readers)),
  };
  return [
    { Sid: "DenyOtherReaders", ...deny, Condition: unlike([...readers, ...arns]) },
    ...(arns.length === 0 ? [] : [{ Sid: "DenyUntaggedReaders", ...deny, Condition: untagged }]),
  ];
}
