import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ensureActionlint } from "../tools/actionlint.ts";

const folder = fileURLToPath(new URL("../.github/workflows/", import.meta.url));
const names = readdirSync(folder);
const read = (name: string) => readFileSync(join(folder, name), "utf8");

describe("the workflows of GitHub", () => {
  it("are what actionlint takes", async () => {
    const actionlint = await ensureActionlint();
    // It would use these two where a machine happens to have them.
    const files = names.map((name) => join(folder, name));
    expect(execFileSync(actionlint, ["-no-color", "-shellcheck=", "-pyflakes=", ...files], { encoding: "utf8" })).toBe(
      "",
    );
  });

  it.each(names)("use actions of others by a commit, with its version beside it: %s", (name) => {
    const used = [...read(name).matchAll(/^\s*-? ?uses: (?!\.\/)(.*)$/gm)].map(([, action = ""]) => action);
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it.each(names)("may do nothing but read unless a job says so: %s", (name) => {
    expect(read(name)).toMatch(/^permissions:\n {2}contents: read$/m);
    expect(read(name)).not.toMatch(/write-all|contents: write|pull_request_target/);
  });

  it("use one commit for each action", () => {
    const used = names.flatMap((name) => [...read(name).matchAll(/uses: ([\w/-]+@[0-9a-f]{40})/g)].map(([, at]) => at));
    const commits = new Set(used);
    const actions = new Set(used.map((at) => at?.split("@")[0]));
    expect(commits.size).toBe(actions.size);
  });
});
