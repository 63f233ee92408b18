import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../tools/tests/imports.ts";
import { linksOf, PAGES } from "./markdown.ts";

const pages = PAGES.flatMap((page) => /^docs\/(.*)\.md$/.exec(page)?.[1] ?? []).filter((page) => page !== "index");

it("the site and the documentation's first page name every page", async () => {
  const { GROUPS } = (await import(join(ROOT, "site/.vitepress/pages.mjs"))) as {
    GROUPS: Readonly<Record<string, readonly string[]>>;
  };
  expect(Object.values(GROUPS).flat().sort()).toEqual(pages);
  const named = linksOf("docs/index.md").flatMap(({ target }) => /^(.*)\.md$/.exec(target)?.[1] ?? []);
  expect([...new Set(named)].sort()).toEqual(pages);
});

it("the README names every page but those for contributors", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  expect(pages.filter((page) => !readme.includes(`docs/${page}.md`))).toEqual([]);
});
