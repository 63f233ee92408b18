import type { MonitorContext, Span, TelemetryProvider } from "../providers/monitor/monitor.ts";

/**
 * All monitors of a run as one. The log is always among them. One that fails is left out of what it failed at; the run and
 * the other monitors go on.
 */
export function combineMonitors(
  monitors: readonly TelemetryProvider[],
  context: Pick<MonitorContext, "log">,
): TelemetryProvider {
  const tell = (act: (monitor: TelemetryProvider) => void) => {
    for (const monitor of monitors) {
      try {
        act(monitor);
      } catch (error) {
        complain(monitor, error);
      }
    }
  };
  const complain = (monitor: TelemetryProvider, error: unknown) => {
    context.log.write("warn", `The monitor ${monitor.kind} failed.`, { monitor: monitor.kind, reason: String(error) });
  };
  const combineSpans = (spans: readonly Span[]): Span => ({
    set(attributes) {
      for (const span of spans) span.set(attributes);
    },
    progress(bytes) {
      for (const span of spans) span.progress(bytes);
    },
  });
  return {
    kind: "all",
    trackError(error, facts) {
      tell((monitor) => {
        monitor.trackError(error, facts);
      });
    },
    checkIn(status, facts) {
      tell((monitor) => {
        monitor.checkIn(status, facts);
      });
    },
    measure(name, attributes, step) {
      const enter = (index: number, spans: readonly Span[]): ReturnType<typeof step> => {
        const monitor = monitors[index];
        return monitor === undefined
          ? step(combineSpans(spans))
          : monitor.measure(name, attributes, (span) => enter(index + 1, [...spans, span]));
      };
      return enter(0, []);
    },
    async flush(timeoutMs) {
      const flushed = await Promise.all(
        monitors.map((monitor) =>
          monitor.flush(timeoutMs).catch((error: unknown) => {
            complain(monitor, error);
            return false;
          }),
        ),
      );
      return flushed.every(Boolean);
    },
  };
}
