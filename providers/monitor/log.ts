import { z } from "zod";
import { ProviderError } from "../errors.ts";
import {
  defineMonitor,
  type Attributes,
  type MonitorContext,
  type RunLog,
  type RunStatus,
  type Span,
  type TelemetryProvider,
} from "./monitor.ts";

/** Milliseconds between two redraws of the progress line on a terminal: five a second look steady. */
const REDRAW_MS = 200;

const schema = z.strictObject({
  kind: z.literal("log").describe("The run's own log: JSON lines, or text on a terminal."),
  progressSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe("Seconds between two progress lines where there is no terminal. Default 60."),
});

/** Writes what happens to the run's log, with a progress line on a terminal. */
export class LogTelemetryProvider implements TelemetryProvider {
  readonly kind = "log";
  readonly #log: RunLog;
  readonly #progressMs: number;

  constructor(config: z.output<typeof schema>, context: Pick<MonitorContext, "log">) {
    this.#log = context.log;
    this.#progressMs = this.#log.terminal ? REDRAW_MS : config.progressSeconds * 1000;
  }

  trackError(error: Error, context: Attributes): void {
    const { code, fix } = error instanceof ProviderError ? error : { code: "INTERNAL", fix: undefined };
    this.#log.write("error", error.message, { ...context, code, ...(fix === undefined ? {} : { fix }) });
  }

  async measure<T>(name: string, attributes: Attributes, step: (span: Span) => Promise<T>): Promise<T> {
    const begun = performance.now();
    let facts = attributes;
    let shown = begun;
    const span: Span = {
      set: (more) => {
        facts = { ...facts, ...more };
      },
      progress: (bytes) => {
        const now = performance.now();
        if (now - shown < this.#progressMs) return;
        shown = now;
        this.#progress(name, bytes, (now - begun) / 1000);
      },
    };
    this.#log.write("debug", `${name}: begun`, attributes);
    try {
      const result = await step(span);
      this.#log.write("info", `${name}: done`, { ...facts, seconds: seconds(performance.now() - begun) });
      return result;
    } catch (error) {
      this.#log.write("warn", `${name}: failed`, { ...facts, seconds: seconds(performance.now() - begun) });
      throw error;
    } finally {
      this.#log.status(undefined);
    }
  }

  checkIn(status: RunStatus, facts: Attributes): void {
    const level = status === "error" ? "error" : status === "partial" ? "warn" : "info";
    this.#log.write(level, `run: ${status}`, { status, ...facts });
  }

  flush(): Promise<boolean> {
    return Promise.resolve(true);
  }

  #progress(step: string, bytes: number, elapsed: number): void {
    const rate = bytes / elapsed;
    if (this.#log.terminal) {
      this.#log.status(`${step}: ${megabytes(bytes)} MB, ${megabytes(rate)} MB/s, ${Math.round(elapsed)} s`);
    } else {
      this.#log.write("info", `${step}: going on`, {
        bytes,
        bytesPerSecond: Math.round(rate),
        seconds: Math.round(elapsed),
      });
    }
  }
}

/** The kind `log`. */
export const log = defineMonitor({
  schema,
  secrets: [],
  create: (config, context) => Promise.resolve(new LogTelemetryProvider(config, context)),
});

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
