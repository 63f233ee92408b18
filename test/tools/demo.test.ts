import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TemporaryFolder } from "../helpers/script.ts";

const demo = join(import.meta.dirname, "../../tools/demo.ts");

/** The demo makes a database, and an engine deploys a stack; on a busy machine that takes a while. */
const DEMO_MS = 240_000;

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
  // The server that the demo starts may belong to another user.
  chmodSync(folder.path, 0o755);
});
afterEach(() => {
  folder.remove();
});

/** What the user's crontab has; where there is no crontab at all, something without meaning. */
const crontab = () => JSON.stringify(spawnSync("crontab", ["-l"], { encoding: "utf8" }).output);

it.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)(
  "takes away what it has made when %s ends it",
  async (signal, code) => {
    const child = spawn(process.execPath, [demo], {
      env: { ...process.env, TMPDIR: folder.path },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("── What the schedule starts") && !child.killed) child.kill(signal);
    });
    const [ended] = (await once(child, "close")) as [number | null];
    expect(output).toMatch(/── pulumi up\n {3}\d+ resources created; schedule: /);
    expect(output).not.toContain("Done in");
    expect(ended).toBe(code);
    const left = join(folder.path, "provision-demo");
    expect(readdirSync(left).sort()).toEqual(
      existsSync(join(left, "backups")) ? ["backups", "identity.txt"] : ["identity.txt"],
    );
    expect(readdirSync(folder.path)).toEqual(["provision-demo"]);
    expect(crontab()).not.toContain("provision.demo");
  },
  DEMO_MS,
);
