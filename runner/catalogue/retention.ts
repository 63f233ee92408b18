import type { Retention } from "../../providers/config.ts";
import type { BackupFolder } from "./backup-folder.ts";
import { byOrder } from "./order.ts";

const DAY_MS = 86_400_000;

/**
 * Which backups prune may remove.
 *
 * - The rule is applied to the verified backups and, on its own, to the unverified ones: a backup that was never read back
 *   takes no place from one that was, and the other way round.
 * - The newest verified backup is always kept, and so is the one that a run has just made. Without any verified backup nothing
 *   is removed. The backups' order says which is newer, not their times.
 * - Damaged backups are kept: parts of them may be all that is left of a day. A person removes them.
 * - All of this holds for the signed backups and for the others, each on their own: what anybody may have put there takes no place.
 * - Unreadable backups are kept: a newer version may know them. Unfinished and unproven folders, and those with another backup's manifest,
 *   are none of this function's business.
 *
 * @param made the id of the backup that the run has just made
 */
export function expired(backups: readonly BackupFolder[], rule: Retention, made?: string): BackupFolder[] {
  const newestFirst = [...backups].sort(byOrder).reverse();
  return [true, false].flatMap((signed) => {
    const some = newestFirst.filter((backup) => (backup.signed === true) === signed);
    return expiredOf(some, rule).filter(({ id }) => id !== made);
  });
}

/** The same of backups that are all signed, or all not, given newest first. */
function expiredOf(newestFirst: readonly BackupFolder[], rule: Retention): BackupFolder[] {
  const verified = newestFirst.filter((backup) => backup.state === "verified");
  const unverified = newestFirst.filter((backup) => backup.state === "unverified");
  const [newestVerified] = verified;
  if (!newestVerified) return [];
  const kept = new Set([newestVerified, ...chosen(verified, rule), ...chosen(unverified, rule)]);
  return [...verified, ...unverified].filter((backup) => !kept.has(backup));
}

/** The backups that the rule keeps of some, given newest first: of each period its last one. */
function chosen(newestFirst: readonly BackupFolder[], rule: Retention): BackupFolder[] {
  const lastOfEach = (period: (time: Date) => string | number, count = 0): BackupFolder[] => {
    const lasts = new Map<string | number, BackupFolder>();
    for (const backup of newestFirst) {
      const key = period(backup.time);
      if (!lasts.has(key)) lasts.set(key, backup);
    }
    return [...lasts.values()].slice(0, count);
  };
  return [
    ...newestFirst.slice(0, rule.last ?? 0),
    ...lastOfEach((time) => Math.floor(time.getTime() / DAY_MS), rule.daily),
    // 1 January 1970 was a Thursday; ISO weeks start on Mondays, three days before.
    ...lastOfEach((time) => Math.floor((time.getTime() / DAY_MS + 3) / 7), rule.weekly),
    ...lastOfEach((time) => time.toISOString().slice(0, 7), rule.monthly),
  ];
}
