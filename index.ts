import { readSettings } from "./components/settings/settings.ts";
import type { Settings } from "./components/settings/types.ts";
import { withSigning } from "./components/signing-key.ts";

const { settings, key: signingKeyMade } = withSigning(readSettings());
const made = await deploy(settings);

/** What a person needs to know of each job: how it is scheduled, where its backups are, and the commands to use them. */
export const jobs = made.jobs;

/** Of the target aws: the runner's image with its digest, which the next stack takes over. */
export const image = "image" in made ? made.image : undefined;

/** Of the target aws: the bucket's name. */
export const bucket = "bucket" in made ? made.bucket : undefined;

/** Of the target aws: the dashboard's address. */
export const dashboard = "dashboard" in made ? made.dashboard : undefined;

/** Of the target aws: the ARN of the topic that the alarms go to. */
export const alarmTopic = "alarmTopic" in made ? made.alarmTopic : undefined;

/** Of the target aws: the name of the cluster in which the tasks run. */
export const cluster = "cluster" in made ? made.cluster : undefined;

/** Of the target aws: the ARN of the key that encrypts the backups, the secrets, the logs and the schedules. */
export const key = "key" in made ? made.key : undefined;

/** Of the target aws: the URL of the queue of starts that failed, for `aws sqs receive-message` and `purge-queue`. */
export const deadLetterQueue = "deadLetterQueue" in made ? made.deadLetterQueue : undefined;

/** The key that signs the backups, where the stack has made it: a secret. Keep a copy of it apart from the stack. */
export const signingKey = signingKeyMade;

/** Each target's packages are loaded only where it is deployed: that of AWS takes a second and a half. */
async function deploy(settings: Settings) {
  const source = import.meta.dirname;
  if (settings.target === "aws") {
    const { AwsBackups } = await import("./components/aws/aws-backups.ts");
    return new AwsBackups("provision", { ...settings, source });
  }
  const { BackupHost } = await import("./components/host/backup-host.ts");
  return new BackupHost("host", { ...settings, source });
}
