import { ProviderError } from "../providers/errors.ts";
import { HOLD } from "../providers/layout.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import type { BackupFolder, JobName } from "./catalogue/backup-folder.ts";
import { namesIn } from "./catalogue/catalogue.ts";
import { chooseBackup } from "./catalogue/choose-backup.ts";
import type { HoldRecord } from "./documents/manifest.ts";
import { recordsOf } from "./documents/records.ts";
import { writeRecord } from "./documents/write-record.ts";
import { PROGRAM } from "./version.ts";

/** Which backup is held or released, and why. */
export interface HoldOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The backup's id, `latest` or `verified`. */
  readonly id: string;
  /** Why, in a person's words. */
  readonly reason: string;
  /** When the hold ends by itself. Undefined: when it is released. */
  readonly until?: Date | undefined;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface HoldReport {
  readonly id: string;
  readonly outcome: (typeof HOLD)["good" | "bad"];
  readonly reason: string;
  readonly until?: string;
}

/**
 * Records beside a backup that it is kept, whatever the retention rule says, until it is released or the time has come. Held
 * again, the newest hold counts.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup
 */
export async function hold(options: HoldOptions): Promise<HoldReport> {
  const { id } = await chooseBackup(options.storage, options.job, options.id, options.signal);
  return write(options, id, HOLD.bad);
}

/**
 * Records that a backup is no longer held: the next prune goes by the retention rule alone.
 *
 * @throws ProviderError `NOT_FOUND` where there is no such backup, or no hold on it
 */
export async function release(options: HoldOptions): Promise<HoldReport> {
  const backup: BackupFolder = await chooseBackup(options.storage, options.job, options.id, options.signal);
  if (backup.hold === undefined) {
    throw new ProviderError("NOT_FOUND", `Nobody holds the backup ${backup.id} in ${options.storage.description}.`, {
      fix: "`provision list` shows which backups are held, and why.",
    });
  }
  return write({ ...options, until: undefined }, backup.id, HOLD.good);
}

async function write(
  { storage, job, reason, until, signal }: HoldOptions,
  id: string,
  outcome: HoldRecord["outcome"],
): Promise<HoldReport> {
  const after = recordsOf(await namesIn(storage, job, id, signal));
  const end = until === undefined ? {} : { until: until.toISOString() };
  const common = { format: 1, id, program: PROGRAM, outcome, after, reason, ...end } as const;
  await writeRecord({ storage, job, id, signal }, (at): HoldRecord => ({ ...common, recordedAt: at.toISOString() }));
  return { id, outcome, reason, ...end };
}
