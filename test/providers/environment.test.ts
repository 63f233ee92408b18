import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NODE_FLAGS } from "../../providers/environment.ts";

// These files can import nothing. With other flags than the image's, a run could not use what was compiled for it.
it.each([
  ["runner/cli.js", /^#!.* node (.*)$/m, NODE_FLAGS.join(" ")],
  ["package.json", /"provision": "node (.*) runner\/cli\.js"/, NODE_FLAGS.join(" ")],
  [
    "Dockerfile",
    /^ENTRYPOINT \["[^"]+", (.*), "\/app\/runner\/cli\.js"\]$/m,
    NODE_FLAGS.map((flag) => `"${flag}"`).join(", "),
  ],
  ["Dockerfile", /^ +node (.*) --import \/app\/runner\/compile\.js/m, NODE_FLAGS.join(" ")],
])("starts Node.js in %s with the flags of the runner, by %s", (file, pattern, flags) => {
  const text = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
  expect(pattern.exec(text)?.[1]).toBe(flags);
});
