import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../tools/tests/imports.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

it("the README shows the demo's steps as they are now; `npm run docs -- --demo` records them", () => {
  const steps = [...read("tools/demo.ts").matchAll(/ step\("([^"]+)"/g)].map(([, title]) => title);
  const shown = /<!-- generated: demo -->([\s\S]*)<!-- end: demo -->/.exec(read("README.md"))?.[1] ?? "";
  expect(steps.length).toBeGreaterThan(6);
  expect(
    [...shown.matchAll(/^ +[\d.]+ s {2}([^:\n]+(?:: backup, verification, prune)?): /gm)].map(([, title]) => title),
  ).toEqual(steps);
});
