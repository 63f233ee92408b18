import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { RunLog } from "../../../providers/monitor/monitor.ts";
import { ProgressReporter } from "../../../providers/monitor/progress.ts";

const MB = 1_000_000;
let shown: (string | undefined)[];
let written: unknown[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  shown = [];
  written = [];
});
afterEach(() => {
  vi.useRealTimers();
});

const logOf = (terminal: boolean): RunLog => ({
  terminal,
  write: (_level, message, facts) => written.push([message, facts]),
  status: (line) => shown.push(line),
});

/** Says how far a step is, each time after so many milliseconds more. */
function move(reporter: ProgressReporter, ...steps: readonly (readonly [afterMs: number, mb: number, of?: number])[]) {
  for (const [afterMs, mb, of] of steps) {
    vi.advanceTimersByTime(afterMs);
    reporter.progress(mb * MB, of === undefined ? undefined : of * MB);
  }
}

it("shows the share, the bytes, the rate and the time left, at most five times a second", () => {
  const reporter = new ProgressReporter(logOf(true), "verify");
  move(reporter, [100, 10, 400], [900, 100, 400], [100, 110, 400], [99_000, 200, 400]);
  reporter.end();
  expect(shown).toEqual([
    "verify: 25%, 100 MB of 400 MB, 100 MB/s, 3 s left",
    "verify: 50%, 200 MB of 400 MB, 2.00 MB/s, 1 min 40 s left",
    undefined,
  ]);
  expect(written).toEqual([]);
});

it("shows no share and no time left where nobody knows how much comes", () => {
  const reporter = new ProgressReporter(logOf(true), "dump");
  move(reporter, [65_000, 130]);
  expect(shown).toEqual(["dump: 130 MB, 2.00 MB/s, 1 min 5 s"]);
});

it("promises no end once everything has been read, however soon that comes", () => {
  const reporter = new ProgressReporter(logOf(true), "restore");
  move(reporter, [1000, 90, 100], [10, 100, 100], [10, 100, 100]);
  expect(shown).toEqual([
    "restore: 90%, 90.0 MB of 100 MB, 90.0 MB/s, 1 s left",
    expect.stringMatching(/^restore: 100%, 100 MB of 100 MB, 9\d\.\d MB\/s, finishing$/),
  ]);
});

it("goes back where something is read again, and counts both readings in the rate", () => {
  const reporter = new ProgressReporter(logOf(true), "verify");
  move(reporter, [1000, 50, 100], [500, 0, 100], [500, 30, 100]);
  expect(shown.at(-1)).toBe("verify: 30%, 30.0 MB of 100 MB, 40.0 MB/s, 2 s left");
});

it("shows nothing of what is over at once", () => {
  const reporter = new ProgressReporter(logOf(true), "verify");
  move(reporter, [50, 1, 1]);
  expect(shown).toEqual([]);
});

it("writes a line once in a while where no terminal is, and none unless asked for", () => {
  const reporter = new ProgressReporter(logOf(false), "copy", 60);
  move(reporter, [1000, 10, 400], [59_000, 120, 400], [1000, 400, 400]);
  const silent = new ProgressReporter(logOf(false), "verify");
  move(silent, [1_000_000, 10, 20], [1_000_000, 20, 20]);
  expect(written).toEqual([
    ["copy: going on", { bytes: 120 * MB, totalBytes: 400 * MB, bytesPerSecond: 2 * MB, seconds: 60 }],
  ]);
  expect(shown).toEqual([]);
});
