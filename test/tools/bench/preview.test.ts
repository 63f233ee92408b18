import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { isKept, type Check } from "../../../tools/bench/check.ts";

const bench = join(import.meta.dirname, "../../../tools/bench/preview.ts");

it("measures what a preview costs by the number of jobs", { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bench, "--json", "--jobs", "1,2"], {
    encoding: "utf8",
  });
  const { measurements, checks } = JSON.parse(stdout) as { measurements: { resources: number }[]; checks: Check[] };
  const [one, two] = measurements.map(({ resources }) => resources);
  expect(one).toBeGreaterThan(30);
  expect(two).toBeGreaterThan(one ?? 0);
  expect(checks.map(({ what, atMost }) => [what, atMost])).toEqual([
    ["time for 1 jobs", 15],
    ["time for 2 jobs", 15],
    ["what a job costs among 2, to the same among 1", 1.3],
  ]);
  expect(status, stderr).toBe(checks.every(isKept) ? 0 : 1);
});
