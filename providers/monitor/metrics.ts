import type { Attributes, RunStatus } from "./monitor.ts";

/** One number about a run. */
export interface Metric {
  /** Lower-case words joined by `_`. */
  readonly name: string;
  readonly unit: "byte" | "second" | "count";
  readonly value: number;
}

/** The facts of a run's end that are metrics. */
const MEASURED: readonly [fact: string, name: string, unit: Metric["unit"]][] = [
  ["seconds", "run_duration", "second"],
  ["bytes", "plain_bytes", "byte"],
  ["storedBytes", "stored_bytes", "byte"],
  ["newestVerifiedSeconds", "newest_verified_age", "second"],
  ["newestDrilledSeconds", "newest_drilled_age", "second"],
];

/** The metrics of a run's end. Each outcome has a count of its own, 0 or 1, so that an alarm needs no arithmetic. */
export function runMetrics(status: Exclude<RunStatus, "in_progress">, facts: Attributes): Metric[] {
  const outcome = (name: string, is: typeof status): Metric => ({ name, unit: "count", value: status === is ? 1 : 0 });
  return [
    outcome("run_succeeded", "ok"),
    outcome("run_partial", "partial"),
    outcome("run_failed", "error"),
    ...MEASURED.flatMap(([fact, name, unit]) => {
      const value = facts[fact];
      return typeof value === "number" && Number.isFinite(value) ? [{ name, unit, value }] : [];
    }),
  ];
}

/** The metric of a step's end. */
export function stepMetric(seconds: number): Metric {
  return { name: "step_duration", unit: "second", value: seconds };
}
