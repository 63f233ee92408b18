import { closest, explain, lacksOnAws, type Problem } from "../../providers/config.ts";
import { bucketRequest, folderOf, isFolder, STACK_BUCKET_KIND, lockDays } from "../../providers/storage/index.ts";
import { AwsSettings, sizeOf, STACK_TAG } from "./settings.ts";
import { sizeProblem, type Size } from "./settings/size.ts";
import { bucketProblems, complianceProblems } from "./backup-bucket/problems.ts";
import { imageReferenceProblem } from "./backup-image/image-reference.ts";
import { scheduleExpression } from "./backup-schedule/expression.ts";
import type { AwsTarget, CheckedJob, Reference, TargetFindings, TargetInput } from "../settings/types.ts";
import { checkAlarms } from "./rules/alarms.ts";
import { isObject, parseJson } from "../settings/rules/raw.ts";
import { cadence } from "../../providers/fields/cadence.ts";
import { keptDays } from "./backup-bucket/lock.ts";

/**
 * What a job's destination asks of the bucket that the stack makes, and that bucket refuses. An existing bucket has rules that
 * are not known here.
 */
function checkOwnBucket({ bucket }: AwsSettings, { path: root, job }: CheckedJob): Problem[] {
  if (bucket.existing !== undefined) return [];
  return job.destinations.flatMap((destination, index): Problem[] => {
    const request = bucketRequest(destination);
    if (request === undefined) return [];
    const { sse, objectLock, removeVersions } = request;
    const path = `${root}.destinations[${index}]`;
    const remove = (field: string) => `pulumi config rm --path '${path}.${field}'`;
    const problems: Problem[] = [];
    if (sse !== undefined) {
      const asked = typeof sse === "object" ? "with another key" : `with ${sse}`;
      const message = `the stack's bucket refuses every object that is encrypted ${asked}, and encrypts all of them with the stack's key`;
      problems.push({ path: `${path}.sse`, message, fix: `Leave it out: ${remove("sse")}` });
    }
    if (removeVersions && !bucket.removeOnDestroy) {
      const message = "the stack's bucket lets no job remove versions, and its lifecycle ends what prune has hidden";
      problems.push({ path: `${path}.removeVersions`, message, fix: `Leave it out: ${remove("removeVersions")}` });
    }
    if (objectLock !== undefined) problems.push(...checkLock(bucket, objectLock.mode, path));
    return problems;
  });
}

/** A lock of single objects, which a bucket without Object Lock refuses, and which may be one that nobody can take back. */
function checkLock(bucket: AwsSettings["bucket"], mode: "governance" | "compliance", destination: string): Problem[] {
  const path = `${destination}.objectLock`;
  if (bucket.objectLock === "off") {
    const message = "the stack's bucket has no Object Lock (bucket.objectLock is off) and would refuse every upload";
    const fix =
      `Let the bucket have one: pulumi config rm --path 'provision:aws.bucket.objectLock'\n` +
      `Or have no lock: pulumi config rm --path '${path}'`;
    return [{ path, message, fix }];
  }
  return mode === "compliance" ? complianceProblems(bucket, path) : [];
}

/** Warns of each lock that a person chose and that outlives what the retention keeps, with what is then stored for nothing. */
function longLockWarnings(settings: AwsSettings, jobs: readonly CheckedJob[]): string[] {
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

/** What exists has to be in the stack's region, which its ARN names: tasks run in no cluster of another, and no key works there. */
function checkPlaces({ clusterArn, keyArn, bucket }: AwsSettings, region: string | undefined): Problem[] {
  const found = { clusterArn, keyArn, "bucket.keyArn": bucket.keyArn };
  return Object.entries(found).flatMap(([field, arn]): Problem[] => {
    const other = arn?.split(":")[3];
    if (other === undefined || region === undefined || other === region) return [];
    const path = `provision:aws.${field}`;
    return [
      {
        path,
        message: `${arn ?? ""} is in ${other}, and the stack in ${region}`,
        fix: `Name one of ${region}, or leave it out: pulumi config rm --path '${path}'`,
      },
    ];
  });
}

/** The codes of AWS's public regions. */
const REGIONS: readonly string[] = Object.entries({
  af: ["south-1"],
  ap: [
    ...["east-1", "east-2", "northeast-1", "northeast-2", "northeast-3", "south-1", "south-2"],
    ...["southeast-1", "southeast-2", "southeast-3", "southeast-4", "southeast-5", "southeast-6", "southeast-7"],
  ],
  ca: ["central-1", "west-1"],
  cn: ["north-1", "northwest-1"],
  eu: ["central-1", "central-2", "north-1", "south-1", "south-2", "west-1", "west-2", "west-3"],
  eusc: ["de-east-1"],
  il: ["central-1"],
  me: ["central-1", "south-1"],
  mx: ["central-1"],
  sa: ["east-1"],
  us: ["east-1", "east-2", "gov-east-1", "gov-west-1", "west-1", "west-2"],
}).flatMap(([area, places]) => places.map((place) => `${area}-${place}`));

const PATH = "provision:aws";

/** Checks `provision:aws`, and that the jobs can run as tasks of Fargate. */
export function checkAws({ raw, jobs, references }: TargetInput): TargetFindings<AwsTarget> {
  const input = parseJson(raw.values.get("aws") ?? "{}");
  const result = AwsSettings.safeParse(input);
  const settings = result.success ? (result.data as AwsSettings) : undefined;
  // Whatever else is wrong: its rules are about the bucket alone.
  const bucket = AwsSettings.shape.bucket.safeParse(isObject(input) ? input.bucket : undefined);
  const problems = [
    ...checkRegion(raw),
    ...jobs.flatMap(checkDestinations),
    ...jobs.flatMap(checkSchedules),
    ...jobs.flatMap(checkLacks),
    ...references.flatMap(checkSource),
    ...(result.success ? [] : explain(result.error, AwsSettings, input, PATH)),
    ...(bucket.success ? bucketProblems(bucket.data as AwsSettings["bucket"], raw.stack) : []),
    ...(settings === undefined
      ? []
      : [
          ...checkImage(settings),
          ...checkReplica(settings, raw),
          ...checkPlaces(settings, raw.region),
          ...jobs.flatMap((job) => checkOwnBucket(settings, job)),
          ...checkByJob(settings, jobs),
          ...checkAlarms(settings, raw.region),
          ...checkTags(settings),
        ]),
  ];
  return {
    settings: settings && { target: "aws", region: raw.region ?? "", aws: settings },
    problems,
    warnings: settings === undefined ? [] : warningsOf(settings, raw, jobs),
    secretNames: [],
  };
}

function checkRegion({ region, skipRegionValidation }: TargetInput["raw"]): Problem[] {
  const problem = (message: string, fix = "eu-central-1"): Problem[] => [
    { path: "aws:region", message, fix: `pulumi config set aws:region ${fix}` },
  ];
  if (region === undefined) return problem("is missing; expected the region in which everything of the stack is made");
  if (skipRegionValidation === true || REGIONS.includes(region)) return [];
  return problem(unknownRegion(region), closest(region, REGIONS));
}

function unknownRegion(region: string): string {
  return `"${region}" is no region that is known; expected its code, such as eu-central-1. For one that is newer: pulumi config set aws:skipRegionValidation true`;
}

function checkDestinations({ path: root, job }: CheckedJob): Problem[] {
  return job.destinations.flatMap((destination, index): Problem[] => {
    const path = `${root}.destinations[${index}]`;
    if (isFolder(destination)) {
      const message = "the target aws has no lasting disk: a folder is lost when its task ends";
      const remove = folderOf(destination) === undefined ? "" : `\npulumi config rm --path '${path}.path'`;
      return [
        {
          path,
          message,
          fix: `Use the stack's bucket: pulumi config set --path '${path}.kind' ${STACK_BUCKET_KIND}${remove}`,
        },
      ];
    }
    const foreign = bucketRequest(destination)?.meaningless[0];
    if (foreign === undefined) return [];
    const message = `is missing; ${foreign} has no meaning for the stack's own bucket`;
    const fix = `Name the bucket, or remove ${foreign}: pulumi config rm --path '${path}.${foreign}'`;
    return [{ path: `${path}.bucket`, message, fix }];
  });
}

/** EventBridge Scheduler has no expression for some of what cron can say. */
function checkSchedules({ path, job }: CheckedJob): Problem[] {
  const schedules = {
    schedule: job.schedule,
    "prune.schedule": job.prune?.schedule,
    "drill.schedule": job.drill?.schedule,
    "report.schedule": job.report?.schedule,
  };
  return Object.entries(schedules).flatMap(([field, schedule]): Problem[] => {
    if (schedule === undefined) return [];
    try {
      scheduleExpression(schedule.cron);
      return [];
    } catch (error) {
      const at = `${path}.${field}.cron`;
      const message = `"${schedule.cron}" does not work on the target aws: ${(error as Error).message}`;
      const fix = `For every day at 3:00, for instance: pulumi config set --path '${at}' '0 3 * * *'`;
      return [{ path: at, message, fix }];
    }
  });
}

/** A task's role is allowed what its job names, so the job must name it. */
function checkLacks({ path, job }: CheckedJob): Problem[] {
  return lacksOnAws(job).map(({ field, message, fix }) => ({ path: `${path}.${field}`, message, fix }));
}

/** A task has no files and no variables but those that the stack gives it. */
function checkSource({ path, kind }: Reference): Problem[] {
  if (kind !== "env" && kind !== "file") return [];
  const what = kind === "env" ? "a variable of your own" : "a file of a machine";
  return [
    {
      path: `${path}.${kind}`,
      message: `a task on the target aws has no access to ${what}`,
      fix: "Use a secret of the stack, { secret: name }, an existing one of Secrets Manager, { arn: arn:aws:secretsmanager:… }, or a parameter of Systems Manager, { ssm: /name }.",
    },
  ];
}

function checkImage({ image, build }: AwsSettings): Problem[] {
  const path = `${PATH}.image`;
  const fix = `pulumi config set --path '${path}' REGISTRY/REPOSITORY@sha256:DIGEST`;
  if (image === undefined) {
    if (build !== undefined) return [];
    const message =
      "is missing; expected the runner's image with its digest, or build: {} to have it built by `pulumi up`";
    return [{ path, message, fix }];
  }
  if (build !== undefined) {
    const message = "expected a finished image or how to build one (build), not both";
    return [{ path, message, fix: `Remove one of them: pulumi config rm --path '${PATH}.build'` }];
  }
  const problem = imageReferenceProblem(image);
  return problem === undefined ? [] : [{ path, message: problem, fix }];
}

/** The region of the copies has to be one, and another: a copy in the same one is lost with it. */
function checkReplica({ bucket: { replica } }: AwsSettings, raw: TargetInput["raw"]): Problem[] {
  if (replica === undefined || !("region" in replica)) return [];
  const { region } = replica;
  const path = `${PATH}.bucket.replica.region`;
  const set = `pulumi config set --path '${path}'`;
  if (region === raw.region) {
    const message = `${region} is the stack's own region; a second copy belongs into another one`;
    return [{ path, message, fix: `For instance: ${set} ${region === "eu-west-1" ? "eu-central-1" : "eu-west-1"}` }];
  }
  if (raw.skipRegionValidation === true || REGIONS.includes(region)) return [];
  return [{ path, message: unknownRegion(region), fix: `${set} ${closest(region, REGIONS) ?? "eu-west-1"}` }];
}

/** Tags that AWS refuses, and the one that the stack sets itself. */
function checkTags({ tags }: AwsSettings): Problem[] {
  const reserved = Object.keys(tags).filter((key) => /^aws:/i.test(key));
  const problem = (key: string, message: string): Problem => {
    const path = `${PATH}.tags["${key}"]`;
    return { path, message, fix: `Choose another key: pulumi config rm --path '${path}'` };
  };
  return [
    ...reserved.map((key) => problem(key, `only AWS itself may set tags whose keys begin with ${key.slice(0, 4)}`)),
    ...(Object.hasOwn(tags, STACK_TAG)
      ? [problem(STACK_TAG, "the stack sets this tag itself, to its name, so that costs can be shown by stack")]
      : []),
  ];
}

/** Exceptions for jobs that there are not. */
function unknownJobs(field: string, found: readonly string[], names: readonly string[]): Problem[] {
  return found
    .filter((name) => !names.includes(name))
    .map((name): Problem => {
      const path = `${PATH}.${field}.${name}`;
      const near = closest(name, names);
      const remove = `Remove it: pulumi config rm --path '${path}'`;
      return {
        path,
        message: `there is no job of that name; there are ${names.join(", ")}`,
        fix: near === undefined ? remove : `Did you mean ${near}? If not: ${remove}`,
      };
    });
}

/** What is set by the name of a job. */
function checkByJob(settings: AwsSettings, jobs: readonly CheckedJob[]): Problem[] {
  const names = jobs.map(({ job }) => job.name);
  const wrong = (path: string, size: Size): Problem[] => {
    const found = sizeProblem(size);
    if (found === undefined) return [];
    return [{ path, message: found.message, fix: `pulumi config set --path '${path}.memory' ${found.memory}` }];
  };
  return [
    ...unknownJobs("sizes", Object.keys(settings.sizes), names),
    ...unknownJobs("roles.jobs", Object.keys(settings.roles.jobs ?? {}), names),
    ...wrong(`${PATH}.size`, settings.size),
    ...names
      .filter((name) => settings.sizes[name] !== undefined)
      .flatMap((name) => wrong(`${PATH}.sizes.${name}`, sizeOf(settings, name))),
  ];
}

function warningsOf(settings: AwsSettings, raw: TargetInput["raw"], jobs: readonly CheckedJob[]): string[] {
  const { alarms, schedules } = settings;
  const paused = !schedules.enabled && jobs.some(({ job }) => job.schedule !== undefined);
  const unheard = alarms.emails.length === 0 && alarms.topicArn === undefined;
  const ignored = !["{}", undefined].includes(raw.values.get("host"));
  return [
    ...(paused
      ? [
          "The schedules are off: no job starts, and no alarm reports missing backups. To turn them on: pulumi config set --path 'provision:aws.schedules.enabled' true",
        ]
      : []),
    ...(unheard
      ? [
          "Nobody gets the alarms. Add an address: pulumi config set --path 'provision:aws.alarms.emails[0]' ops@example.com",
        ]
      : []),
    ...longLockWarnings(settings, jobs),
    ...(ignored ? ["provision:host has no effect on the target aws."] : []),
  ];
}
