import { globSync } from "node:fs";
import { type Closure, closureOf, ROOT } from "./imports.ts";
import { needsOf } from "./needs.ts";

/** The tiers of the tests, each a project of Vitest. */
export const TIERS = ["unit", "main", "rest"] as const;

/**
 * Where a file of tests belongs.
 * - `unit`: starts no server, no engine and no `provision`, and needs nothing prepared.
 * - `main`: the contracts, and one run of every main path.
 * - `rest`: everything else.
 */
export type Tier = (typeof TIERS)[number];

/** The main paths on a real PostgreSQL and a real engine: backup, verify, restore, drill, prune, and the host target. */
const MAIN_PATHS: readonly string[] = [
  "test/runner/cli/cli.test.ts",
  "test/runner/cli/cli-usage.test.ts",
  "test/runner/operations/drill.test.ts",
  "test/engine/host.test.ts",
];

/** What every provider of a family must do: a file that imports it is of the tier `main`. */
const CONTRACTS = "test/contract/";

/** All files of tests, by their paths from the root. */
export function testFiles(): string[] {
  return globSync("test/**/*.test.ts", { cwd: ROOT }).sort();
}

/** The tier of a file follows from what it imports, so that nobody has to say it: only the main paths are chosen. */
export function tierOf(file: string): Tier {
  const closure = closureOf(file);
  if (MAIN_PATHS.includes(file) || [...closure.files].some((each) => each.startsWith(CONTRACTS))) return "main";
  return startsNothing(closure) ? "unit" : "rest";
}

/** The files of each tier. */
export function filesByTier(): Record<Tier, string[]> {
  const byTier: Record<Tier, string[]> = { unit: [], main: [], rest: [] };
  for (const file of testFiles()) byTier[tierOf(file)].push(file);
  return byTier;
}

/** Neither a program of the machine's, the cache's or this project's, nor a server inside the test's own process. */
function startsNothing(closure: Closure): boolean {
  return (
    needsOf(closure).length === 0 && !closure.names.has("startProvision") && !/\bcreateServer\(/.test(closure.text)
  );
}
