import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ensureActionlint } from "../tools/install/actionlint.ts";
import { ensureZizmor } from "../tools/install/zizmor.ts";

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

  it("have no finding of zizmor but those that .github/zizmor.yml explains", async () => {
    const zizmor = await ensureZizmor();
    const config = join(folder, "../zizmor.yml");
    const options = ["--offline", "--no-progress", "--format=json", "--no-exit-codes", `--config=${config}`, folder];
    const findings = JSON.parse(execFileSync(zizmor, options, { encoding: "utf8", stdio: "pipe" })) as {
      ident: string;
    }[];
    expect(findings.map(({ ident }) => ident)).toEqual([]);
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

  it("promote only what has passed the checks, and from stack to stack", () => {
    const jobs = new Map(
      (read("promote.yml").split(/^jobs:\n/m)[1] ?? "")
        .split(/^ {2}(?=\w+:$)/m)
        .filter((text) => text !== "")
        .map((text) => [text.slice(0, text.indexOf(":")), text] as const),
    );
    expect([...jobs.keys()]).toEqual(["check", "image", "dev", "staging", "prod"]);
    expect(jobs.get("check")).toContain("uses: ./.github/workflows/check.yml");
    const needs = Object.fromEntries([...jobs].map(([name, text]) => [name, /^ {4}needs: (.*)$/m.exec(text)?.[1]]));
    expect(needs).toEqual({
      check: undefined,
      image: "check",
      dev: "image",
      staging: "[image, dev]",
      prod: "[image, staging]",
    });
    expect(read("check.yml")).toMatch(/^on:\n {2}pull_request:\n {2}workflow_call:\n/m);
  });

  it.each(["deploy.yml", "drift.yml"])("never cancel what holds the lock of a state: %s", (name) => {
    expect(read(name).match(/cancel-in-progress: .*/g)).toEqual(["cancel-in-progress: false"]);
  });

  it("do not let a promotion that waits for an approval hold up the next one", () => {
    expect(read("promote.yml")).not.toMatch(/^ *concurrency:/m);
    expect(read("deploy.yml")).toContain("group: deploy-${{ inputs.stack }}");
  });

  it("publish only by hand, after the checks and with an approval", () => {
    const text = read("release.yml");
    expect(/^on:\n((?: .*\n)+)/m.exec(text)?.[1]).toBe("  workflow_dispatch:\n");
    expect(text).toMatch(/^ {2}publish:\n {4}needs: check\n(?: {4}.*\n)* {4}environment: npm\n/m);
    expect(names.filter((name) => read(name).includes("npm publish"))).toEqual(["release.yml"]);
    expect(text).toContain("npm publish --provenance");
  });

  it("say which secrets provider a stack needs", () => {
    expect(read("preview.yml")).toMatch(/--secrets-provider='awskms:/);
    for (const name of ["promote.yml", "drift.yml"]) expect(read(name)).toContain("preview.yml");
  });
});
