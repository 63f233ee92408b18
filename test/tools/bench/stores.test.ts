import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { isKept, type Check } from "../../../tools/bench/check.ts";

const bench = join(import.meta.dirname, "../../../tools/bench/stores.ts");

it(
  "measures both ways to Supabase Storage, and ends with 1 where something is not as promised",
  { timeout: 180_000 },
  () => {
    const options = ["--json", "--megabytes", "8", "--runs", "1", "--stores", "supabase,supabase-s3"];
    const { status, stdout } = spawnSync(process.execPath, [bench, ...options], { encoding: "utf8" });
    const { results, checks } = JSON.parse(stdout) as { results: { kind: string }[]; checks: Check[] };
    expect(results.map(({ kind }) => kind)).toEqual(["supabase", "supabase-s3", "all"]);
    expect(checks.map(({ what, atMost }) => [what, atMost])).toEqual([
      ["time of supabase to the plain client's", 1.25],
      ["memory with supabase", 220],
      ["time of supabase-s3 to the plain client's", 1.25],
      ["memory with supabase-s3", 220],
      ["memory with all at once", 400],
    ]);
    expect(status).toBe(checks.every(isKept) ? 0 : 1);
  },
);
