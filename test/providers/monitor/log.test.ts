import { describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { log } from "../../../providers/monitor/log.ts";
import { describeMonitorContract, MARKER } from "../../contract/monitor.ts";
import { monitorContext } from "../../helpers/monitor-context.ts";

async function open(settings: object = {}) {
  const context = await monitorContext({ marker: MARKER });
  const monitor = await log.create(log.schema.parse({ kind: "log", ...settings }), context);
  return { monitor, context };
}

describeMonitorContract("log", async () => {
  const { monitor, context } = await open({ metrics: "cloudwatch" });
  return { monitor, service: undefined, logged: () => JSON.stringify(context.lines()) };
});

describe("the lines of a run", () => {
  it("tell of steps, errors and the end", async () => {
    const { monitor, context } = await open();
    monitor.checkIn("in_progress", { backup: "b1" });
    await monitor.measure("dump", { artifact: "database" }, (span) => {
      span.set({ bytes: 10 });
      return Promise.resolve();
    });
    monitor.trackError(new ProviderError("AUTH", "refused", { fix: "Log in." }), { step: "store" });
    monitor.checkIn("partial", { seconds: 2 });
    expect(context.lines()).toMatchObject([
      { level: "info", msg: "run: in_progress", status: "in_progress", backup: "b1" },
      { level: "debug", msg: "dump: begun" },
      { level: "info", msg: "dump: done", artifact: "database", bytes: 10, seconds: expect.any(Number) as number },
      { level: "error", msg: "refused", code: "AUTH", fix: "Log in.", step: "store" },
      { level: "warn", msg: "run: partial", seconds: 2 },
    ]);
  });
});

describe("CloudWatch's embedded metrics", () => {
  it("are not written unless wished for", async () => {
    const { monitor, context } = await open();
    await monitor.measure("dump", {}, () => Promise.resolve());
    monitor.checkIn("ok", { seconds: 2 });
    expect(JSON.stringify(context.lines())).not.toContain("_aws");
  });

  it("are made of the end of a run and of each step, with units and dimensions", async () => {
    const { monitor, context } = await open({ metrics: "cloudwatch", namespace: "Team/Backups" });
    await monitor.measure("dump", { artifact: "database" }, () => Promise.resolve());
    await monitor.measure("verify", {}, () => Promise.reject(new Error("no"))).catch(() => undefined);
    monitor.checkIn("in_progress", {});
    monitor.checkIn("ok", { seconds: 2.5, bytes: 1000, storedBytes: 400, newestVerifiedSeconds: 3 });
    const metrics = context.lines().filter(({ _aws }) => _aws !== undefined);
    const Timestamp = expect.any(Number) as number;
    const line = (dimensions: string[], units: Record<string, string>) => ({
      stack: "prod",
      job: "app",
      _aws: {
        Timestamp,
        CloudWatchMetrics: [
          {
            Namespace: "Team/Backups",
            Dimensions: [dimensions],
            Metrics: Object.entries(units).map(([Name, Unit]) => ({ Name, Unit })),
          },
        ],
      },
    });
    const ofStep = line(["stack", "job", "step"], { StepDuration: "Seconds" });
    const ofRun = line(["stack", "job"], {
      RunSucceeded: "Count",
      RunPartial: "Count",
      RunFailed: "Count",
      RunDuration: "Seconds",
      PlainBytes: "Bytes",
      StoredBytes: "Bytes",
      NewestVerifiedAge: "Seconds",
    });
    const values = { RunSucceeded: 1, RunPartial: 0, RunFailed: 0, RunDuration: 2.5 };
    expect(metrics).toMatchObject([
      { ...ofStep, step: "dump", StepDuration: expect.any(Number) as number },
      { ...ofStep, step: "verify", StepDuration: expect.any(Number) as number },
      { ...ofRun, ...values, PlainBytes: 1000, StoredBytes: 400, NewestVerifiedAge: 3 },
    ]);
    // A dimension or metric without a value of its own makes CloudWatch drop the whole line.
    for (const metric of metrics) {
      const [directive] = (
        metric._aws as { CloudWatchMetrics: { Dimensions: string[][]; Metrics: { Name: string }[] }[] }
      ).CloudWatchMetrics;
      const names = [...(directive?.Dimensions.flat() ?? []), ...(directive?.Metrics ?? []).map(({ Name }) => Name)];
      expect(Object.keys(metric)).toEqual(expect.arrayContaining(names));
    }
  });

  it.each([
    ["partial", { RunSucceeded: 0, RunPartial: 1, RunFailed: 0 }],
    ["error", { RunSucceeded: 0, RunPartial: 0, RunFailed: 1 }],
  ] as const)("count a run that ended as %s", async (status, counts) => {
    const { monitor, context } = await open({ metrics: "cloudwatch" });
    monitor.checkIn(status, {});
    const metrics = context.lines().at(-1);
    expect(metrics).toMatchObject({ ...counts, _aws: { CloudWatchMetrics: [{ Namespace: "Provision" }] } });
    expect(metrics).not.toHaveProperty("NewestVerifiedAge");
  });
});
