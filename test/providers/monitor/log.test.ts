import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { LogTelemetryProvider } from "../../../providers/monitor/log.ts";
import type { RunLog } from "../../../providers/monitor/monitor.ts";

/** A log that keeps what it is told. */
function recorder(terminal: boolean) {
  const lines: { level: string; message: string; facts: Record<string, unknown> }[] = [];
  const statuses: (string | undefined)[] = [];
  const log: RunLog = {
    terminal,
    write: (level, message, facts) => lines.push({ level, message, facts }),
    status: (line) => statuses.push(line),
  };
  return { log, lines, statuses };
}

function open(terminal = false, progressSeconds = 60) {
  const record = recorder(terminal);
  return { ...record, monitor: new LogTelemetryProvider({ kind: "log", progressSeconds }, record) };
}

test("a step that ends is one line with its facts and its time", async () => {
  const { monitor, lines } = open();
  const result = await monitor.measure("dump", { artifact: "database.dump" }, async (span) => {
    await sleep(30);
    span.set({ bytes: 12 });
    return "what the step gives";
  });
  expect(result).toBe("what the step gives");
  const done = lines.at(-1);
  expect(done).toMatchObject({ level: "info", message: "dump: done", facts: { artifact: "database.dump", bytes: 12 } });
  expect(done?.facts.seconds).toBeGreaterThan(0.02);
});

test("a step's error goes through as it is, and the line says that it failed", async () => {
  const { monitor, lines } = open();
  const failure = new Error("no");
  await expect(monitor.measure("verify", {}, () => Promise.reject(failure))).rejects.toBe(failure);
  expect(lines.at(-1)).toMatchObject({ level: "warn", message: "verify: failed" });
});

test("an error is logged with its code and its fix", () => {
  const { monitor, lines } = open();
  monitor.trackError(new ProviderError("QUOTA", "The disk is full.", { fix: "Make room." }), { destination: "a" });
  expect(lines).toEqual([
    { level: "error", message: "The disk is full.", facts: { destination: "a", code: "QUOTA", fix: "Make room." } },
  ]);
});

test.each([
  ["in_progress", "info"],
  ["ok", "info"],
  ["partial", "warn"],
  ["error", "error"],
] as const)("a check-in that says %s has the level %s", (status, level) => {
  const { monitor, lines } = open();
  monitor.checkIn(status, { backup: "x" });
  expect(lines).toEqual([{ level, message: `run: ${status}`, facts: { status, backup: "x" } }]);
});

test("progress is a status line on a terminal, redrawn at most five times a second and wiped at the end", async () => {
  const { monitor, lines, statuses } = open(true);
  await monitor.measure("dump", {}, async (span) => {
    for (let step = 1; step <= 50; step += 1) {
      span.progress(step * 1_000_000);
      await sleep(10);
    }
  });
  const drawn = statuses.filter((line) => line !== undefined);
  expect(drawn.length).toBeGreaterThanOrEqual(2);
  expect(drawn.length).toBeLessThanOrEqual(5);
  expect(drawn[0]).toMatch(/^dump: \d+\.\d MB, \d+\.\d MB\/s, \d+ s$/);
  expect(statuses.at(-1)).toBeUndefined();
  expect(lines.filter(({ message }) => message.includes("going on"))).toEqual([]);
});

test("progress is a line of the log where there is no terminal, as often as configured", async () => {
  const { monitor, lines } = open(false, 1);
  await monitor.measure("dump", {}, async (span) => {
    span.progress(1);
    await sleep(1_050);
    span.progress(5_000_000);
    span.progress(5_000_001);
  });
  const progress = lines.filter(({ message }) => message === "dump: going on");
  expect(progress).toHaveLength(1);
  expect(progress[0]?.facts).toMatchObject({ bytes: 5_000_000, seconds: 1 });
});
