import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { log } from "../../../providers/monitor/log.ts";
import type { TelemetryProvider } from "../../../providers/monitor/monitor.ts";
import { combineMonitors } from "../../../runner/run/telemetry.ts";
import { monitorContext } from "../../helpers/monitor-context.ts";

/** A monitor that breaks every promise of its interface; the log stands for a good one. */
async function combine(bad: Partial<TelemetryProvider>) {
  const context = await monitorContext({});
  const good = await log.create(log.schema.parse({ kind: "log" }), context);
  const broken = { ...bad, kind: "bad" } as TelemetryProvider;
  const telemetry = combineMonitors([broken, good, broken], context.log);
  return { telemetry, messages: () => context.lines().map(({ msg }) => msg) };
}

const fail = () => {
  throw new Error("of the monitor");
};

describe("a monitor that throws", () => {
  it("silences no other", async () => {
    const { telemetry, messages } = await combine({ trackError: fail, checkIn: fail });
    telemetry.checkIn("in_progress", {});
    telemetry.trackError(new Error("of the run"), {});
    expect(messages()).toEqual(expect.arrayContaining(["run: in_progress", "of the run", "The monitor bad failed."]));
  });

  it.each<[string, TelemetryProvider["measure"]]>([
    ["before the step", () => Promise.reject(new Error("of the monitor"))],
    ["at once", fail],
    [
      "after the step",
      async (_name, _attributes, step) => {
        await step({ set: () => undefined, progress: () => undefined });
        return fail();
      },
    ],
  ])("%s, lets it run once and come to its own end", async (_when, measure) => {
    const { telemetry, messages } = await combine({ measure });
    let runs = 0;
    const step = () => {
      runs += 1;
      return Promise.resolve(42);
    };
    await expect(telemetry.measure("dump", {}, step)).resolves.toBe(42);
    expect(runs).toBe(1);
    const failure = new Error("of the step");
    await expect(telemetry.measure("dump", {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(messages()).toEqual(expect.arrayContaining(["dump: done", "dump: failed", "The monitor bad failed."]));
  });

  it("when it flushes says so", async () => {
    const { telemetry, messages } = await combine({ flush: () => Promise.reject(new Error("of the monitor")) });
    await expect(telemetry.flush(1_000)).resolves.toBe(false);
    expect(messages()).toContain("The monitor bad failed.");
  });
});

it("a monitor that never ends its flush has only the given time", async () => {
  const { telemetry } = await combine({ flush: () => sleep(60_000, true, { ref: false }) });
  const begun = performance.now();
  await expect(telemetry.flush(100)).resolves.toBe(false);
  expect(performance.now() - begun).toBeLessThan(1_000);
});
