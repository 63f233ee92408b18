import type { Metric } from "../metrics.ts";

const UNITS: Record<Metric["unit"], string> = { byte: "Bytes", second: "Seconds", count: "Count" };

/**
 * A log line's fields in CloudWatch's embedded metric format: CloudWatch Logs makes metrics of them, named in the manner of
 * AWS (`stored_bytes` is `StoredBytes`), by stack, job (which every line of the run's
 * log names) and the given dimensions together.
 */
export function cloudWatchMetrics(
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
