import { bucketRequest, lockDays } from "../../../providers/storage/index.ts";
import { cadence } from "../../../providers/cadence.ts";
import { keptDays } from "../backup-bucket/lock.ts";
import type { AwsSettings } from "../settings.ts";
import type { CheckedJob } from "../../settings/types.ts";

/** Warns of each lock that a person chose and that outlives what the retention keeps, with what is then stored for nothing. */
export function longLockWarnings(settings: AwsSettings, jobs: readonly CheckedJob[]): string[] {
  const locks = jobs.flatMap((checked) =>
    locksOf(settings, checked).map((lock) => ({ ...lock, longer: longer(checked, lock.days) })),
  );
  const byPath = Map.groupBy(locks, ({ path }) => path);
  return [...byPath].flatMap(([path, [lock, ...others]]) => {
    const found = new Set([lock, ...others].flatMap((each) => each?.longer ?? []));
    if (lock === undefined || found.size === 0) return [];
    return [
      `The lock of ${lock.days} days (${path}) outlives the retention. What prune removes stays ` +
        `stored, and is paid for, until its lock ends. ${[...found].join("; ")}.`,
    ];
  });
}

/** The locks on what a job writes, and where each is set. One of a destination goes before that of the stack's bucket. */
function locksOf({ bucket: { objectLock } }: AwsSettings, { path, job }: CheckedJob) {
  const shared =
    typeof objectLock === "object" ? [{ path: "provision:aws.bucket.objectLock.days", days: objectLock.days }] : [];
  return job.destinations.flatMap((destination, index) => {
    const days = lockDays(destination);
    if (days !== undefined) return [{ path: `${path}.destinations[${index}].objectLock.days`, days }];
    return bucketRequest(destination) === undefined ? [] : shared;
  });
}

/** By how much a lock of so many days outlives a job's retention; undefined where it does not. */
function longer({ job }: CheckedJob, lockedDays: number): string | undefined {
  const kept = keptDays([job]);
  if (kept === undefined || kept >= lockedDays || job.schedule === undefined) return undefined;
  const days = lockedDays - kept;
  const backups = Math.ceil((days * 24) / cadence(job.schedule.cron).shortestHours);
  return `${job.name}: ${days} days longer than the ${kept} of its retention, up to ${backups} backups more`;
}
