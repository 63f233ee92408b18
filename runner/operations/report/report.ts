import type { BackupState } from "../../backups/catalogue/backup-folder.ts";
import type { Kept } from "../../backups/catalogue/retention.ts";

/*
 * What a report says: the only source of the page, the Markdown and the JSON, which is this as it stands. All times are ISO 8601 in
 * UTC, all durations seconds, all sizes bytes. A field that is added leaves `format` as it is; one that goes or changes its meaning
 * raises it.
 */

/** A report on the jobs of a stack. */
export interface Report {
  /** The version of this form. */
  readonly format: 1;
  /** The version of Provision that made it. */
  readonly program: string;
  readonly madeAt: string;
  /** All jobs in one sentence. Of one job, the job's own. */
  readonly headline: string;
  readonly jobs: readonly JobReport[];
}

/** What is known of one job. */
export interface JobReport {
  readonly stack: string;
  readonly job: string;
  /** To when it is recoverable, when that was proven, until when it is locked or held, in words. */
  readonly headline: string;
  /** When its backups run; null where it has no schedule, or this run does not know it. */
  readonly schedule: { readonly cron: string; readonly timezone: string } | null;
  /** The time zone whose days the calendar has: the schedule's, UTC without one. */
  readonly timeZone: string;
  /** The newest verified backup that is not suspicious, in any destination; null where there is none. */
  readonly recoverable: Recoverable | null;
  /** How old that may be; null where the job promises nothing, or there is none. */
  readonly recoveryPoint: Objective | null;
  /** The newest drill that restored a backup; null where none did. */
  readonly proven: Proven | null;
  /** How long that restore may take; null where the job promises nothing, or nothing is proven. */
  readonly recoveryTime: Objective | null;
  readonly destinations: readonly DestinationReport[];
  /** The last twelve months, the first day first. */
  readonly calendar: readonly Day[];
  /** The first day on which missed runs are known; null without a schedule or a backup. */
  readonly missedSince: string | null;
  /** The oldest first; each once, with its copies. */
  readonly backups: readonly BackupReport[];
  /** The newest first. */
  readonly drills: readonly DrillReport[];
  /** What the newest backup leaves out, and why. */
  readonly omitted: readonly { readonly artifact: string; readonly reason: string }[];
  /** The command that restores the newest backup that is recoverable; null where there is none. */
  readonly restore: string | null;
  /** What counts for nothing, or is from the future, one sentence each, at most a hundred. */
  readonly warnings: readonly string[];
}

/** To when a job is recoverable. */
export interface Recoverable {
  readonly id: string;
  /** When the backup was begun. */
  readonly time: string;
  readonly ageSeconds: number;
  /** The numbers of the destinations that have it. */
  readonly destinations: readonly number[];
  /** Until when a store refuses to remove it, where one has such a lock; null otherwise. */
  readonly lockedUntil: string | null;
  /** The hold on it; null where nobody holds it. */
  readonly hold: HoldReport | null;
}

/** What is proven beside what the job promises. */
export interface Objective {
  readonly seconds: number;
  readonly objectiveSeconds: number;
  readonly met: boolean;
}

/** That a backup was restored. */
interface Proven {
  readonly id: string;
  /** When the drill was done. */
  readonly time: string;
  /** What the restore took; null in records of earlier versions. */
  readonly seconds: number | null;
}

/** One destination. */
export interface DestinationReport {
  /** Its place in the job, counted from 0. */
  readonly number: number;
  /** Where it is, without secrets. */
  readonly description: string;
  /** Why it could not be read; null where it was. */
  readonly problem: string | null;
  readonly backups: number;
  readonly verified: number;
  readonly damaged: number;
  readonly suspicious: number;
  readonly held: number;
  /** Bytes of all its backups, without the contents of files that they share. */
  readonly bytes: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  /** Its newest verified backup that is not suspicious. */
  readonly recoverable: string | null;
}

/** One day, in the job's time zone. */
export interface Day {
  /** As `2026-12-31`. */
  readonly date: string;
  /** Backups that were begun on it and are there. */
  readonly made: number;
  /** How many of these are verified in some destination. */
  readonly verified: number;
  /** How many of these are suspicious. */
  readonly suspicious: number;
  /** How many of these are damaged, wherever they are. */
  readonly damaged: number;
  /** Drills on this day, of whatever backups, that restored one; and those that failed. */
  readonly drilled: number;
  readonly drillFailed: number;
  /** Runs that were due by the schedule and made no backup, although the retention rule would keep one. */
  readonly missed: number;
  /** Runs that were due and whose backup is not there, because the rule would have let it go or the run may be going on. */
  readonly unknown: number;
}

/** One backup, wherever its copies are. */
export interface BackupReport {
  readonly id: string;
  readonly time: string;
  /** From its start to its manifest; null where no copy's manifest can be read, and so are the sizes. */
  readonly seconds: number | null;
  readonly storedBytes: number | null;
  readonly plainBytes: number | null;
  /** Whether it may have lost something, in some destination. */
  readonly suspicious: boolean;
  /** What of it is far from usual, one sentence each. */
  readonly findings: readonly string[];
  /** Why a person says that it is right as it is; null where nobody does. */
  readonly accepted: string | null;
  readonly copies: readonly Copy[];
}

/** A backup in one destination. */
export interface Copy {
  readonly destination: number;
  readonly state: BackupState;
  /** When it was last read in full; null where it never was. */
  readonly verifiedAt: string | null;
  /** Left out where the job signs nothing. */
  readonly signed?: boolean;
  readonly lockedUntil: string | null;
  /** The hold that lasts longest, and all of them. */
  readonly hold: HoldReport | null;
  readonly holds: readonly HoldReport[];
  /** Why the retention rule keeps it, and until when at least; null where it goes at the next prune. Left out where no rule decides. */
  readonly kept?: Kept | null;
}

/** That a person keeps a backup. */
export interface HoldReport {
  readonly id: string;
  readonly reason: string;
  readonly since: string | null;
  /** Null: until it is released. */
  readonly until: string | null;
}

/** One drill. */
export interface DrillReport {
  readonly time: string;
  readonly id: string;
  readonly ok: boolean;
  readonly serverVersion: string;
  readonly tables: number;
  readonly rows: number;
  /** Seconds of the steps; null in records of earlier versions. */
  readonly seconds: { readonly restore: number; readonly compare: number; readonly checks: number | null } | null;
  readonly recoveryTime: Objective | null;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly seconds: number }[];
  /** At most twenty. */
  readonly problems: readonly string[];
  /** How many more there were. */
  readonly more: number;
}
