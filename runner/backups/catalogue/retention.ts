import type { Retention } from "../../../providers/config.ts";
import { parseDuration } from "../../../providers/fields/duration.ts";
import type { BackupFolder, Hold } from "./backup-folder.ts";
import { Calendar, PERIODS, type Period } from "./calendar.ts";
import { byOrder } from "./order.ts";

/** The `position`th of the `of` newest backups, or of the `of` last hours, days … that have one. */
interface Counted {
  readonly rule: "last" | "atLeast" | Period;
  readonly position: number;
  readonly of: number;
}

/** At most that much older than the newest backup. */
interface Young {
  readonly rule: "within";
  readonly of: string;
}

/** What persons hold. */
interface Held {
  readonly rule: "held";
  /** Their reasons. */
  readonly by: readonly string[];
}

/** The newest verified backup; what the run has just made; any, where no backup is verified. */
interface Always {
  readonly rule: "newest" | "made" | "noneVerified";
}

/** Why a backup is kept. */
export type Reason = Counted | Young | Held | Always;

/** That a backup is kept, and why. */
export interface Kept {
  /** All reasons, at least one. */
  readonly reasons: readonly Reason[];
  /**
   * The day on which it may be removed at the earliest, in the job's time zone, where the job makes a verified backup in every
   * period from now on. Undefined where the next backups decide.
   */
  readonly until: string | undefined;
}

/** What a rule is applied with. */
export interface RetentionContext {
  /** The time zone whose hours, days, weeks, months and years count. */
  readonly timeZone: string;
  /** The id of the backup that the run has just made. */
  readonly made?: string | undefined;
}

/**
 * Which backups a rule keeps, and why. Prune may remove every other verified or unverified backup.
 *
 * - The rule is applied to the verified backups and, on its own, to the unverified ones: a backup that was never read back
 *   takes no place from one that was, and the other way round.
 * - The newest verified backup is always kept, and so is the one that a run has just made. Without any verified backup nothing
 *   is removed. The backups' order says which is newer, not their times.
 * - A backup that a person holds is kept until it is released or the hold ends by itself. It takes its place in the rule as any other.
 * - A backup that has lost something (`suspicious`) takes no place either: the rule is applied to all verified backups, and to those
 *   without the suspicious ones, and what either keeps is kept. So the newest verified backup is kept, and the newest that is not suspicious.
 * - Damaged backups are kept: parts of them may be all that is left of a day. A person removes them.
 * - All of this holds for the signed backups and for the others, each on their own: what anybody may have put there takes no place.
 * - Unreadable backups are kept: a newer version may know them. Unfinished and unproven folders, and those with another backup's manifest,
 *   are none of this function's business.
 */
export function keptBy(
  backups: readonly BackupFolder[],
  rule: Retention,
  { timeZone, made }: RetentionContext,
): Map<BackupFolder, Kept> {
  const calendar = new Calendar(timeZone);
  const newestFirst = backups.filter(isRuled).sort(byOrder).reverse();
  const reasons = new Map<BackupFolder, Reason[]>();
  const until = new Map<BackupFolder, string>();
  const keep = (backup: BackupFolder, reason: Reason, day?: string) => {
    const known = reasons.get(backup);
    if (known?.some(({ rule }) => rule === reason.rule)) return;
    if (known) known.push(reason);
    else reasons.set(backup, [reason]);
    if (day !== undefined && day > (until.get(backup) ?? "")) until.set(backup, day);
  };
  for (const signed of [true, false]) {
    const some = newestFirst.filter((backup) => (backup.signed === true) === signed);
    const verified = some.filter(({ state }) => state === "verified");
    const unverified = some.filter(({ state }) => state === "unverified");
    const [newest] = verified;
    if (newest) {
      const trusted = verified.filter(({ unusual }) => unusual?.suspicious !== true);
      for (const backups of trusted.length === verified.length ? [verified] : [trusted, verified]) {
        const [first] = backups;
        if (first) keep(first, { rule: "newest" });
        applyRule(backups, rule, calendar, keep);
      }
      applyRule(unverified, rule, calendar, keep);
      fillUp(trusted, rule.atLeast ?? 0, reasons, keep);
    } else {
      for (const backup of unverified) keep(backup, { rule: "noneVerified" });
    }
    for (const backup of some) {
      if (backup.id === made) keep(backup, { rule: "made" });
      const holds = activeHolds(backup);
      const end = holds[0]?.until;
      if (holds.length > 0)
        keep(backup, { rule: "held", by: holds.map(({ reason }) => reason) }, end && calendar.dateOf(end));
    }
  }
  return new Map([...reasons].map(([backup, why]) => [backup, { reasons: why, until: until.get(backup) }]));
}

/** The holds on a backup that have not ended by themselves, the one that lasts longest first. */
export function activeHolds({ holds = [] }: Pick<BackupFolder, "holds">): Hold[] {
  return holds.filter(({ until }) => until === undefined || until.getTime() > Date.now());
}

/** Whether a person holds a backup now. */
export function isHeld(backup: BackupFolder): boolean {
  return activeHolds(backup).length > 0;
}

/** The backups that a rule lets go, the newest first, given those that it keeps; see {@link keptBy}. */
export function expired(backups: readonly BackupFolder[], kept: ReadonlyMap<BackupFolder, Kept>): BackupFolder[] {
  return backups
    .filter((backup) => isRuled(backup) && !kept.has(backup))
    .sort(byOrder)
    .reverse();
}

/** Whether a rule decides about a backup. */
export function isRuled({ state }: BackupFolder): boolean {
  return state === "verified" || state === "unverified";
}

type Keep = (backup: BackupFolder, reason: Reason, until?: string) => void;

/** Keeps what the rule wants of some backups, given newest first: of each period its last one. */
function applyRule(newestFirst: readonly BackupFolder[], rule: Retention, calendar: Calendar, keep: Keep): void {
  const { last = 0, within } = rule;
  for (const [index, backup] of newestFirst.slice(0, last).entries()) {
    keep(backup, { rule: "last", position: index + 1, of: last });
  }
  for (const period of PERIODS) {
    const of = rule[period] ?? 0;
    const lastOfEach = new Map<number, BackupFolder>();
    for (const backup of of === 0 ? [] : newestFirst) {
      const number = calendar.numberOf(period, backup.time);
      if (!lastOfEach.has(number)) lastOfEach.set(number, backup);
    }
    const [newest = 0] = lastOfEach.keys();
    for (const [index, backup] of [...lastOfEach.values()].slice(0, of).entries()) {
      // The newest may give way to the next backup of the same period.
      const day = index === 0 ? undefined : calendar.firstDay(period, newest + of - index);
      keep(backup, { rule: period, position: index + 1, of }, day);
    }
  }
  if (within === undefined) return;
  const duration = parseDuration(within);
  // Counted from the newest backup: where backups stop, or this machine's clock is ahead, none grows too old.
  const newest = Math.max(...newestFirst.map(({ time }) => time.getTime()));
  for (const backup of newestFirst) {
    if (newest - backup.time.getTime() > duration) continue;
    keep(backup, { rule: "within", of: within }, calendar.dateOf(new Date(backup.time.getTime() + duration)));
  }
}

/** Keeps the newest of the verified backups that nothing else keeps, until there are as many as there must be. */
function fillUp(
  verified: readonly BackupFolder[],
  atLeast: number,
  reasons: ReadonlyMap<BackupFolder, unknown>,
  keep: Keep,
): void {
  let count = verified.filter((backup) => reasons.has(backup)).length;
  for (const backup of verified) {
    if (count >= atLeast) return;
    if (reasons.has(backup)) continue;
    count += 1;
    keep(backup, { rule: "atLeast", position: count, of: atLeast });
  }
}

/**
 * Why a backup is kept, in words: `daily 3/14, weekly 1/8; until 2026-12-05`.
 *
 * @param shown how the day is written. Default: as it is.
 */
export function describeKept({ reasons, until }: Kept, shown = (day: string) => day): string {
  return `${reasons.map(inWords).join(", ")}${until === undefined ? "" : `; until ${shown(until)}`}`;
}

function inWords(reason: Reason): string {
  switch (reason.rule) {
    case "newest":
      return "newest verified";
    case "made":
      return "just made";
    case "held":
      return `held (${reason.by.join("; ")})`;
    case "noneVerified":
      return "no backup is verified";
    case "within":
      return `within ${reason.of}`;
    case "atLeast":
      return `at least ${reason.position}/${reason.of}`;
    default:
      return `${reason.rule} ${reason.position}/${reason.of}`;
  }
}
