import { explain, JobSettings, sameDestinations, type Problem } from "../../../providers/config.ts";
import type { CheckedJob, CheckedJobs, RawSettings, Reference } from "../types.ts";
import { isObject, parseJson } from "./raw.ts";

const EXAMPLE_JOB = `  provision:jobs:
    - name: app
      schedule: { cron: "0 3 * * *" }
      database: { kind: postgres, url: { secret: appDatabaseUrl } }
      destinations: [{ kind: filesystem }]`;

/** Checks `provision:jobs`, for whatever target. */
export function checkJobs(raw: RawSettings): CheckedJobs {
  const path = "provision:jobs";
  const list = parseJson(raw.values.get("jobs") ?? "[]");
  if (!Array.isArray(list) || list.length === 0) {
    const message = Array.isArray(list) ? "there is no job" : "expected a list of jobs";
    const fix = `Write one in Pulumi.${raw.stack}.yaml:\n${EXAMPLE_JOB}`;
    return { jobs: [], problems: [{ path, message, fix }], references: [] };
  }
  const jobs: CheckedJob[] = [];
  const problems: Problem[] = [];
  const names = new Map<unknown, string>();
  for (const [index, input] of (list as unknown[]).entries()) {
    const root = `${path}[${index}]`;
    const { name } = isObject(input) ? input : {};
    const first = names.get(name);
    if (typeof name === "string" && first !== undefined) {
      problems.push({
        path: `${root}.name`,
        message: `"${name}" is already the name of ${first}; each job needs its own`,
        fix: `pulumi config set --path '${root}.name' ${name}-2`,
      });
    } else names.set(name, root);
    const result = JobSettings.safeParse(input);
    if (result.success) jobs.push({ path: root, job: result.data });
    else problems.push(...explain(result.error, JobSettings, input, root));
    if (result.success) problems.push(...sameDestinationProblems(result.data.destinations, root));
  }
  problems.push(...renameProblems(jobs), ...taskNameProblems(jobs));
  return { jobs, problems, references: references(list, path) };
}

/** An earlier name that another job has, or had: both would write to one folder, and each be taken for the other. */
function renameProblems(jobs: readonly CheckedJob[]): Problem[] {
  return jobs.flatMap(({ path, job: { rename } }, index) =>
    (rename?.from ?? []).flatMap((former): Problem[] => {
      const other = jobs.find(
        ({ job }, at) => at !== index && (job.name === former || (at < index && job.rename?.from.includes(former))),
      );
      if (other === undefined) return [];
      const message = `"${former}" is also a name of ${other.path}, whose folder would then have this job's backups`;
      const fix = `Write the name that this job had before. If it had none: pulumi config rm --path '${path}.rename'`;
      return [{ path: `${path}.rename.from`, message, fix }];
    }),
  );
}

/** A job's name that is another job's and its task's: the schedules of both would be one resource. */
function taskNameProblems(jobs: readonly CheckedJob[]): Problem[] {
  const tasks = jobs.flatMap(({ path, job: { name, prune, drill, report } }) =>
    Object.entries({ prune, drill, report }).flatMap(([task, value]) =>
      value?.schedule === undefined ? [] : [{ name: `${name}-${task}`, task: `the ${task} of ${path}` }],
    ),
  );
  return jobs.flatMap(({ path, job }) =>
    tasks
      .filter(({ name }) => name === job.name)
      .map(({ task }) => ({
        path: `${path}.name`,
        message: `"${job.name}" is also how the schedule of ${task} is named; each schedule needs its own`,
        fix: `Choose another name: pulumi config set --path '${path}.name' ${job.name}-2`,
      })),
  );
}

/** Two copies in one place are one. */
export function sameDestinationProblems(destinations: JobSettings["destinations"], root: string): Problem[] {
  return sameDestinations(destinations).map(([index, first]) => {
    const path = `${root}.destinations[${index}]`;
    const message = `same location as ${root}.destinations[${first}]; each copy needs its own`;
    return { path, message, fix: `Give it another prefix, or remove it: pulumi config rm --path '${path}'` };
  });
}

/** Reads the raw values, so that a mistake elsewhere hides no reference. */
export function references(value: unknown, path: string): Reference[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => references(item, `${path}[${index}]`));
  if (!isObject(value)) return [];
  const [only, ...others] = Object.entries(value);
  if (only !== undefined && others.length === 0) {
    const [kind, name] = only;
    if (isReferenceKind(kind) && typeof name === "string") return [{ path, kind, value: name }];
  }
  return Object.entries(value).flatMap(([key, item]) => references(item, `${path}.${key}`));
}

function isReferenceKind(kind: string): kind is Reference["kind"] {
  return ["secret", "env", "file", "arn", "ssm"].includes(kind);
}
