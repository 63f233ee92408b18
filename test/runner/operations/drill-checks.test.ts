import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DrillReport } from "../../../runner/operations/drill.ts";
import { DrillRecord } from "../../../runner/backups/documents/manifest.ts";
import { unseal } from "../../../runner/backups/documents/sealed-json.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { sql } from "../../helpers/databases.ts";
import { backupFolder, makeBackup } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { filesIn } from "../../helpers/store.ts";

let server: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  server = await startPostgres();
  await sql(server, "postgres", "CREATE DATABASE shop");
  await sql(
    server,
    "shop",
    `CREATE SEQUENCE made; CREATE TABLE orders (id int PRIMARY KEY, total numeric NOT NULL, buyer text, paid boolean NOT NULL);
     INSERT INTO orders SELECT n, n * 1.50, 'buyer-' || n, n % 2 = 0 FROM generate_series(1, 10) AS n`,
  );
});
afterAll(() => server.stop());
beforeEach(() => {
  sandbox = new Sandbox(server.url("shop"), { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true } });
  sandbox.environment.DRILL_URL = server.url("postgres");
});
afterEach(() => {
  sandbox.remove();
});

/** Drills with these checks, each by its query. */
async function drillWith(...checks: object[]) {
  const named = checks.map((check, index) => ({ name: `check ${index}`, ...check }));
  Object.assign(sandbox.job, { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true, checks: named } });
  const { code, stdout, stderr } = await sandbox.run("drill", "--json");
  return { code, stderr, stdout, report: JSON.parse(stdout) as DrillReport };
}

describe("the checks of a drill", () => {
  it("pass, where each answer is the expected one, and are recorded with their seconds", async () => {
    const { id } = await makeBackup(sandbox);
    const { code, report } = await drillWith(
      { sql: "SELECT count(*) FROM orders", expect: 10 },
      { sql: "SELECT count(*) FROM orders -- all of them", atLeast: 10 },
      { sql: "SELECT sum(total) FROM orders;", expect: 82.5 },
      { sql: "SELECT id, buyer, paid, NULL FROM orders WHERE id = 2", expect: [2, "buyer-2", true, null] },
      { sql: "WITH last AS (SELECT max(id) AS id FROM orders) SELECT id FROM last", expect: "10" },
    );
    expect(report.problems).toEqual([]);
    expect([code, report.outcome]).toEqual([0, "drilled"]);
    expect(report.checks?.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    expect(report.steps).toEqual({
      restore: expect.any(Number) as number,
      compare: expect.any(Number) as number,
      checks: expect.any(Number) as number,
    });
    const folder = backupFolder(sandbox, id);
    const name = filesIn(folder).find((file) => file.startsWith("drilled-")) ?? "";
    const record = unseal(name, readFileSync(join(folder, name), "utf8"), DrillRecord);
    expect(record.checks).toEqual(report.checks);
    expect(record.seconds).toEqual(report.steps);
  });

  it.each<[string, object, RegExp]>([
    ["another number", { sql: "SELECT count(*) FROM orders", expect: 11 }, /its answer is not the expected one\.$/],
    ["too small a number", { sql: "SELECT count(*) FROM orders", atLeast: 11 }, /is no number of at least 11\.$/],
    ["no number", { sql: "SELECT buyer FROM orders WHERE id = 7", atLeast: 1 }, /is no number of at least 1\.$/],
    ["nothing", { sql: "SELECT NULL::int", atLeast: 0 }, /is no number of at least 0\.$/],
    ["another value", { sql: "SELECT buyer FROM orders WHERE id = 7", expect: "buyer-8" }, /not the expected one\.$/],
    [
      "another row",
      { sql: "SELECT id, buyer FROM orders WHERE id = 7", expect: [7, "buyer-8"] },
      /not the expected one, in column 2\.$/,
    ],
    ["an empty text in the place of 0", { sql: "SELECT ''", expect: 0 }, /not the expected one\.$/],
    ["an empty text in the place of a number", { sql: "SELECT ''", atLeast: 0 }, /is no number of at least 0\.$/],
    [
      "a number that differs in its last digit",
      { sql: "SELECT 1152921504606846977", expect: 2 ** 60 },
      /not the expected one\. A number of more than 15 digits is exact only as text/,
    ],
    ["no row", { sql: "SELECT id FROM orders WHERE id = 0", expect: 1 }, /gave no row, and must give one\.$/],
    ["two rows", { sql: "SELECT buyer FROM orders WHERE id IN (7, 8)", expect: 1 }, /gave more than one row/],
    ["two columns", { sql: "SELECT id, buyer FROM orders WHERE id = 7", expect: 7 }, /gave 2 columns, and 1 are/],
    ["a table that is not there", { sql: "SELECT count(*) FROM ordres", atLeast: 1 }, /its query got no answer\./],
    ["an error with a value", { sql: "SELECT buyer::int FROM orders WHERE id = 7", expect: 7 }, /got no answer\./],
    ["too long", { sql: "SELECT pg_sleep(30)::text", expect: "", timeoutSeconds: 1 }, /got no answer\./],
    ["a change", { sql: "SELECT nextval('made')", expect: 1 }, /got no answer\./],
    ["a second statement", { sql: "SELECT 1) AS q; DROP TABLE orders; SELECT (1", expect: 1 }, /got no answer\./],
  ])("fail, with a message and without a row's value: %s", async (_what, check, message) => {
    await makeBackup(sandbox);
    const { code, report, stdout, stderr } = await drillWith({ sql: "SELECT 1", expect: 1 }, check);
    expect([code, report.outcome]).toEqual([5, "drill-failed"]);
    expect(report.problems).toEqual([expect.stringMatching(/^The check "check 1" failed: /)]);
    expect(report.problems[0]).toMatch(message);
    expect(report.checks?.map(({ ok }) => ok)).toEqual([true, false]);
    expect(stdout + stderr).not.toContain("buyer-7");
  });
});

it("an answer of 200 MB fails its check, and the runner does not hold it", async () => {
  await makeBackup(sandbox);
  const check = { name: "long", sql: "SELECT repeat('x', 200000000)", expect: "x" };
  Object.assign(sandbox.job, { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true, checks: [check] } });
  const { child, ended } = sandbox.start("drill", "--json");
  // The most that the process has held so far: the last reading before it ends counts.
  let peak = 0;
  const reading = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid ?? 0}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000);
    } catch {
      // It has ended.
    }
  }, 10);
  const { code, stdout } = await ended.finally(() => {
    clearInterval(reading);
  });
  expect([code, stdout]).toEqual([5, expect.stringContaining("its answer is longer than 100000 characters.")]);
  expect(peak).toBeGreaterThan(30);
  expect(peak).toBeLessThan(300);
});

it("a restore that takes longer than the job promises ends the drill with 5, and is recorded", async () => {
  await sql(
    server,
    "shop",
    `CREATE FUNCTION slow(n int) RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(1.2) IS NOT NULL';
     CREATE TABLE sleepy (n int CHECK (slow(n))); INSERT INTO sleepy VALUES (1)`,
  );
  const { id } = await makeBackup(sandbox);
  Object.assign(sandbox.job, { objectives: { recoveryTime: "1s" } });
  const { code, stdout } = await sandbox.run("drill");
  expect([code, stdout]).toEqual([5, expect.stringContaining("and the objective recoveryTime is 1 s.")]);
  const folder = backupFolder(sandbox, id);
  const name = filesIn(folder).find((file) => file.startsWith("drilled-")) ?? "";
  const record = unseal(name, readFileSync(join(folder, name), "utf8"), DrillRecord);
  expect(record).toMatchObject({ outcome: "drilled", recoveryTime: { objectiveSeconds: 1, met: false } });
  Object.assign(sandbox.job, { objectives: { recoveryTime: "10m", recoveryPoint: "1d" } });
  expect((await sandbox.run("drill")).code).toBe(0);
  expect((await sandbox.run("list")).stdout).toMatch(/ {2}Recoverable to .*, \d+ s ago; the objective is 24 h\./);
});
