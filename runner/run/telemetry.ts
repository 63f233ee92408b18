import { setTimeout as sleep } from "node:timers/promises";
import type { RunLog, Span, TelemetryProvider } from "../../providers/monitor/monitor.ts";

/** Milliseconds of the time for a flush that a monitor gets less, so that it can still say what it could not send. */
const MARGIN_MS = 50;

/** All monitors of a run as one. */
export type Telemetry = Omit<TelemetryProvider, "kind" | "check">;

/**
 * Makes one of several monitors. One that fails is left out of what it failed at; the run and the other monitors go on.
 *
 * @param log receives failures.
 */
export function combineMonitors(monitors: readonly TelemetryProvider[], log: RunLog): Telemetry {
  const complain = (monitor: TelemetryProvider, error: unknown) => {
    log.write("warn", `The monitor ${monitor.kind} failed.`, { monitor: monitor.kind, reason: String(error) });
  };
  const tell = (act: (monitor: TelemetryProvider) => void) => {
    for (const monitor of monitors) {
      try {
        act(monitor);
      } catch (error) {
        complain(monitor, error);
      }
    }
  };
  return {
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
      type Outcome = ReturnType<typeof step>;
      const enter = async (index: number, spans: readonly Span[]): Outcome => {
        const monitor = monitors[index];
        if (monitor === undefined) return step(combineSpans(spans));
        let outcome: Outcome | undefined;
        try {
          await monitor.measure(name, attributes, (span) => (outcome = enter(index + 1, [...spans, span])));
        } catch (error) {
          // What the step itself threw is thrown below; a fault of the monitor's own harms nobody.
          const mine = await Promise.resolve(outcome).then(
            () => true,
            (thrown: unknown) => thrown !== error,
          );
          if (mine) complain(monitor, error);
        }
        return outcome ?? enter(index + 1, spans);
      };
      return enter(0, []);
    },
    async flush(timeoutMs) {
      const flushed = await Promise.all(
        monitors.map((monitor) =>
          Promise.race([monitor.flush(timeoutMs - MARGIN_MS), sleep(timeoutMs, false)]).catch((error: unknown) => {
            complain(monitor, error);
            return false;
          }),
        ),
      );
      return flushed.every(Boolean);
    },
  };
}

function combineSpans(spans: readonly Span[]): Span {
  return {
    set(attributes) {
      for (const span of spans) span.set(attributes);
    },
    progress(bytes, total) {
      for (const span of spans) span.progress(bytes, total);
    },
  };
}
