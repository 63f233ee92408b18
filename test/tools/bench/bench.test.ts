import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

const bench = join(import.meta.dirname, "../../../tools/bench/bench.ts");

it("gives its numbers as JSON, and ends with 1 where something is not as promised", { timeout: 180_000 }, () => {
  // A database so small that starting Node.js takes longer than pg_dump takes in all.
  const { status, stdout, stderr } = spawnSync(process.execPath, [bench, "--json", "--sizes", "1", "--runs", "1"], {
    encoding: "utf8",
  });
  const { results } = JSON.parse(stdout) as {
    results: { megabytes: number; measurements: { seconds: number; peakMegabytes?: number }[] }[];
  };
  expect(results.map(({ megabytes }) => megabytes)).toEqual([0, 1]);
  for (const { measurements } of results) {
    expect(measurements).toHaveLength(7);
    const peaks = measurements.flatMap(({ peakMegabytes }) => peakMegabytes ?? []);
    expect(peaks).toHaveLength(4);
    for (const peak of peaks) expect(peak).toBeGreaterThan(50);
  }
  expect(stderr).toMatch(/^✗ +\S+ \(at most 0\.33\) {2}provision backup --no-verify {2}to {2}pg_dump -Fc, 1 MB$/m);
  expect(status).toBe(1);
});
