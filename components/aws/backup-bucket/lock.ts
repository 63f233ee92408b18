import * as pulumi from "@pulumi/pulumi";
import { parseDuration, type JobSettings } from "../../../providers/config.ts";
import { cadence } from "../../../providers/fields/cadence.ts";

/** How long the bucket locks what is written to it. */
export interface ObjectLock {
  /**
   * `governance`: who has a special permission may shorten it or remove a locked object. `compliance`: nobody may, the
   * account's owner included, until the days are over.
   */
  readonly mode: "governance" | "compliance";
  /** Days for which each new object is locked, 1 to 36500. */
  readonly days: number;
  /** Has to be true for `compliance`, which nobody can take back. */
  readonly confirmCompliance?: boolean;
}

/** What the bucket has to know of a job. */
export type BucketJob = Pick<JobSettings, "name"> & Partial<Pick<JobSettings, "retention" | "schedule">>;

const DAY_MS = 86_400_000;

/** A longer lock keeps no backup that an attacker could not wait for, and makes a mistake costly for longer. */
const LONGEST_DEFAULT_DAYS = 30;

/**
 * Days for which no job's prune removes any of its scheduled backups; undefined where no job has a retention, since nothing
 * is ever pruned then. A rule for weeks counts only for a job that runs at most weekly, and so on: of a day, a week or a
 * month, prune keeps the last backup alone.
 */
export function keptDays(jobs: readonly BucketJob[]): number | undefined {
  const days = jobs.flatMap(({ retention, schedule }) => {
    if (retention === undefined) return [];
    const gap = schedule === undefined ? 1 : cadence(schedule.cron).shortestHours / 24;
    const {
      last = 0,
      atLeast = 0,
      hourly = 0,
      daily = 0,
      weekly = 0,
      monthly = 0,
      yearly = 0,
      within = "",
    } = retention;
    return Math.floor(
      Math.max(
        Math.max(last, atLeast) * gap,
        parseDuration(within) / DAY_MS,
        gap >= 1 / 24 ? hourly * gap : 0,
        gap >= 1 ? daily : 0,
        gap >= 7 ? weekly * 7 : 0,
        gap >= 28 ? monthly * 28 : 0,
        gap >= 365 ? yearly * 365 : 0,
      ),
    );
  });
  return days.length === 0 ? undefined : Math.min(...days);
}

/**
 * The lock where the stack asks for none: governance, for as long as every backup is kept anyway, so that it costs nothing;
 * at least a day and at most 30.
 */
export function defaultLock(kept: number | undefined): ObjectLock {
  return { mode: "governance", days: Math.max(1, Math.min(kept ?? LONGEST_DEFAULT_DAYS, LONGEST_DEFAULT_DAYS)) };
}

/**
 * Ends a deployment with `objectLock: off` if the bucket has Object Lock.
 *
 * @throws RunError, which Pulumi prints without a stack
 */
export function refuseUnlocking(bucket: string, locked: boolean): void {
  if (!locked) return;
  throw new pulumi.RunError(
    `The bucket ${bucket} has Object Lock, which S3 never turns off again, and objectLock is off. Set objectLock to the ` +
      "shortest lock, { mode: governance, days: 1 }, or have the backups in another bucket.",
  );
}
