import { execFile } from "node:child_process";
import { cpSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findOnPath } from "../../tools/install/executables.ts";
import { ROOT } from "../../tools/tests/imports.ts";
import { ensureProgram } from "../helpers/ensure-program.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { PAGES } from "./markdown.ts";

/** Where the browser believes to be: no server is there, the files are given to it. */
const ORIGIN = "http://provision.test";
const BUILD_MS = 300_000;

const pages = PAGES.filter((page) => page.startsWith("docs/")).map((page) => basename(page, ".md"));
const hasChromium = await ensureProgram("chromium", "chromium");

const VIEWS: readonly (readonly [string, BrowserContextOptions])[] = [
  ["wide and light", { viewport: { width: 1440, height: 900 }, colorScheme: "light" }],
  ["narrow and dark", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }],
];

describe.skipIf(!hasChromium)("the site in Chromium", { timeout: 120_000 }, () => {
  let folder: TemporaryFolder;
  let browser: Browser;

  beforeAll(async () => {
    folder = new TemporaryFolder();
    const isSource = (path: string) => !["node_modules", "pages", "dist", "cache"].includes(basename(path));
    for (const name of ["docs", "site"])
      cpSync(join(ROOT, name), join(folder.path, name), { recursive: true, filter: isSource });
    const npm = (...args: string[]) => promisify(execFile)("npm", args, { cwd: join(folder.path, "site") });
    await npm("ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund");
    await npm("run", "build");
    const executablePath = (await findOnPath("chromium")) ?? "";
    browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
  }, BUILD_MS);
  afterAll(async () => {
    await browser.close();
    folder.remove();
  });

  /** The built file of an address. */
  function fileOf(path: string): string | undefined {
    const built = join(folder.path, "site/.vitepress/dist", decodeURIComponent(path));
    const candidates = [built, `${built}.html`, join(built, "index.html")];
    return candidates.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  }

  /** Opens a browser's window on the site. What goes wrong on a page, or is asked from elsewhere, fails the test. */
  async function visit(view: BrowserContextOptions, work: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext(view);
    const wrong: string[] = [];
    try {
      const page = await context.newPage();
      page.on("pageerror", ({ message }) => wrong.push(message));
      await page.route("**/*", async (route) => {
        const { origin, pathname } = new URL(route.request().url());
        const path = origin === ORIGIN ? fileOf(pathname) : undefined;
        if (path === undefined) wrong.push(route.request().url());
        await (path === undefined ? route.fulfill({ status: 404 }) : route.fulfill({ path }));
      });
      await work(page);
    } finally {
      await context.close();
    }
    expect(wrong).toEqual([]);
  }

  it.each(VIEWS)("shows every page with its pictures, and none is wider than the screen: %s", async (_, view) => {
    await visit(view, async (page) => {
      let pictures = 0;
      for (const name of pages) {
        await page.goto(`${ORIGIN}/${name === "index" ? "" : name}`);
        const [, heading] = /^# (.*)$/m.exec(readFileSync(join(ROOT, `docs/${name}.md`), "utf8")) ?? [];
        expect((await page.locator("h1").innerText()).replace(/\W+$/, ""), name).toBe(heading);
        expect(
          await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
          name,
        ).toBe(true);
        const widths = await page.evaluate<number[]>(
          "Promise.all([...document.querySelectorAll('.vp-doc img')].map((each) => each.decode().then(() => each.naturalWidth)))",
        );
        expect(
          widths.every((width) => width > 100),
          name,
        ).toBe(true);
        pictures += widths.length;
      }
      expect(pictures).toBeGreaterThanOrEqual(2);
    });
  });

  it("is dark in the dark, and light otherwise", async () => {
    const lightness: number[] = [];
    for (const [, view] of VIEWS)
      await visit(view, async (page) => {
        await page.goto(ORIGIN);
        const colour = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
        lightness.push(Math.max(...(colour.match(/\d+/g) ?? []).slice(0, 3).map(Number)));
      });
    const [light = 0, dark = 255] = lightness;
    expect([light > 200, dark < 60]).toEqual([true, true]);
  });

  it.each(VIEWS)("finds by its search what is on a page: %s", async (_, view) => {
    await visit(view, async (page) => {
      await page.goto(ORIGIN);
      await page.locator(".VPNavBarSearch button").first().click();
      await page.locator("#localsearch-input").fill("without this program");
      const first = page.locator("#localsearch-list a").first();
      await first.waitFor();
      expect(await first.getAttribute("href")).toContain("/restore#without-this-program");
      await first.click();
      await page.waitForURL(/\/restore#without-this-program$/);
      // The address changes before the page does.
      await page.locator("h1", { hasText: "Restore" }).waitFor();
    });
  });

  it("leads from every page to the restore", async () => {
    await visit(VIEWS[0]?.[1] ?? {}, async (page) => {
      await page.goto(`${ORIGIN}/costs`);
      await page.getByRole("link", { name: "A database is lost?" }).click();
      await page.waitForURL(/\/restore$/);
    });
  });
});
