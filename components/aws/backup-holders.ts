import * as pulumi from "@pulumi/pulumi";
import type { JobSettings } from "../../providers/config.ts";
import { awsAccount } from "./aws-account.ts";
import { secretStatements } from "./backup-runner/execution-statements.ts";
import { jobConfig, readsTags, secretsIn, type SecretVariable } from "./backup-runner/job-config.ts";
import { secretArnsOf } from "./backup-runner/secret-arns.ts";
import { formerNames } from "./former-names.ts";
import { jobStatements } from "./job-statements.ts";
import { policy } from "./policy.ts";
import { serviceRole, type RoleLimits } from "./service-role.ts";

/** Arguments of {@link BackupHolders}. */
export interface BackupHoldersArgs extends RoleLimits {
  /** The stack's name. Known beforehand, as are the jobs: they decide which roles there are. */
  readonly stack: string;
  /** The stack's first name, which the folders of backups have. Default: its name. */
  readonly firstStack?: pulumi.Input<string> | undefined;
  readonly jobs: readonly JobSettings[];
  /** ARNs of the roles, users or accounts (`…:root`) that may take the roles. IAM takes no patterns here. */
  readonly holders: readonly string[];
  /** The bucket of the destinations that leave theirs to the stack, and the ARN of the KMS key of its objects. */
  readonly bucket: { readonly name: pulumi.Input<string>; readonly keyArn?: pulumi.Input<string> | undefined };
  /** ARNs of the secrets that jobs refer to: the stack's by name, existing ones by the ARN that the reference has. */
  readonly secretArns: Readonly<Record<string, pulumi.Input<string>>>;
  /** ARN of the KMS key of the stack's secrets. */
  readonly keyArn: pulumi.Input<string>;
  /** ARNs of the keys of existing secrets. Default: they have the stack's key, or the one that AWS manages. */
  readonly secretKeyArns?: pulumi.Input<readonly pulumi.Input<string>[]> | undefined;
  /** Tags of the roles. */
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * A role for each job with which people hold its backups and release them (`provision hold`, `provision release`).
 *
 * - It reads what is recorded of backups, creates records of holds, and puts S3's legal holds on backups or takes them off. It reads no
 *   dump and no file, removes nothing, and does not change when a lock ends.
 * - It reads the keys that sign the job's records, since beside a signed backup a record without a signature counts for nothing. It reads
 *   no other secret: a store's credentials are enough to remove backups there.
 */
export class BackupHolders extends pulumi.ComponentResource {
  /** The roles' ARNs by job. */
  readonly roleArns: Readonly<Record<string, pulumi.Output<string>>>;

  /** @throws RunError where a secret has no ARN */
  constructor(name: string, args: BackupHoldersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupHolders", name, {}, opts);
    const { stack, firstStack = stack, jobs, holders, bucket, secretArns, permissionsBoundary, rolePath, tags } = args;
    const trust = policy({
      Sid: "LetHoldersTakeIt",
      Effect: "Allow",
      Principal: { AWS: holders },
      Action: "sts:AssumeRole",
    });
    const account = pulumi.output(awsAccount(this));
    const known = pulumi.all([
      account,
      pulumi.output({ name: bucket.name, keyArn: bucket.keyArn }),
      args.keyArn,
      pulumi.output(args.secretKeyArns ?? []),
      firstStack,
    ]);
    const statementsOf = (job: JobSettings) =>
      pulumi
        .all([known, ...secretArnsOf(job.name, holderSecrets(job), { secretArns, account })])
        .apply(([[where, objects, keyArn, existingKeyArns, first], own, existingSecretArns, parameterArns]) => [
          ...jobStatements(jobConfig(job, first, objects), "hold", where),
          ...secretStatements({ secretArns: own, existingSecretArns, parameterArns, keyArn, existingKeyArns }),
        ]);
    const child = (job: string) => `${name}-${stack}-${job}-hold`;
    this.roleArns = Object.fromEntries(
      jobs.map((job) => {
        const description = `People hold backups of the job ${job.name} of the stack ${stack} with it.`;
        const limits = { permissionsBoundary, rolePath, tags: readsTags(tags, holderSecrets(job)) };
        const role = { trust, description, statements: statementsOf(job), ...limits };
        return [job.name, serviceRole(child(job.name), role, this, formerNames(job, child)).arn];
      }),
    );
    this.registerOutputs({ roleArns: this.roleArns });
  }
}

/** The secrets that the role of a job's holders reads. */
export function holderSecrets(job: JobSettings): SecretVariable[] {
  return secretsIn(job, ["signing"]);
}
