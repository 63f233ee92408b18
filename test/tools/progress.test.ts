import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { withProgress } from "../../tools/progress.ts";

it("says that long work goes on, until it ends", async () => {
  const said: string[] = [];
  const result = await withProgress(
    "building it",
    (line) => said.push(line),
    () => sleep(100, "built"),
    10,
  );
  expect(result).toBe("built");
  expect(said.length).toBeGreaterThan(1);
  expect(said[0]).toBe("  0 s: still building it …");
  const { length } = said;
  await sleep(50);
  expect(said).toHaveLength(length);
});

it("is silent after work that failed", async () => {
  const said: string[] = [];
  const work = withProgress(
    "building it",
    (line) => said.push(line),
    () => Promise.reject(new Error("no")),
    5,
  );
  await expect(work).rejects.toThrow("no");
  await sleep(30);
  expect(said).toEqual([]);
});
