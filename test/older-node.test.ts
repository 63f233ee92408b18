import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quote } from "../components/host/shell.ts";
import { TemporaryFolder } from "./helpers/script.ts";

const ROOT = join(import.meta.dirname, "..");
const own = join(ROOT, "node_modules/.bin/node");
if (!existsSync(own))
  console.warn("npm has brought no Node.js for this machine: what the documentation says of it is not tested.");

describe.runIf(existsSync(own))("with another Node.js first on PATH, as the documentation says", () => {
  let folder: TemporaryFolder;
  beforeAll(() => {
    folder = new TemporaryFolder();
    folder.program("node", `#!/bin/sh\nexec ${quote(process.execPath)} "$@"\n`);
    folder.program("pulumi", `#!/bin/sh\necho "$* with $(command -v node)"\n`);
  });
  afterAll(() => {
    folder.remove();
  });

  it.each([`export PATH="$PWD/node_modules/.bin:$PATH"; pulumi up`, `npm exec -c 'pulumi up'`])("%s", (command) => {
    for (const part of command.split("; "))
      expect(readFileSync(join(ROOT, "docs/getting-started.md"), "utf8")).toContain(part);
    const outside = (process.env.PATH ?? "").split(":").filter((place) => !place.includes("node_modules"));
    const result = spawnSync("/bin/sh", ["-c", command], {
      cwd: ROOT,
      env: { PATH: [folder.path, ...outside].join(":"), HOME: folder.path },
      encoding: "utf8",
    });
    expect(result.stdout.trim(), result.stderr).toBe(`up with ${own}`);
  });
});
