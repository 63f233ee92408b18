import { toProviderError, type ProviderError } from "../../../providers/errors.ts";
import type { Attributes, RunLog, Span } from "../../../providers/monitor/monitor.ts";
import type { Telemetry } from "../../run/telemetry.ts";

/** Measures a run's steps and reports its errors and warnings, each with the backup's id as soon as there is one. */
export class Trace {
  readonly #telemetry: Telemetry;
  readonly #log: RunLog;
  /** The step in which an error arose. */
  readonly #origins = new WeakMap<Error, Attributes>();
  readonly #tracked = new WeakSet<Error>();
  #backup: Attributes = {};

  constructor(telemetry: Telemetry, log: RunLog) {
    this.#telemetry = telemetry;
    this.#log = log;
  }

  /** The backup's id, as a fact; empty until there is one. */
  get backup(): Attributes {
    return this.#backup;
  }

  /** From now on everything is reported with this backup's id. */
  name(id: string): void {
    this.#backup = { backup: id };
  }

  /** Measures a step, and remembers it as the origin of an error that it throws. */
  step<T>(name: string, about: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
    return this.#telemetry.measure(name, about, async (span) => {
      try {
        return await work(span);
      } catch (error) {
        const failure = toProviderError(error);
        if (!this.#origins.has(failure)) this.#origins.set(failure, { step: name, ...about });
        throw failure;
      }
    });
  }

  /** Reports an error once: one of a destination may also be the one that the run ends with. */
  track(failure: ProviderError, about: Attributes = {}): void {
    if (this.#tracked.has(failure)) return;
    this.#tracked.add(failure);
    this.#telemetry.trackError(failure, { ...this.#backup, ...about, ...this.#origins.get(failure) });
  }

  warn(message: string, about: Attributes = this.#backup): void {
    this.#log.write("warn", message, about);
  }

  error(message: string, about: Attributes = {}): void {
    this.#log.write("error", message, about);
  }
}
