import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../providers/database/database.ts";
import type { DrillReport } from "../../../runner/operations/drill.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

// Drills of a job that names no server: the runner starts one, and nothing of it is left.

const SHOP = `
  CREATE TABLE orders (id int PRIMARY KEY, total numeric NOT NULL, note text);
  INSERT INTO orders SELECT i, i * 10, 'gr\u00f6\u00dfe ' || i FROM generate_series(1, 1000) AS i;
  CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 10) AS i`;

const CHECKS = [
  { name: "no order is older than the shop", sql: "SELECT min(id) FROM orders", expect: 1 },
  { name: "the total", sql: "SELECT sum(total)::bigint FROM orders", expect: 5_005_000 },
];

let source: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  source = await startPostgres();
});
afterAll(() => source.stop());
beforeEach(async () => {
  await emptyDatabase(source, "shop");
  await sql(source, "shop", SHOP);
  sandbox = new Sandbox(source.url("shop"), { drill: { checks: CHECKS } });
  // As root the server runs as another user, who must reach the scratch folder, as in /tmp.
  for (const folder of [sandbox.path, join(sandbox.path, "tmp")]) chmodSync(folder, 0o711);
});
afterEach(() => {
  // Neither a folder of the server nor a process.
  expect(readdirSync(join(sandbox.path, "tmp"))).toEqual([]);
  expect(serversIn(sandbox.path)).toEqual([]);
  sandbox.remove();
});

/** The servers whose data is below a folder, by ps: a process's arguments name it. */
function serversIn(folder: string): string[] {
  const lines = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes("postgres") && line.includes(`${folder}/tmp`));
}

/** Makes a backup of what a changed pg_dump writes, which its manifest knows nothing of. */
async function drillThrough(script: string): Promise<DrillReport> {
  sandbox.replaceClient("pg_dump", source.binDirectory, script);
  await makeBackup(sandbox);
  return printed(await sandbox.run("drill", "--json"), 5) as DrillReport;
}

describe("a drill without a target", () => {
  it("starts a server, restores, compares, asks the checks and leaves nothing", async () => {
    const { id } = await makeBackup(sandbox);
    const report = printed(await sandbox.run("drill", "--json")) as DrillReport;
    expect(report).toMatchObject({ id, outcome: "drilled", tables: 2, rows: 1010, problems: [], warnings: [] });
    expect(report.server).toMatch(/^a throwaway server of PostgreSQL \d+/);
    expect(report.checks?.map(({ ok }) => ok)).toEqual([true, true]);
    for (const seconds of [report.steps?.restore, report.steps?.compare, report.steps?.checks])
      expect(seconds).toBeGreaterThan(0);
    const { stdout } = await sandbox.run("drill");
    expect(stdout).toMatch(/2 tables with 1,010 rows in the end, on a throwaway server of PostgreSQL \d+/);
  });

  it("needs not even the word drill in the job", async () => {
    delete sandbox.job.drill;
    await makeBackup(sandbox);
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ outcome: "drilled", rows: 1010 });
  });

  it("finds a dropped table", async () => {
    const report = await drillThrough(`exec "$real" "$@" --exclude-table=public.customers`);
    expect(report.problems).toEqual([expect.stringContaining("customers")]);
  });

  it("finds a changed value, and a missing row, by a check", async () => {
    await sql(source, "shop", "UPDATE orders SET total = 0 WHERE id = 500");
    await makeBackup(sandbox);
    const changed = printed(await sandbox.run("drill", "--json"), 5) as DrillReport;
    expect(changed.checks?.map(({ ok }) => ok)).toEqual([true, false]);
    await sql(source, "shop", "DELETE FROM orders WHERE id = 1");
    await makeBackup(sandbox);
    const missing = printed(await sandbox.run("drill", "--json"), 5) as DrillReport;
    expect(missing.checks?.map(({ ok }) => ok)).toEqual([false, false]);
    expect(missing.problems).toEqual([
      expect.stringContaining("older than the shop"),
      expect.stringContaining("the total"),
    ]);
  });

  it("restores what has another encoding, and what needs the roles of the backup", async () => {
    await sql(
      source,
      "postgres",
      "CREATE DATABASE old TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    await sql(source, "postgres", "DO $$BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN END$$");
    await sql(
      source,
      "old",
      `CREATE TABLE words AS SELECT U&'gr\\00f6\\00dfe' AS word; ALTER TABLE words ENABLE ROW LEVEL SECURITY;
       CREATE POLICY all_of_it ON words TO reader USING (true)`,
    );
    sandbox.environment.APP_URL = source.url("old");
    sandbox.job.drill = {};
    await makeBackup(sandbox);
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ outcome: "drilled", tables: 1, rows: 1 });
  });

  it("ends its server when it is stopped, and when it is killed", async () => {
    sandbox.job.drill = {
      checks: [{ name: "slow", sql: "SELECT 1 FROM pg_sleep(60)", expect: 1, timeoutSeconds: 120 }],
    };
    await makeBackup(sandbox);
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const { child, ended } = sandbox.start("drill");
      await expect.poll(() => serversIn(sandbox.path)).not.toEqual([]);
      await expect
        .poll(() => execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }))
        .toContain("_reader provision_drill_");
      child.kill(signal);
      await ended;
      await expect.poll(() => serversIn(sandbox.path)).toEqual([]);
    }
    // What the kill left on disk goes with the next run, whatever that does.
    await makeBackup(sandbox);
  });

  it("is among what doctor checks, and says what this machine lacks", async () => {
    const check = async (code?: number) =>
      (printed(await sandbox.run("doctor", "--json"), code) as Check[]).find(({ name }) => name === "drill");
    expect((await check())?.detail).toContain("a throwaway server");
    const long = join(sandbox.path, "tmp", "a".repeat(90));
    mkdirSync(long);
    sandbox.environment.TMPDIR = long;
    const { code, stderr } = await sandbox.run("drill");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/is too long for the unix socket[\s\S]*Fix: .*shorter path/),
    ]);
    execFileSync("rmdir", [long]);
  });

  it.runIf(process.getuid?.() === 0)("says which folder its user cannot enter, where the runner is root", async () => {
    chmodSync(sandbox.path, 0o700);
    await makeBackup(sandbox);
    const { code, stderr } = await sandbox.run("drill");
    expect([code, stderr]).toEqual([2, expect.stringContaining(` cannot enter ${sandbox.path}.\nFix: chmod o+x`)]);
  });
});
