import type { JobSettings } from "../../../providers/config.ts";
import { jobFolder } from "../../../providers/layout.ts";
import { bucketRequest } from "../../../providers/storage/index.ts";
import type { AlarmJob } from "../backup-alarms.ts";

/** What the alarms have to know of a job: with the folder of its backups where it keeps some in the stack's own bucket. */
export function alarmJob({ name, schedule, destinations }: JobSettings, stack: string): AlarmJob {
  const own = destinations.find((destination) => bucketRequest(destination) !== undefined);
  return {
    name,
    ...(schedule !== undefined && { schedule }),
    ...(own !== undefined && { prefix: jobFolder({ stack, name }, own.prefix) }),
  };
}
