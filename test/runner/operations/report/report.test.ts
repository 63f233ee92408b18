import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobConfig } from "../../../../providers/config.ts";
import { buildReport, type JobContents } from "../../../../runner/operations/report/build.ts";
import { Display } from "../../../../runner/run/display.ts";
import { readStore, type StoreContents } from "../../../../runner/operations/report/read-store.ts";
import { toHtml } from "../../../../runner/operations/report/html/page.ts";
import { inert, toMarkdown } from "../../../../runner/operations/report/markdown.ts";
import type { JobReport, Report } from "../../../../runner/operations/report/report.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { openStore } from "../../../helpers/store.ts";
import { HOLD_REASON, LOST_TABLE, SCHEDULE, writeStore, yearOfBackups } from "../../../helpers/year-of-backups.ts";

const NOW = new Date("2026-11-27T12:00:00Z");
const signal = new AbortController().signal;
const JOB = JobConfig.parse({
  stack: "prod",
  name: "app",
  schedule: SCHEDULE,
  database: { kind: "postgres", url: { env: "NOWHERE" } },
  destinations: [
    { kind: "filesystem", path: "/a" },
    { kind: "filesystem", path: "/b" },
  ],
  encryption: { recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"] },
  objectives: { recoveryPoint: "24h", recoveryTime: "30m" },
});

const year = yearOfBackups(JOB, NOW);
const folders: TemporaryFolder[] = [];
let stores: StoreContents[] = [];

beforeAll(async () => {
  stores = await Promise.all(year.stores.map((store, number) => read(number, store)));
});
afterAll(() => {
  for (const folder of folders) folder.remove();
});

async function read(number: number, store: ReadonlyMap<string, string>): Promise<StoreContents> {
  const folder = new TemporaryFolder();
  folders.push(folder);
  writeStore(folder.path, store);
  const storage = await openStore(folder.path);
  return { ...(await readStore(storage, number, JOB, signal)), description: `folder ${number}` };
}

function reportOn(contents: Partial<JobContents> = {}, now = NOW): Report {
  return buildReport([{ job: JOB, file: "app.json", stores, failed: [], ...contents }], now);
}

function only(report: Report): JobReport {
  const [job] = report.jobs;
  if (!job) throw new Error("the report has no job");
  return job;
}

it("has times from now at a terminal alone", () => {
  const report = reportOn();
  const away = /\| \d{4}-\d\d-\d\d \d\d:\d\d \((\d+ \w+ ago)\) \|/;
  expect(toMarkdown(report, new Display({ isTTY: true }, NOW))).toMatch(away);
  expect(toMarkdown(report)).not.toMatch(away);
});

it("has tables that are as wide as a terminal, and whole ones in a file", () => {
  const report = reportOn();
  const widthsOf = (text: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map(({ length }) => length);
  const atTerminal = toMarkdown(report, new Display({ isTTY: true, columns: 140 }, NOW));
  expect(Math.max(...widthsOf(atTerminal))).toBe(140);
  expect(atTerminal).toContain("…");
  expect(toMarkdown(report)).not.toContain("…");
});

describe("a plain year", () => {
  const made = year.nights.filter(({ id }) => id !== undefined);
  // The calendar's year: the last 365 days, today among them.
  const inYear = year.nights.filter(({ date }) => date >= "2025-11-28");

  it("is what was generated, day by day", () => {
    const expected = inYear.map(({ date, id, drill, collapsed }) => {
      const there = id === undefined ? 0 : 1;
      return {
        ...{ date, made: there, verified: there, suspicious: collapsed ? 1 : 0, damaged: 0 },
        ...{ drilled: drill === "drilled" ? 1 : 0, drillFailed: drill === "drill-failed" ? 1 : 0 },
        ...{ missed: 1 - there, unknown: 0 },
      };
    });
    const { calendar } = only(reportOn());
    // The run of today was due at three, and nothing is there yet.
    expect(calendar.at(-1)).toMatchObject({ date: "2026-11-27", made: 0, missed: 0, unknown: 1 });
    expect(calendar.slice(0, -1)).toEqual(expected);
    expect(calendar).toHaveLength(365);
  });

  it("has each backup once, with its figures and both copies", () => {
    const { backups } = only(reportOn());
    expect(backups.map(({ id, storedBytes, plainBytes, seconds }) => [id, storedBytes, plainBytes, seconds])).toEqual(
      made.map(({ id, storedBytes, seconds }) => [id, storedBytes, storedBytes * 4, seconds]),
    );
    expect(backups).toHaveLength(365);
    for (const { copies } of backups) {
      expect(copies.map(({ destination, state }) => [destination, state])).toEqual([
        [0, "verified"],
        [1, "verified"],
      ]);
    }
  });

  it("has the collapse, the hold and the drills", () => {
    const { backups, drills } = only(reportOn());
    const suspicious = backups.filter((backup) => backup.suspicious);
    expect(suspicious.map(({ id }) => id)).toEqual(made.filter(({ collapsed }) => collapsed).map(({ id }) => id));
    expect(suspicious[0]?.findings[0]).toBe(
      `The table ${LOST_TABLE} has lost all its rows; usually it has about 40000.`,
    );
    const held = backups.filter(({ copies }) => copies.some(({ hold }) => hold !== null));
    expect(held.map(({ id }) => id)).toEqual(made.flatMap((night) => (night.held ? [night.id] : [])));
    expect(held[0]?.copies[1]?.hold).toMatchObject({ reason: HOLD_REASON, until: "2099-12-31T23:59:59.000Z" });
    const drilled = made.filter(({ drill }) => drill !== undefined).reverse();
    expect(drills.map(({ id, ok }) => [id, ok])).toEqual(drilled.map(({ id, drill }) => [id, drill === "drilled"]));
    expect(drills).toHaveLength(52);
    expect(drills.find(({ ok }) => !ok)).toMatchObject({
      checks: [{ name: "orders", ok: false }, { ok: true }],
      problems: ["The check orders got another answer than it must."],
    });
  });

  it("says in its first line to when, proven when and how fast, and against the objectives", () => {
    const newest = made.at(-1);
    const proof = made.findLast(({ drill }) => drill === "drilled");
    const seconds = (proof?.seconds ?? 0) / 3;
    expect(reportOn().headline).toBe(
      `Recoverable to ${newest?.date ?? ""} 03:00 Europe/Berlin, 34 h ago (objective 24 h: MISSED). ` +
        `Proven by a restore on ${proof?.date ?? ""} 05:00 Europe/Berlin that took ${Math.round(seconds / 60)} min (objective 30 min: met). ` +
        "Neither locked nor held.",
    );
  });

  it("gives the command that restores the newest backup from where it is", () => {
    const id = made.at(-1)?.id ?? "";
    const rest = `--to env:TARGET_URL --identity file:identity.txt`;
    expect(only(reportOn()).restore).toBe(`provision restore ${id} --job app.json ${rest}`);
    expect(only(reportOn({ stores: stores.slice(1), file: "the app's.json" })).restore).toBe(
      `provision restore ${id} --job 'the app'\\''s.json' --destination 1 ${rest}`,
    );
  });
});

describe("what a schedule missed", () => {
  const upTo = (days: number) => year.nights.filter(({ id }) => id !== undefined).slice(-days);
  const without = async (kept: readonly (string | undefined)[]) => {
    const some = new Map([...year.stores[0]].filter(([key]) => kept.some((id) => key.includes(`/${id ?? "-"}/`))));
    return [await read(0, some)];
  };
  const sum = (job: JobReport, field: "missed" | "unknown") => job.calendar.reduce((all, day) => all + day[field], 0);

  it("is not what the retention rule has let go", async () => {
    // As prune leaves them: 60 days, and before them the last one of each week. Nights 40 and 41 were missed, 200 is between the weeks.
    const retention = { daily: 60, weekly: 60 };
    const days = upTo(58).map(({ id }) => id);
    const sundays = year.nights.filter(({ date }) => new Date(date).getUTCDay() === 0).map(({ id }) => id);
    const some = await without([...days, ...sundays]);
    const job = only(reportOn({ job: { ...JOB, retention }, stores: some }));
    const missed = job.calendar.filter((day) => day.missed > 0).map(({ date }) => date);
    expect(missed).toEqual(["2026-10-17", "2026-10-18"]);
    expect(sum(job, "unknown")).toBeGreaterThan(200);
  });

  it("is a week in which nothing is left of what the rule keeps", async () => {
    const retention = { weekly: 20 };
    const sundays = year.nights.filter(({ date }) => new Date(date).getUTCDay() === 0).slice(-20);
    const gone = sundays[5]?.date;
    const newest = year.nights.at(-1)?.id;
    const some = await without([...sundays.filter(({ date }) => date !== gone).map(({ id }) => id), newest]);
    const { calendar } = only(reportOn({ job: { ...JOB, retention }, stores: some }));
    expect(calendar.filter((day) => day.missed > 0).map(({ date }) => date)).toEqual([gone, "2026-10-18"]);
  });

  it("is not known from before the first backup, nor without a schedule", async () => {
    const some = await without(upTo(10).map(({ id }) => id));
    const job = only(reportOn({ stores: some }));
    expect([job.missedSince, sum(job, "missed")]).toEqual(["2026-11-17", 0]);
    const unscheduled = only(reportOn({ job: { ...JOB, schedule: undefined } }));
    expect([unscheduled.missedSince, sum(unscheduled, "missed"), sum(unscheduled, "unknown")]).toEqual([null, 0, 0]);
    expect(toMarkdown(reportOn({ job: { ...JOB, schedule: undefined } }))).toContain("No schedule is known");
  });

  it("is known of the last runs alone where the schedule has more than ten thousand", () => {
    const schedule = { cron: "* * * * *", timezone: "UTC" };
    const { missedSince } = only(reportOn({ job: { ...JOB, schedule } }));
    expect(missedSince).toBe("2026-11-20");
  });
});

describe("a job without anything", () => {
  it("says that nothing is recoverable and nothing proven", () => {
    const report = reportOn({
      stores: [{ number: 0, description: "", backups: [], facts: new Map(), locks: new Map() }],
    });
    expect(report.headline).toBe(
      "Not recoverable: no backup is verified and free of suspicion. Not proven: no drill has restored a backup.",
    );
    expect(toHtml(report)).toContain("There is no backup to restore");
    expect(toMarkdown(report)).toContain("There is no backup to restore");
  });

  it("names a destination that could not be read, and reports the others", () => {
    const report = reportOn({
      stores: stores.slice(0, 1),
      failed: [{ number: 1, description: "s3 away", problem: "No answer." }],
    });
    expect(report.headline).toContain("1 of 2 destinations could not be read.");
    expect(only(report).destinations[1]).toMatchObject({ number: 1, description: "s3 away", problem: "No answer." });
    expect(toHtml(report)).toContain("not read: No answer.");
  });
});

describe("several jobs", () => {
  it("are one page, with a headline for all", () => {
    const other = { job: { ...JOB, name: "other" }, file: undefined, stores: [], failed: [] };
    const report = buildReport([{ job: JOB, file: undefined, stores, failed: [] }, other], NOW);
    expect(report.headline).toBe(
      "1 of 2 jobs are recoverable, the one that is furthest behind to 2026-11-26 02:00 UTC, 34 h ago. 1 are proven by a restore. " +
        "An objective is missed by prod/app.",
    );
    const page = toHtml(report);
    expect(page).toContain('<a href="#job-1">prod/other</a>');
    expect(page.match(/<h2 /g)).toHaveLength(2);
  });
});

describe("texts of a store", () => {
  it("are text in the page, and nothing else", () => {
    const page = toHtml(reportOn());
    expect(/<(?:script|b>)/.test(page)).toBe(false);
    expect(page).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
    expect(page).toContain("case &lt;b&gt;4711&lt;/b&gt; | *audit* &amp; co");
    expect(/(?:src|href)="(?!#)|url\(|@import/.test(page)).toBe(false);
  });

  it("are text in Markdown, and nothing else", () => {
    const text = toMarkdown(reportOn());
    expect(/(?<!\\)<(?:script|b)/.test(text)).toBe(false);
    expect(text).toContain(String.raw`case \<b\>4711\</b\> \| \*audit\* \& co`);
    // The cells of a table are as many as its head has.
    const rows = text.split("\n").filter((line) => line.startsWith("| 20"));
    const cells = new Set(rows.map((line) => line.replaceAll(/\\./g, "").split("|").length));
    expect([...cells].sort()).toEqual([10, 11, 9].sort());
  });

  it.each([
    ["a\nb\u202ec", String.raw`a\\nb\\u202ec`],
    ["[x](javascript:1)", String.raw`\[x\]\(javascript:1\)`],
    ["https://evil.example www.evil.example a@b.c", String.raw`https\://evil.example www\.evil.example a\@b.c`],
    ["`code` # _x_ ~~y~~ <!-- z", String.raw`\`code\` \# \_x\_ \~\~y\~\~ \<\!-- z`],
  ])("as %j", (text, expected) => {
    expect(inert(text)).toBe(expected);
  });
});
