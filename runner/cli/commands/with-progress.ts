import { ProgressReporter } from "../../../providers/monitor/progress.ts";
import type { Run } from "../../run/run.ts";
import type { OnProgress } from "../../backups/tally.ts";

/**
 * Does some work that no monitor hears of, and shows a person at a terminal how far it is.
 *
 * @param step what is being done, for people: `verify`
 */
export async function withProgress<T>(
  { log }: Run,
  step: string,
  work: (progress: OnProgress) => Promise<T>,
): Promise<T> {
  const reporter = new ProgressReporter(log, step);
  try {
    return await work(reporter.progress);
  } finally {
    reporter.end();
  }
}
