import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { runMetrics, stepMetric, type Metric } from "./metrics.ts";
import {
  defineMonitor,
  type Attributes,
  type MonitorContext,
  type RunLog,
  type RunStatus,
  type Span,
  type TelemetryProvider,
} from "./monitor.ts";
import { ProgressReporter } from "./progress.ts";

const UNITS: Record<Metric["unit"], string> = { byte: "Bytes", second: "Seconds", count: "Count" };

/**
 * A log line's fields in CloudWatch's embedded metric format: CloudWatch Logs makes metrics of them, named in the manner of
 * AWS (`stored_bytes` is `StoredBytes`), by stack, job (which every line of the run's
 * log names) and the given dimensions together.
 */
function cloudWatchMetrics(
  namespace: string,
  metrics: readonly Metric[],
  dimensions: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const named = metrics.map(({ name, unit, value }) => ({ name: pascalCase(name), unit: UNITS[unit], value }));
  return {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [["stack", "job", ...Object.keys(dimensions)]],
          Metrics: named.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    ...dimensions,
    ...Object.fromEntries(named.map(({ name, value }) => [name, value])),
  };
}

function pascalCase(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const schema = z.strictObject({
  kind: z.literal("log").describe("The run's own log: JSON lines, or text on a terminal."),
  progressSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe("Seconds between two progress lines where there is no terminal. Default 60."),
  metrics: z
    .enum(["none", "cloudwatch"])
    .default("none")
    .describe(
      "cloudwatch: also write lines in CloudWatch's embedded metric format, from which CloudWatch Logs makes metrics. " +
        "Default none.",
    )
    .meta({ examples: ["cloudwatch"] }),
  namespace: z
    .string()
    .regex(/^(?!AWS\/)[A-Za-z0-9._/#:-]{1,255}$/, {
      error: "expected letters, digits and . _ / # : -, 255 at most, not AWS/ at the start",
    })
    .default("Provision")
    .describe("CloudWatch's namespace of the metrics. Default Provision.")
    .meta({ examples: ["Provision"] }),
});

/** Writes what happens to the run's log, with a progress line on a terminal. */
class LogTelemetryProvider implements TelemetryProvider {
  readonly kind = "log";
  readonly #log: RunLog;
  readonly #config: z.output<typeof schema>;

  constructor(config: z.output<typeof schema>, context: Pick<MonitorContext, "log">) {
    this.#log = context.log;
    this.#config = config;
  }

  trackError(error: Error, context: Attributes): void {
    const { code, fix } = error instanceof ProviderError ? error : { code: "INTERNAL", fix: undefined };
    this.#log.write("error", error.message, { ...context, code, ...(fix === undefined ? {} : { fix }) });
  }

  async measure<T>(name: string, attributes: Attributes, step: (span: Span) => Promise<T>): Promise<T> {
    const begun = performance.now();
    let facts = attributes;
    const reporter = new ProgressReporter(this.#log, name, this.#config.progressSeconds);
    const span: Span = {
      set: (more) => {
        facts = { ...facts, ...more };
      },
      progress: reporter.progress,
    };
    const end = (level: "info" | "warn", how: string) => {
      const took = seconds(performance.now() - begun);
      reporter.end();
      this.#log.write(level, `${name}: ${how}`, { ...facts, seconds: took });
      this.#record([stepMetric(took)], { step: name });
    };
    this.#log.write("debug", `${name}: begun`, attributes);
    try {
      const result = await step(span);
      end("info", "done");
      return result;
    } catch (error) {
      end("warn", "failed");
      throw error;
    }
  }

  checkIn(status: RunStatus, facts: Attributes): void {
    const level = status === "error" ? "error" : status === "partial" ? "warn" : "info";
    this.#log.write(level, `run: ${status}`, { status, ...facts });
    if (status !== "in_progress") this.#record(runMetrics(status, facts), {});
  }

  flush(): Promise<boolean> {
    return Promise.resolve(true);
  }

  check(): Promise<string> {
    return Promise.resolve("it is the run's own log, on its standard error");
  }

  #record(metrics: readonly Metric[], dimensions: Readonly<Record<string, string>>): void {
    if (this.#config.metrics === "none") return;
    this.#log.write("info", "metrics", cloudWatchMetrics(this.#config.namespace, metrics, dimensions));
  }
}

/** The log of a job on the target `aws` that does not name it. The order of the fields is that of existing tasks. */
const UNNAMED = { kind: "log", progressSeconds: 60, namespace: "Provision", metrics: "none" } as const;

/** The kind `log`. */
export const log = defineMonitor({
  schema,
  secrets: [],
  always: true,
  // The alarms and the dashboard are made of these metrics.
  onAws: (config = UNNAMED) => ({ ...config, metrics: "cloudwatch" as const }),
  create: (config, context) => Promise.resolve(new LogTelemetryProvider(config, context)),
});

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
