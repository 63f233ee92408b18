import type { Run } from "../../run/run.ts";
import type { Telemetry } from "../../run/telemetry.ts";

/** What monitors may take at a run's end, in milliseconds: a run that is done is not held up by its telemetry. */
const FLUSH_MS = 2_000;

/** Does some work that the job's monitors hear of, and gives them time to pass it on. */
export async function withTelemetry<T>(run: Run, work: (telemetry: Telemetry) => Promise<T>): Promise<T> {
  const telemetry = await run.openTelemetry();
  try {
    return await work(telemetry);
  } finally {
    await telemetry.flush(FLUSH_MS);
  }
}
