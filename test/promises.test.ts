import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { PROMISES } from "./faults/random/oracle/promises.ts";
import { FAULT_NAMES } from "./faults/random/scenario.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const text = readFileSync(`${root}docs/promises.md`, "utf8");

it("docs/promises.md names files that there are", () => {
  const named = [...text.matchAll(/`(test\/[\w./-]+\.ts)`/g)].map(([, file = ""]) => file);
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((file) => !existsSync(root + file))).toEqual([]);
});

it("docs/promises.md names every fault and every promise of the random faults", () => {
  expect(FAULT_NAMES.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  const told = text.toLowerCase();
  expect(PROMISES.filter((promise) => !told.includes(`_${promise.toLowerCase()}_`))).toEqual([]);
});
