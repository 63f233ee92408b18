import type { JobSettings } from "../providers/config.ts";

/** The runner's words that publish a job's report, signed where the job has a key. */
export function reportCommand({ signing, report }: Pick<JobSettings, "signing" | "report">): string[] {
  const keep = report?.keep === undefined ? [] : ["--keep", String(report.keep)];
  return ["report", "--publish", ...(signing === undefined ? [] : ["--sign"]), ...keep];
}
