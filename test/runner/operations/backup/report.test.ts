import { expect, it } from "vitest";
import { ProviderError } from "../../../../providers/errors.ts";
import { reportOf } from "../../../../runner/operations/backup/report.ts";
import type { Draft, RunState } from "../../../../runner/operations/backup/state.ts";
import { InterruptedError } from "../../../../runner/run/exit-codes.ts";

const draft: Draft = {
  id: "20260101T000000Z-abcdef",
  startedAt: new Date(0),
  order: 0,
  formerly: [],
  objects: [],
  omitted: [],
  incomplete: false,
  fileKeys: new Map(),
  files: undefined,
};

/** The state of a run with one destination, which SIGTERM has reached by now. */
function interrupted(...errors: ProviderError[]): RunState {
  const signal = AbortSignal.abort(new InterruptedError("SIGTERM"));
  const destination = { description: "a store", facts: {}, storage: undefined, errors, warnings: [], stored: true };
  return {
    run: { signal },
    launchedMs: 0,
    destinations: [destination],
    warnings: [],
    anomalies: [],
  } as unknown as RunState;
}

// Found by random faults, seed 271102, run 753: the exit code said 143 where the monitors had heard of a success.
it("a signal that comes when all is done changes nothing", () => {
  expect(reportOf(interrupted(), draft)).toMatchObject({ status: "ok", exitCode: 0 });
});

it("a signal that cut something off is the run's end", () => {
  const cut = new ProviderError("ABORTED", "Interrupted by SIGTERM.");
  expect(reportOf(interrupted(cut), draft)).toMatchObject({ status: "partial", exitCode: 143 });
});
