import type { z } from "zod";
import type { ProviderContext, ProviderDefinition } from "../definition.ts";

/** Facts that go with a span, an error or a check-in. Never a secret. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A step that is being measured. */
export interface Span {
  /** Adds what became known while the step ran, for instance the bytes. */
  set(attributes: Attributes): void;
  /**
   * Says how many bytes the step has moved so far; may be called many times a second.
   *
   * @param total bytes that it moves in the end; undefined where nobody knows
   */
  progress(bytes: number, total?: number): void;
}

/** How a run stands: begun, wholly done, done for some destinations only, or failed. */
export type RunStatus = "in_progress" | "ok" | "partial" | "error";

/** Which job a monitor serves, for its labels and for what it expects of a run. */
export interface MonitoredJob {
  readonly stack: string;
  readonly name: string;
  readonly schedule?: { readonly cron: string; readonly timezone: string };
  /** Minutes after which a run is ended. */
  readonly timeoutMinutes: number;
  /** What is deployed, for instance `provision@1.2.3`. */
  readonly release: string;
}

/**
 * Hears how a run goes. It never harms the run: no method but `check` throws, and none but `flush` and
 * `check` waits for a network.
 */
export interface TelemetryProvider {
  readonly kind: string;
  /**
   * Reports a failure of a run or of one of its steps. The context says which, where it is known: `step`, `provider` (the
   * kind that failed), `destination`, `artifact`, `backup`.
   */
  trackError(error: Error, context: Attributes): void;
  /** Runs a step and measures it. What the step returns or throws is passed on. */
  measure<T>(name: string, attributes: Attributes, step: (span: Span) => Promise<T>): Promise<T>;
  /**
   * Says how the run stands. The facts of its end have, as far as they are known: `seconds`, `bytes` and `storedBytes`
   * (before and after compression), `newestVerifiedSeconds` and `newestDrilledSeconds` (age of the job's newest backup that
   * was verified, and that was drilled), and `anomalies` (how much of the backup is far from usual; left out for nothing).
   */
  checkIn(status: RunStatus, facts: Attributes): void;
  /** Sends what is still here. False when it could not be done in the given time. */
  flush(timeoutMs: number): Promise<boolean>;
  /**
   * Sends a test message where there is a service to try, and says where a person finds it.
   *
   * @throws ProviderError if the service did not take it.
   */
  check(): Promise<string>;
}

/** The run's own log. Every line names the `stack` and the `job`; secrets are taken out of what it writes. */
export interface RunLog {
  /** Whether a person watches. */
  readonly terminal: boolean;
  write(level: "debug" | "info" | "warn" | "error", message: string, facts: Readonly<Record<string, unknown>>): void;
  /** Shows a line that the next one replaces, on a terminal alone; undefined takes it away. */
  status(line: string | undefined): void;
}

/** What a monitor is created with. */
export interface MonitorContext extends ProviderContext {
  readonly job: MonitoredJob;
  readonly log: RunLog;
  /** Takes all secrets that the run knows by now out of a text. */
  redact(text: string): string;
}

/** One kind of monitor. */
export interface MonitorDefinition<Schema extends z.ZodObject> extends ProviderDefinition<
  Schema,
  TelemetryProvider,
  MonitorContext
> {
  /** Whether a run has such a monitor, as its schema's defaults make it, where the job names none of this kind. */
  readonly always?: boolean;
  /**
   * The configuration with what the target `aws` lives on.
   *
   * @param config left out where the job names no monitor of a kind that is always on
   */
  onAws?(config?: z.output<Schema>): z.output<Schema>;
}

/** Checks a definition's types and returns it. */
export function defineMonitor<Schema extends z.ZodObject>(definition: MonitorDefinition<Schema>) {
  return definition;
}
