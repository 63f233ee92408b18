import { VERIFICATION } from "../../providers/layout.ts";
import type { BackupFolder } from "./catalogue/backup-folder.ts";

/** What has no content of the job's that could be read: it is reported each time, and takes no part of a sample. */
const UNREAD: readonly BackupFolder["state"][] = ["foreign", "unproven", "unreadable"];

/**
 * Those of a job's backups that were not read for the longest time, so many that they make up a share of all stored bytes, and
 * at least one. With a share of 5 % every backup has been read after twenty samples, whatever is added and pruned between them.
 *
 * @param share more than 0, at most 1
 */
export function sampleOf(backups: readonly BackupFolder[], share: number): BackupFolder[] {
  const others = backups.filter(({ state }) => UNREAD.includes(state));
  // What anybody may have put there takes no part of the sample of those that are proven.
  const chosen = [true, false].flatMap((decides) =>
    longestUnread(
      backups.filter((backup) => backup.decides === decides && !UNREAD.includes(backup.state)),
      share,
    ),
  );
  return [...others, ...chosen];
}

function longestUnread(backups: readonly BackupFolder[], share: number): BackupFolder[] {
  const longestFirst = backups
    .map((backup) => ({ backup, read: lastRead(backup) }))
    .sort((a, b) => a.read - b.read)
    .map(({ backup }) => backup);
  const wanted = share * longestFirst.reduce((sum, { size }) => sum + size, 0);
  const chosen: BackupFolder[] = [];
  let bytes = 0;
  for (const backup of longestFirst) {
    if (chosen.length > 0 && bytes >= wanted) break;
    chosen.push(backup);
    bytes += backup.size;
  }
  return chosen;
}

/** When a backup was last read in full, in milliseconds; 0 where it never was. */
function lastRead({ records }: BackupFolder): number {
  const outcomes: readonly string[] = Object.values(VERIFICATION);
  return Math.max(0, ...records.filter(({ outcome }) => outcomes.includes(outcome)).map(({ time }) => time.getTime()));
}
