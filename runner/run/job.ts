import { readFile } from "node:fs/promises";
import { JobConfig, underFirstName } from "../../providers/config.ts";
import { JOB_VARIABLE, readSchedule, SCHEDULE_VARIABLE } from "../../providers/environment.ts";
import { ProviderError } from "../../providers/errors.ts";
import { explain } from "../../providers/explain.ts";

/**
 * Reads a job's configuration from a file, or from the environment, and its schedule from the timer that started it.
 *
 * @throws ProviderError `CONFIG` that lists everything that is wrong with it.
 */
export async function loadJob(file: string | undefined, environment: NodeJS.ProcessEnv): Promise<JobConfig> {
  const [source, content] = await jobText(file, environment);
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    // The parser quotes what stands around the place, and that may be a secret which should not be there.
    const reason = (error as Error).message.replace(/, (\.\.\.)?".*"(\.\.\.)? is not valid JSON$/s, "");
    throw new ProviderError("CONFIG", `${source} is not JSON: ${reason}.`, {
      fix: "`provision schema` prints the schema; an editor that knows it completes the file.",
    });
  }
  json = withSchedule(json, environment[SCHEDULE_VARIABLE]);
  const parsed = JobConfig.safeParse(json);
  if (parsed.success) return underFirstName(parsed.data);
  const problems = explain(parsed.error, JobConfig, json);
  throw new ProviderError(
    "CONFIG",
    `${source} has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:`,
    {
      details: problems.flatMap(({ path, message, fix }) => [`  ${path || "the job"}: ${message}`, `    Fix: ${fix}`]),
    },
  );
}

/** A schedule of the job's own goes before the timer's. */
function withSchedule(job: unknown, schedule: string | undefined): unknown {
  if (schedule === undefined || typeof job !== "object" || job === null) return job;
  return { schedule: readSchedule(schedule), ...job };
}

async function jobText(
  file: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<[source: string, text: string]> {
  if (file === undefined) {
    const text = environment[JOB_VARIABLE];
    if (text !== undefined) return [`The environment variable ${JOB_VARIABLE}`, text];
    throw new ProviderError("CONFIG", "No job was named.", {
      fix: `Name its file with --job FILE, or set ${JOB_VARIABLE} to its JSON.`,
    });
  }
  try {
    return [file, await readFile(file, "utf8")];
  } catch (error) {
    throw new ProviderError("CONFIG", `The job's file ${file} cannot be read: ${(error as Error).message}`, {
      cause: error,
      fix: "Name an existing file that this user may read; `pulumi up` writes one for each job.",
    });
  }
}
