import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { isKept, type Check } from "../../../tools/bench/check.ts";

const bench = join(import.meta.dirname, "../../../tools/bench/files.ts");

it("copies all files at first and one in a hundred later", { timeout: 120_000 }, () => {
  const { status, stdout } = spawnSync(process.execPath, [bench, "--json", "--files", "200"], { encoding: "utf8" });
  const { first, second, checks } = JSON.parse(stdout) as Record<"first" | "second", object> & { checks: Check[] };
  expect(first).toMatchObject({ copied: 200, unchanged: 0 });
  expect(second).toMatchObject({ copied: 2, unchanged: 198 });
  // So few files take hardly longer than what a run does anyway.
  expect(checks.map(isKept)).toEqual([true, expect.any(Boolean), false]);
  expect(status).toBe(1);
});
