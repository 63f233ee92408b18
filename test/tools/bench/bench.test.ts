import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Result } from "../../../tools/bench/result.ts";

const bench = join(import.meta.dirname, "../../../tools/bench/bench.ts");

it("gives its numbers as JSON, and ends with 1 where something is not as promised", { timeout: 400_000 }, () => {
  // Databases so small that starting Node.js takes longer than pg_dump takes in all.
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [bench, "--json", "--data", "shop,tables", "--sizes", "1", "--runs", "1"],
    { encoding: "utf8" },
  );
  const { results } = JSON.parse(stdout) as { results: Result[] };
  expect(results.map(({ data, megabytes }) => [data, megabytes])).toEqual([
    [undefined, 0],
    ["shop", 1],
    ["tables", 1],
  ]);
  for (const { data, measurements, ratios } of results) {
    expect(measurements).toHaveLength(data === undefined ? 9 : 14);
    const peaks = measurements.flatMap(({ peakMegabytes }) => peakMegabytes ?? []);
    expect(peaks).toHaveLength(data === undefined ? 4 : 7);
    for (const peak of peaks) expect(peak).toBeGreaterThan(50);
    expect(ratios).toHaveLength(data === undefined ? 0 : 10);
    for (const { ratio } of ratios) expect(ratio.median).toBeGreaterThan(0);
  }
  expect(stderr).toMatch(
    /^✗ +\S+ \(at most 0\.30\) {2}provision backup --no-verify {2}to {2}pg_dump -Fc, shop, 1 MB$/m,
  );
  expect(status).toBe(1);
});

it("names the data that there are where it is asked for another", () => {
  const { status, stderr } = spawnSync(process.execPath, [bench, "--data", "photos"], { encoding: "utf8" });
  expect(stderr).toContain('--data takes names of shop, pgbench, documents, numbers, tables, and not "photos".');
  expect(status).toBe(1);
});
