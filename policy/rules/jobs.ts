import type { PolicyResource, StackValidationPolicy } from "@pulumi/policy";
import { retentionOf } from "./buckets.ts";
import { at, backupBuckets, companionOf, known, names, ofType, SCHEDULE, TASK_DEFINITION } from "./stack.ts";

/** A job as its tasks get it, in their variable PROVISION_JOB. */
interface Job {
  readonly name: string;
  readonly verify?: boolean;
  readonly retention?: Readonly<Partial<Record<Rule, number>>> & { readonly within?: unknown };
}

/** Days between the backups that each rule of a retention keeps, at most, where there is one a day. */
const DAYS = { last: 1, atLeast: 1, hourly: 1, daily: 1, weekly: 7, monthly: 31, yearly: 366 };
type Rule = keyof typeof DAYS;

/** The task definitions of a purpose, by their job: `provision_<stack>_<job>_<purpose>`. */
function tasksOf(purpose: string, resources: readonly PolicyResource[]): Map<string, PolicyResource> {
  const tasks = ofType(resources, TASK_DEFINITION).flatMap((task): [string, PolicyResource][] => {
    const family = known(() => String(task.props.family)) ?? "";
    const [, job, ofPurpose] = /^provision_[^_]+_([^_]+)_([^_]+)$/.exec(family) ?? [];
    return job !== undefined && ofPurpose === purpose ? [[job, task]] : [];
  });
  return new Map(tasks);
}

/** The jobs of the stack, as far as they are known: in a preview of a new stack, a job's bucket is not. */
function jobsOf(resources: readonly PolicyResource[]): { readonly job: Job; readonly task: PolicyResource }[] {
  return [...tasksOf("backup", resources).values()].flatMap((task) => {
    const containers = known(() => JSON.parse(String(task.props.containerDefinitions)) as Container[]) ?? [];
    const variables = containers.flatMap(({ environment = [] }) => environment);
    const text = variables.find(({ name }) => name === "PROVISION_JOB")?.value;
    return text === undefined ? [] : [{ job: JSON.parse(text) as Job, task }];
  });
}

interface Container {
  readonly environment?: readonly { readonly name: string; readonly value: string }[];
}

/** What is locked for longer than any rule keeps it is paid for and restored by nobody. */
export const lockWithinRetention: StackValidationPolicy = {
  name: "lock-within-retention",
  description: "A bucket locks backups for no longer than the retention of every job means to keep some.",
  validateStack: ({ resources }, report) => {
    const spans = jobsOf(resources).flatMap(({ job: { name, retention }, task }) =>
      retention === undefined ? [] : [{ name, days: longest(retention, daysBetween(task, resources)) }],
    );
    const [shortest] = spans.sort((one, other) => one.days - other.days);
    if (shortest === undefined || shortest.days === Infinity) return;
    for (const bucket of backupBuckets(resources)) {
      const lock = companionOf(bucket, "BucketObjectLockConfiguration", resources);
      const locked = known(() => retentionOf(lock?.props));
      if (locked === undefined || locked <= shortest.days) continue;
      report(
        `The bucket ${bucket.name} locks backups for ${locked} days, and the retention of the job ${shortest.name} keeps none for more ` +
          `than ${shortest.days}: what it removes is still paid for. Lock for at most ${shortest.days} days, or keep backups for longer.`,
        bucket.urn,
      );
    }
  },
};

/** The days for which a retention keeps any backup, at most: a rule counts backups, which may be further apart than its days. */
function longest(retention: NonNullable<Job["retention"]>, between: number): number {
  if (retention.within !== undefined) return Infinity;
  const days = (Object.keys(DAYS) as Rule[]).map((rule) =>
    retention[rule] === undefined ? 0 : retention[rule] * Math.max(DAYS[rule], between),
  );
  return Math.max(...days);
}

/** Days between two backups, at most, as far as the fields of the schedule's cron expression say; Infinity without a schedule. */
function daysBetween(task: PolicyResource, resources: readonly PolicyResource[]): number {
  const [schedule] = schedulesOf(task, resources);
  if (schedule === undefined) return Infinity;
  const expression = known(() => String(schedule.props.scheduleExpression)) ?? "";
  const [day, month, weekday, year] = (/^cron\((.+)\)$/.exec(expression)?.[1] ?? "").split(" ").slice(2);
  const any = (field: string | undefined) => field === "*" || field === "?";
  if (!any(month) || !any(year)) return 366;
  return any(day) && any(weekday) ? 1 : 31;
}

/** A backup that was never read back is a hope. */
export const backupsVerified: StackValidationPolicy = {
  name: "backups-verified",
  description: "Every job reads its backups back before they count.",
  validateStack: ({ resources }, report) => {
    for (const { job, task } of jobsOf(resources)) {
      if (job.verify !== false) continue;
      report(
        `The job ${job.name} does not verify its backups (verify: false). Remove it from the job: true is the default.`,
        task.urn,
      );
    }
  },
};

/** A backup that was never restored is one too. */
export const backupsDrilled: StackValidationPolicy = {
  name: "backups-drilled",
  description:
    "Every job that makes backups on a schedule restores one on a schedule too, but those that `exempt` names.",
  configSchema: {
    properties: {
      exempt: {
        type: "array",
        items: { type: "string" },
        default: [],
        description: "Names of jobs without drills. Default: none.",
      },
    },
  },
  validateStack: (args, report) => {
    const { resources } = args;
    const { exempt = [] } = args.getConfig<{ exempt?: string[] }>();
    const drills = tasksOf("drill", resources);
    for (const [job, task] of tasksOf("backup", resources)) {
      if (exempt.includes(job) || schedulesOf(task, resources).length === 0) continue;
      const drill = drills.get(job);
      if (drill !== undefined && schedulesOf(drill, resources).length > 0) continue;
      report(
        `The job ${job} makes backups on a schedule and restores none: it has ${drill === undefined ? "no drill" : "no schedule of drills that is enabled"}. ` +
          "Give the job drill: { target, schedule }, or name it in exempt.",
        task.urn,
      );
    }
  },
};

/** The schedules that are on and start the task, which they name in the input of a state machine. */
function schedulesOf(task: PolicyResource, resources: readonly PolicyResource[]): PolicyResource[] {
  return ofType(resources, SCHEDULE).filter((schedule) => {
    if (known((): unknown => schedule.props.state) === "DISABLED") return false;
    const arn = known(() => {
      const input = at(schedule.props, "target.input");
      return typeof input === "string" ? at(JSON.parse(input), "taskDefinition") : undefined;
    });
    return arn === undefined ? names(schedule, "target", task) : arn === known((): unknown => task.props.arn);
  });
}
