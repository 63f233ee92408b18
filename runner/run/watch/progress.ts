import { setTimeout as sleep } from "node:timers/promises";
import type { ProviderError } from "../../../providers/errors.ts";
import type { Attributes } from "../../../providers/monitor/monitor.ts";
import type { Telemetry } from "../telemetry.ts";

/** How a run stands. */
export interface ProgressState {
  /** The steps that are going on, the outermost first: `backup`, `dump (database.dump)`, `store (s3 acme)`. */
  readonly steps: readonly string[];
  /** Whether the monitors heard that the run began, and not yet how it ended. */
  readonly begun: boolean;
}

/** What a run is doing, and its monitors: for ending a run that no longer does anything by itself. */
export class Progress {
  readonly #steps: Set<{ readonly text: string }>;
  #begun: boolean;
  #telemetry: Telemetry | undefined;
  #failed = false;
  #changed: ((state: ProgressState) => void) | undefined;

  constructor({ steps, begun }: ProgressState = { steps: [], begun: false }) {
    this.#steps = new Set(steps.map((text) => ({ text })));
    this.#begun = begun;
  }

  get state(): ProgressState {
    return { steps: [...this.#steps].map(({ text }) => text), begun: this.#begun };
  }

  /** Tells of the state now and whenever it changes. */
  watch(changed: (state: ProgressState) => void): void {
    this.#changed = changed;
    changed(this.state);
  }

  /** The same telemetry, from which the steps are known from now on. */
  observe(telemetry: Telemetry): Telemetry {
    this.#telemetry = telemetry;
    return {
      ...telemetry,
      checkIn: (status, facts) => {
        // The end is reported once.
        if (this.#failed) return;
        this.#begun = status === "in_progress";
        this.#changed?.(this.state);
        telemetry.checkIn(status, facts);
      },
      measure: (name, attributes, step) =>
        telemetry.measure(name, attributes, async (span) => {
          const entry = { text: describe(name, attributes) };
          this.#steps.add(entry);
          this.#changed?.(this.state);
          try {
            return await step(span);
          } finally {
            this.#steps.delete(entry);
            this.#changed?.(this.state);
          }
        }),
    };
  }

  /**
   * Tells the monitors of an error that ends the run, and of that end where they heard of its begin. Takes no longer than the
   * given milliseconds.
   */
  async fail(error: ProviderError, timeoutMs: number): Promise<void> {
    this.#failed = true;
    const telemetry = this.#telemetry;
    if (telemetry === undefined) return;
    telemetry.trackError(error, { step: this.state.steps.at(-1)?.replace(/ .*/s, "") ?? "run" });
    if (this.#begun) telemetry.checkIn("error", { code: error.code });
    await Promise.race([telemetry.flush(timeoutMs), sleep(timeoutMs)]);
  }
}

function describe(name: string, { artifact, destination }: Attributes): string {
  const about = [artifact, destination].filter((fact) => fact !== undefined);
  return about.length === 0 ? name : `${name} (${about.join(", ")})`;
}
