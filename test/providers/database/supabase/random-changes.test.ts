import { describe, expect, it, onTestFinished } from "vitest";
import { openPair, runProjects } from "../../../supabase-changes/run.ts";

const seed = Number(process.env.CHANGES_SEED ?? Date.now() % 1_000_000);

describe.each([
  ["installed", "installed"],
  ["installed", 17],
  [17, 17],
] as const)("a project of PostgreSQL %s restored into one of %s", (from, to) => {
  it("is the same after changes at random, but for what its backup named", { timeout: 300_000 }, async () => {
    console.log(`CHANGES_SEED=${seed}; more changes by: npm run test:changes -- --seed ${seed}`);
    const pair = await openPair(from, to);
    onTestFinished(() => pair.stop());
    for await (const { changes, broken } of runProjects(pair, { seed, changes: 16, each: 16 })) {
      expect(changes).toHaveLength(16);
      expect(broken, changes.join("; ")).toEqual([]);
    }
  });
});
