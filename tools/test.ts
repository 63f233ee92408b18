/**
 * Prepares what some tests need, and nothing else, and runs them: `node tools/test.ts [--rest | --all] [arguments of vitest]`.
 * Without an option these are the tiers `unit` and `main`, or the files that the arguments name, whatever their tier.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { closureOf, ROOT } from "./tests/imports.ts";
import { NEEDS, needsOf } from "./tests/needs.ts";
import { prepare } from "./tests/prepare.ts";
import { chooseTests } from "./tests/choose.ts";

const { files, arguments: forVitest } = chooseTests(process.argv.slice(2), process.cwd());
try {
  const needed = new Set(files.flatMap((file) => needsOf(closureOf(file))));
  await prepare(
    NEEDS.filter((need) => needed.has(need)),
    console.log,
  );
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", ...forVitest], { cwd: ROOT, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  child.once("exit", (code) => (process.exitCode = code ?? 1));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
