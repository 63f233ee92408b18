import { ProviderError } from "../../providers/errors.ts";
import { ANOMALY } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { BackupFolder, JobName } from "../backups/catalogue/backup-folder.ts";
import { recordsBeside } from "../backups/catalogue/catalogue.ts";
import { chooseBackup } from "../backups/catalogue/choose-backup.ts";
import type { AnomalyRecord } from "../backups/documents/manifest.ts";
import { writeRecord } from "../backups/documents/write-record.ts";
import { PROGRAM } from "../version.ts";

/** Which backup is accepted, and why. */
export interface AcceptOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The backup's id, `latest` or `verified`. */
  readonly id: string;
  /** Why, in a person's words. */
  readonly reason: string;
  readonly signal: AbortSignal;
}

/**
 * Records beside a suspicious backup that it is right: it counts as any other from now on, and later backups are
 * compared with it and with none from before.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup, or it is not suspicious
 */
export async function accept({ storage, job, id, reason, signal }: AcceptOptions): Promise<{ readonly id: string }> {
  const backup: BackupFolder = await chooseBackup(storage, job, id, signal);
  if (backup.unusual?.suspicious !== true) {
    throw new ProviderError("NOT_FOUND", `The backup ${backup.id} in ${storage.description} is not suspicious.`, {
      fix: "`provision list` shows which backups are, and why.",
    });
  }
  const after = await recordsBeside(storage, job, backup.id, signal);
  const common = {
    format: 1,
    id: backup.id,
    program: PROGRAM,
    outcome: ANOMALY.good,
    after,
    accepted: reason,
  } as const;
  await writeRecord({ storage, job, id: backup.id, signal }, (at): AnomalyRecord => ({
    ...common,
    anomalies: [],
    recordedAt: at.toISOString(),
  }));
  return { id: backup.id };
}
