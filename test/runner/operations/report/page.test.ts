import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobConfig } from "../../../../providers/config.ts";
import { buildReport } from "../../../../runner/operations/report/build.ts";
import { toHtml } from "../../../../runner/operations/report/html/page.ts";
import { readStore } from "../../../../runner/operations/report/read-store.ts";
import type { Report } from "../../../../runner/operations/report/report.ts";
import { findOnPath } from "../../../../tools/install/executables.ts";
import { ensureProgram } from "../../../helpers/ensure-program.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { openStore } from "../../../helpers/store.ts";
import { HOLD_REASON, SCHEDULE, writeStore, yearOfBackups } from "../../../helpers/year-of-backups.ts";

const NOW = new Date("2026-11-27T12:00:00Z");
const hasChromium = await ensureProgram("chromium", "chromium");

const VIEWS: readonly (readonly [string, BrowserContextOptions])[] = [
  ["wide", { viewport: { width: 1280, height: 900 } }],
  ["narrow", { viewport: { width: 360, height: 740 } }],
  ["dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" }],
];

describe.skipIf(!hasChromium)("the page in Chromium", () => {
  let folder: TemporaryFolder;
  let browser: Browser;
  let report: Report;
  let file: string;

  beforeAll(async () => {
    folder = new TemporaryFolder();
    report = await yearsReport(folder.path);
    file = join(folder.path, "report.html");
    writeFileSync(file, toHtml(report));
    const executablePath = (await findOnPath("chromium")) ?? "";
    browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
  });
  afterAll(async () => {
    await browser.close();
    folder.remove();
  });

  async function open<T>(options: BrowserContextOptions, work: (page: Page, asked: readonly string[]) => Promise<T>) {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(pathToFileURL(file).href);
      return await work(page, asked);
    } finally {
      await context.close();
    }
  }

  it.each(VIEWS)(
    "breaks no rule of accessibility, asks for nothing else and is no wider than a %s screen",
    async (_, view) => {
      await open(view, async (page, asked) => {
        expect(await page.locator("h1").innerText()).toBe(report.headline);
        expect(
          await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
        ).toBe(true);
        await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true");
        await page.evaluate(axe.source);
        const { violations, passes } = await page.evaluate<Pick<axe.AxeResults, "violations" | "passes">>("axe.run()");
        expect(violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html)])).toEqual([]);
        expect(passes.map(({ id }) => id)).toEqual(
          expect.arrayContaining(["color-contrast", "document-title", "svg-img-alt"]),
        );
        expect(asked).toEqual([pathToFileURL(file).href]);
      });
    },
  );

  it("is dark in the dark, and bright otherwise", async () => {
    const background = "getComputedStyle(document.body).backgroundColor";
    const [, , dark] = VIEWS;
    expect(await open(dark?.[1] ?? {}, (page) => page.evaluate(background))).toBe("rgb(20, 23, 26)");
    expect(await open({ colorScheme: "light" }, (page) => page.evaluate(background))).toBe("rgb(251, 251, 249)");
  });

  it("says the same where scripts are forbidden, and a screen reader hears each day", async () => {
    await open({ javaScriptEnabled: false }, async (page) => {
      expect(await page.locator("h1").innerText()).toBe(report.headline);
      const months = page.locator(".months table");
      expect(await months.count()).toBe(13);
      expect(await page.locator(".months td.missed .sr").allInnerTexts()).toEqual([
        "11: missed",
        "17: missed",
        "18: missed",
      ]);
      expect(await page.getByRole("img", { name: /Stored size of 361 backups/ }).count()).toBe(1);
      expect(await page.getByText(HOLD_REASON).count()).toBeGreaterThan(0);
    });
  });

  it("shows on paper what is folded on a screen", async () => {
    await open({}, async (page) => {
      await page.emulateMedia({ media: "print" });
      const pdf = await page.pdf();
      expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
      const box = await page.locator("details table").first().boundingBox();
      expect(box?.height).toBeGreaterThan(500);
    });
  });

  it("names a section that the documentation has", () => {
    const [, title, page = ""] = /“([^”]+)” of Provision's\s+(docs\/\w+\.md)/.exec(readFileSync(file, "utf8")) ?? [];
    expect(readFileSync(new URL(`../../../../${page}`, import.meta.url), "utf8")).toContain(`\n## ${title}\n`);
  });

  it("is the file that is written, without a script", () => {
    expect(/<script|javascript:|\son\w+=/i.test(readFileSync(file, "utf8").replaceAll("&lt;script", ""))).toBe(false);
  });
});

async function yearsReport(folder: string): Promise<Report> {
  const job = JobConfig.parse({
    stack: "prod",
    name: "app",
    schedule: SCHEDULE,
    database: { kind: "postgres", url: { env: "NOWHERE" } },
    destinations: [
      { kind: "filesystem", path: "/var/lib/provision/prod/backups" },
      { kind: "filesystem", path: "/mnt/nas/backups" },
    ],
    retention: { last: 7, daily: 400, weekly: 8, monthly: 12 },
    objectives: { recoveryPoint: "2d", recoveryTime: "30m" },
  });
  const { stores } = yearOfBackups(job, NOW);
  const contents = await Promise.all(
    stores.map(async (store, number) => {
      const path = join(folder, `store-${number}`);
      writeStore(path, store);
      const read = await readStore(await openStore(path), number, job, new AbortController().signal);
      return {
        ...read,
        description: `filesystem ${["/var/lib/provision/prod/backups", "/mnt/nas/backups"][number] ?? ""}`,
      };
    }),
  );
  return buildReport([{ job, file: "/var/lib/provision/prod/jobs/app.json", stores: contents, failed: [] }], NOW);
}
