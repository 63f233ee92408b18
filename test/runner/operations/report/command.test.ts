import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SigningKeys } from "../../../../runner/backups/documents/signing.ts";
import type { Report } from "../../../../runner/operations/report/report.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";
import { ensureProgram } from "../../../helpers/ensure-program.ts";
import { startProvision, type Ended } from "../../../helpers/sandbox.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { filesIn } from "../../../helpers/store.ts";
import { SCHEDULE, writeStore, yearOfBackups } from "../../../helpers/year-of-backups.ts";

const KEY = registerSecret("the key that signs", "7f".repeat(32));
const hasKeygen = await ensureProgram("ssh-keygen", "openssh-client");

let folder: TemporaryFolder;
const at = (...names: string[]) => join(folder.path, ...names);
const read = (name: string) => readFileSync(at(name), "utf8");

/** A job of the year in two folders, whose database and its secret are gone. */
function writeJob(name: string, changes: object = {}): string {
  const job = {
    stack: "prod",
    name,
    schedule: SCHEDULE,
    database: { kind: "postgres", url: { env: "GONE" } },
    destinations: [
      { kind: "filesystem", path: at("one") },
      { kind: "filesystem", path: at("two") },
    ],
    signing: { key: { env: "KEY" } },
    objectives: { recoveryPoint: "2d", recoveryTime: "30m" },
    retention: { daily: 400 },
    ...changes,
  };
  writeFileSync(at(`${name}.json`), JSON.stringify(job));
  return at(`${name}.json`);
}

function provision(...args: string[]): Promise<Ended> {
  return startProvision(args, { PATH: process.env.PATH ?? "", KEY }).ended;
}

beforeAll(() => {
  folder = new TemporaryFolder();
  const { stores } = yearOfBackups({ stack: "prod", name: "app" }, new Date(), new SigningKeys(KEY));
  for (const [index, store] of stores.entries()) writeStore(at(["one", "two"][index] ?? ""), store);
  writeJob("app");
});
afterAll(() => {
  folder.remove();
});

it("reports on a year without the database, its secret, or a connection to it", async () => {
  const began = performance.now();
  const { code, stdout, stderr } = await provision("report", "--job", at("app.json"), "--out", at("report.html"));
  const ms = performance.now() - began;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    /^Recoverable to \d{4}-\d\d-\d\d 03:00 Europe\/Berlin, .* \(objective 2 days: met\)\. Proven by a restore on /,
  );
  expect(stdout).toContain(`written: ${at("report.html")}`);
  expect(read("report.html")).toContain("2 destinations");
  expect(statSync(at("report.html")).mode & 0o777).toBe(0o600);
  // Two seconds on a machine that has nothing else to do.
  expect(ms).toBeLessThan(30_000);
});

it("is the same as JSON, as Markdown, and on the standard output", async () => {
  const job = ["--job", at("app.json")];
  expect(await provision("report", ...job, "--out", at("report.json"))).toMatchObject({ code: 0 });
  const file = JSON.parse(read("report.json")) as Report;
  expect(file).toMatchObject({ format: 1, jobs: [{ stack: "prod", job: "app", drills: { length: 52 } }] });
  expect(await provision("report", ...job, "--out", at("report.txt"), "--format", "markdown")).toMatchObject({
    code: 0,
  });
  const markdown = read("report.txt");
  expect(markdown.startsWith("# Recoverable to ")).toBe(true);
  const printed = await provision("report", ...job, "--json");
  const { madeAt, ...rest } = JSON.parse(printed.stdout) as Report;
  expect(madeAt > file.madeAt).toBe(true);
  expect(rest.jobs[0]?.calendar).toEqual(file.jobs[0]?.calendar);
  expect((await provision("report", ...job)).stdout.split("\n").slice(3)).toEqual(markdown.split("\n").slice(3));
});

it("reports on what can be read, and ends with 3, where a destination cannot", async () => {
  const destinations = [
    { kind: "filesystem", path: at("one") },
    { kind: "filesystem", path: at("app.json") },
  ];
  const job = writeJob("app-partly", { name: "app", destinations });
  const { code } = await provision("report", "--job", job, "--out", at("partly.json"));
  expect(code).toBe(3);
  const report = JSON.parse(read("partly.json")) as Report;
  expect(report.headline).toContain("1 of 2 destinations could not be read.");
  expect(report.jobs[0]?.destinations.map(({ backups, problem }) => [backups, problem === null])).toEqual([
    [365, true],
    [0, false],
  ]);
});

it("makes one page of several jobs' files, also of one whose stores are all away", async () => {
  const away = writeJob("away", { destinations: [{ kind: "filesystem", path: at("app.json") }] });
  const empty = writeJob("empty");
  const { code, stdout } = await provision("report", "--all", at("app.json"), empty, away, "--out", at("stack.html"));
  expect(code).toBe(3);
  expect(stdout).toContain("1 of 3 jobs are recoverable");
  for (const name of ["app", "empty", "away"]) expect(read("stack.html")).toContain(`>prod/${name}</h2>`);
});

describe.skipIf(!hasKeygen)("a signature", () => {
  const verify = (report: string) =>
    spawnSync(
      "ssh-keygen",
      ["-Y", "verify", "-f", at("allowed"), "-I", "prod", "-n", "provision-report", "-s", at("signed.html.sig")],
      { input: report, encoding: "utf8" },
    );

  it("is checked by ssh-keygen alone, which refuses a changed report, another key and another purpose", async () => {
    const job = ["--job", at("app.json")];
    writeFileSync(at("allowed"), (await provision("report", ...job, "--public-key")).stdout);
    expect(await provision("report", ...job, "--sign", "--out", at("signed.html"))).toMatchObject({ code: 0 });
    expect(verify(read("signed.html"))).toMatchObject({ status: 0, stdout: expect.stringContaining("Good") as string });
    expect(verify(read("signed.html").replace("Recoverable", "recoverable")).status).not.toBe(0);
    const line = read("allowed");
    writeFileSync(at("allowed"), line.replace("provision-report", "git"));
    expect(verify(read("signed.html")).status).not.toBe(0);
    const other = startProvision(["report", ...job, "--public-key"], {
      PATH: process.env.PATH ?? "",
      KEY: "12".repeat(32),
    });
    writeFileSync(at("allowed"), (await other.ended).stdout);
    expect(verify(read("signed.html")).status).not.toBe(0);
    expect(read("signed.html.sig") + line).not.toContain(KEY);
  });

  it("of a former report does not stay beside a new one", async () => {
    expect(existsSync(at("signed.html.sig"))).toBe(true);
    await provision("report", "--job", at("app.json"), "--out", at("signed.html"));
    expect(existsSync(at("signed.html.sig"))).toBe(false);
  });
});

it("is published into each destination, where it is no backup", async () => {
  const job = ["--job", at("app.json")];
  const before = (await provision("list", ...job)).stdout;
  expect(await provision("report", ...job, "--publish", "--sign")).toMatchObject({ code: 0 });
  for (const store of ["one", "two"]) {
    const published = filesIn(at(store, "prod/app")).filter((name) => name.startsWith("reports/"));
    expect(published).toEqual([
      expect.stringMatching(/^reports\/\d{8}T\d{6}Z\.html$/),
      expect.stringMatching(/^reports\/\d{8}T\d{6}Z\.html\.sig$/),
    ]);
  }
  expect((await provision("list", ...job)).stdout).toBe(before);
});

describe("publishing removes the oldest pages,", () => {
  const day = (number: number) => new Date(Date.UTC(2020, 0, number)).toISOString().slice(0, 10).replaceAll("-", "");
  const old = (number: number) => `${day(number)}T070000Z.html`;
  /** What is no page of a report before this one: it stays. */
  const others = [
    "29990101T070000Z.html",
    "20200101.html",
    "20200101T070000Z.html.bak",
    "notes.txt",
    "x/20200101T070000Z.html",
  ];

  /** The reports of a store of its own, after one more was published: those of before that are still there, and the others. */
  async function after(settings: object, ...options: string[]): Promise<{ old: string[]; others: string[] }> {
    const path = at(`kept-${randomUUID()}`);
    const reports = join(path, "prod/app/reports");
    mkdirSync(join(reports, "x"), { recursive: true });
    const names = Array.from({ length: 40 }, (_, index) => old(index + 1));
    for (const name of [...names, ...names.map((each) => `${each}.sig`), ...others])
      writeFileSync(join(reports, name), "x");
    const destinations = [{ kind: "filesystem", path }];
    const job = writeJob("kept", { name: "app", destinations, ...settings });
    const { code, stderr } = await provision("report", "--job", job, "--publish", ...options);
    expect([code, stderr]).toEqual([0, ""]);
    const left = filesIn(reports);
    return {
      old: left.filter((name) => names.includes(name.replace(/\.sig$/, ""))),
      others: left.filter((name) => others.includes(name)),
    };
  }
  const newest = (count: number) =>
    Array.from({ length: count }, (_, index) => old(40 - index))
      .flatMap((name) => [name, `${name}.sig`])
      .sort();

  it.each<[string, number, object, string[]]>([
    ["but thirty", 29, {}, []],
    ["but as many as the job says", 2, { report: { schedule: SCHEDULE, publish: true, keep: 3 } }, []],
    ["but as many as the command says", 0, { report: { schedule: SCHEDULE, publish: true, keep: 3 } }, ["--keep", "1"]],
    ["none where there are fewer", 40, {}, ["--keep", "100"]],
  ])("%s, with their signatures, and nothing else", async (_, count, settings, options) => {
    expect(await after(settings, ...options)).toEqual({ old: newest(count), others: [...others].sort() });
  });
});

describe("wrong usage ends with 2:", () => {
  it.each<[string, string[], RegExp]>([
    ["an unknown ending", ["--out", "report.pdf"], /The ending of report\.pdf names no form[\s\S]*Fix: Take \.html/],
    ["an unknown form", ["--format", "pdf"], /Allowed choices are html, markdown, json/],
    ["a signature of nothing", ["--sign"], /--sign needs a file to sign/],
    ["a folder that is not there", ["--out", "/nonexistent/report.html"], /cannot be written to \/nonexistent/],
    ["one page of several jobs in each one's store", ["--publish", "--all", "x.json"], /--publish takes one job/],
    ["a number of pages that are not published", ["--keep", "5"], /--keep says how many published pages stay/],
    ["no page that stays", ["--publish", "--keep", "0"], /It must be a whole number, at least 1\./],
  ])("%s", async (_, args, message) => {
    const { code, stderr } = await provision("report", "--job", at("app.json"), ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it("a signature without a key", async () => {
    const job = writeJob("unsigned", { signing: undefined });
    const { code, stderr } = await provision("report", "--job", job, "--sign", "--out", at("x.html"));
    expect([code, stderr]).toEqual([2, expect.stringContaining("The job has no key to sign with.")]);
  });
});
