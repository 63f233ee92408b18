import { bucketRequest } from "../../../providers/storage/index.ts";
import { cadence } from "../../../providers/cadence.ts";
import { keptDays } from "../backup-bucket/lock.ts";
import type { AwsSettings } from "../settings.ts";
import type { CheckedJob } from "../../settings/types.ts";

/** Warns of a lock that a person chose and that outlives what the retention keeps, with what is then stored for nothing. */
export function longLockWarnings({ bucket }: AwsSettings, jobs: readonly CheckedJob[]): string[] {
  const { objectLock } = bucket;
  if (typeof objectLock !== "object") return [];
  const longer = jobs.flatMap(({ job }) => {
    const own = job.destinations.some((destination) => bucketRequest(destination) !== undefined);
    const kept = keptDays([job]);
    if (!own || kept === undefined || kept >= objectLock.days || job.schedule === undefined) return [];
    const days = objectLock.days - kept;
    const backups = Math.ceil((days * 24) / cadence(job.schedule.cron).shortestHours);
    return [`${job.name}: ${days} days longer than the ${kept} of its retention, up to ${backups} backups more`];
  });
  if (longer.length === 0) return [];
  return [
    `The lock of ${objectLock.days} days (provision:aws.bucket.objectLock.days) outlives the retention. What prune removes stays ` +
      `stored, and is paid for, until its lock ends. ${longer.join("; ")}.`,
  ];
}
