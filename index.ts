import type { AwsBackups } from "./components/aws/aws-backups.ts";
import type { BackupHost } from "./components/host/backup-host.ts";
import { readSettings } from "./components/settings/settings.ts";
import type { Settings } from "./components/settings/types.ts";
import { withSigning } from "./components/signing-key.ts";

/** What both targets tell, and what only the target aws does. */
interface Outputs extends Partial<
  Pick<
    AwsBackups,
    | "image"
    | "bucket"
    | "dashboard"
    | "alarmTopic"
    | "cluster"
    | "key"
    | "deadLetterQueue"
    | "securityGroupId"
    | "replicationRoleArn"
    | "schedulerPolicies"
    | "stateMachinePolicies"
  >
> {
  readonly jobs: AwsBackups["jobs"] | BackupHost["jobs"];
}

const { settings, key: signingKey } = withSigning(readSettings());

/**
 * The stack's outputs:
 *
 * - `jobs`: of each job how it is scheduled, where its backups are, and the commands to use them.
 * - `signingKey`: the key that signs the backups, where the stack has made it: a secret. Keep a copy of it apart from the stack.
 *
 * Of the target aws alone:
 *
 * - `image`: the runner's image with its digest, which the next stack takes over.
 * - `bucket`: the bucket's name; `cluster`: the name of the cluster in which the tasks run.
 * - `dashboard`: the dashboard's address.
 * - `alarmTopic`: the ARN of the topic that the alarms go to.
 * - `key`: the ARN of the key that encrypts the backups, the secrets, the logs and the schedules.
 * - `deadLetterQueue`: the URL of the queue of starts that failed, for `aws sqs receive-message` and `purge-queue`.
 * - `securityGroupId`: the id of the tasks' security group, which a database's rule lets in.
 *
 * - `replicationRoleArn`: the role with which S3 copies to `bucket.replica`.
 * - `schedulerPolicies`, `stateMachinePolicies`: what existing roles of both (`roles.scheduler`, `roles.stateMachine`) need.
 *
 * One object, since Pulumi warns of every named export that is undefined.
 */
export default { ...(await deploy(settings)), ...(signingKey !== undefined && { signingKey }) };

/** Each target's packages are loaded only where it is deployed: that of AWS takes a second and a half. */
async function deploy(settings: Settings): Promise<Outputs> {
  const source = import.meta.dirname;
  if (settings.target === "aws") {
    const { AwsBackups } = await import("./components/aws/aws-backups.ts");
    const made = new AwsBackups("provision", { ...settings, source });
    const { jobs, image, bucket, dashboard, alarmTopic, cluster, key, deadLetterQueue, securityGroupId } = made;
    const { replicationRoleArn, schedulerPolicies, stateMachinePolicies } = made;
    return {
      ...{ jobs, image, bucket, dashboard, alarmTopic, cluster, key, deadLetterQueue, securityGroupId },
      ...(replicationRoleArn !== undefined && { replicationRoleArn }),
      ...(schedulerPolicies !== undefined && { schedulerPolicies }),
      ...(stateMachinePolicies !== undefined && { stateMachinePolicies }),
    };
  }
  const { BackupHost } = await import("./components/host/backup-host.ts");
  const { jobs } = new BackupHost("host", { ...settings, source });
  return { jobs };
}
