/**
 * Proves that the tests find faults: puts each of a list into a copy of a commit, and runs the tests that must fail then.
 * `node tools/mutations/run.ts [regular expression of names]`, by hand, after tests were changed. Ends with 1 where a fault is not found.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../tests/imports.ts";
import { MUTATIONS, type Mutation } from "./list.ts";

/** Milliseconds for the tests of one fault, which may hang because of it. */
const LIMIT_MS = 600_000;

const copy = join(mkdtempSync(join(tmpdir(), "provision-mutations-")), "tree");
const git = (...args: string[]): void => {
  execFileSync("git", args, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
};

/** Puts a fault into the copy, runs its tests, and takes the fault out again. */
function isFound({ file, from, to, tests, named }: Mutation): boolean {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) throw new Error(`${file} has not exactly once: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  try {
    const vitest = join(copy, "node_modules/vitest/vitest.mjs");
    const filter = named === "" ? [] : ["-t", named];
    const run = spawnSync(process.execPath, [vitest, "run", tests, ...filter, "--bail", "1"], {
      cwd: copy,
      encoding: "utf8",
      timeout: LIMIT_MS,
    });
    if (!/\b[1-9]\d* (?:passed|failed),/.test(run.stdout)) throw new Error(`${tests} has no test named ${named}`);
    return run.status !== 0 && /\b[1-9]\d* failed,/.test(run.stdout);
  } finally {
    writeFileSync(path, text);
  }
}

const wanted = new RegExp(process.argv[2] ?? "");
const chosen = MUTATIONS.filter(({ name }) => wanted.test(name));
git("worktree", "add", "--quiet", "--detach", copy, "HEAD");
try {
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  for (const mutation of chosen) {
    const found = isFound(mutation);
    console.log(`${found ? "found    " : "NOT FOUND"}  ${mutation.name}: ${mutation.tests} ${mutation.named}`);
    if (!found) process.exitCode = 1;
  }
} finally {
  git("worktree", "remove", "--force", copy);
  rmSync(join(copy, ".."), { recursive: true, force: true });
}
