/**
 * What another Pulumi program imports from `provision`. Importing it deploys nothing.
 *
 * @module
 */
export { AwsBackups, type AwsBackupsArgs } from "./aws/aws-backups.ts";
export type { AwsJobOutputs } from "./aws/aws-backups/job-outputs.ts";
export { BackupAlarms, type AlarmJob, type BackupAlarmsArgs } from "./aws/backup-alarms.ts";
export { BackupBucket, type BackupBucketArgs } from "./aws/backup-bucket.ts";
export { BackupCopyBucket, type BackupCopyBucketArgs } from "./aws/backup-copy-bucket.ts";
export type { AccessLogs } from "./aws/backup-bucket/access-logs.ts";
export type { StorageTransition } from "./aws/backup-bucket/lifecycle.ts";
export type { BucketJob, ObjectLock } from "./aws/backup-bucket/lock.ts";
export type { ExistingReplica, NewReplica, Replica } from "./aws/backup-bucket/replica.ts";
export { BackupDashboard, type BackupDashboardArgs } from "./aws/backup-dashboard.ts";
export { BackupHolders, type BackupHoldersArgs } from "./aws/backup-holders.ts";
export {
  BackupImage,
  type BackupImageArgs,
  type BackupImageBuild,
  type CommonArgs,
  type FinishedImage,
  type ImageToBuild,
} from "./aws/backup-image.ts";
export { BackupKey, type BackupKeyArgs } from "./aws/backup-key.ts";
export { BackupNetwork, type BackupNetworkArgs } from "./aws/backup-network.ts";
export { BackupRunner, type BackupRunnerArgs, type BackupTask, type JobTasks } from "./aws/backup-runner.ts";
export type { Purpose } from "./aws/backup-runner/purposes.ts";
export {
  BackupSchedule,
  type BackupScheduleArgs,
  type ScheduleEntry,
  type TaskNetwork,
} from "./aws/backup-schedule.ts";
export { BackupSecrets, type BackupSecretsArgs } from "./aws/backup-secrets.ts";
export type { OwnRoles } from "./aws/principals.ts";
export type { RolePolicies } from "./aws/service-role.ts";
export type { AwsArgs, AwsSettings, LaterBucket, LaterNetwork, LaterRoles, MayComeLater } from "./aws/settings.ts";
export type { DatabasePlace, Endpoint, HttpsPlace } from "./aws/settings/network.ts";
export type { JobRole, JobRoleArns } from "./aws/settings/roles.ts";
export type { FirstStack } from "./first-stack.ts";
export { BackupHost, type BackupHostArgs, type JobOutputs } from "./host/backup-host.ts";
export type { HostArgs, HostMayComeLater, HostSettings } from "./host/settings.ts";
export type { FromJson, Later } from "./settings/later.ts";
export {
  awsSettings,
  hostSettings,
  type AwsProgramSettings,
  type HostProgramSettings,
  type ProgramSettings,
} from "./settings/program.ts";
export type { AwsTarget, CommonSettings, HostTarget, Settings } from "./settings/types.ts";
export { SigningKey, withSigning } from "./signing-key.ts";
export type { JobNames, JobSettings } from "../providers/config.ts";
