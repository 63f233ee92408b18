import { toProviderError } from "../../../providers/errors.ts";
import { takeFolder } from "../../run/job-owner.ts";
import { fail, live, requireLive, warn } from "./destination.ts";
import type { RunState } from "./state.ts";

/**
 * Makes sure that the job's folder in each destination is of the job's stack. A destination where it is another's gets nothing.
 *
 * @throws ProviderError where no destination is left
 */
export async function takeFolders({ run, choices, trace, destinations }: RunState): Promise<void> {
  const { job, signal } = run;
  for (const destination of live(destinations)) {
    try {
      await takeFolder({ storage: destination.storage, job, signal }, choices.adopt);
    } catch (error) {
      const failure = toProviderError(error);
      // Some may write and not list.
      if (failure.code === "AUTH") warn(trace, destination, failure);
      else fail(trace, "owner", destination, failure);
    }
  }
  requireLive(destinations);
}
