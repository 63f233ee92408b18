import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Restored } from "../../../../runner/operations/restore.ts";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { query } from "../../../../tools/query.ts";
import { listed, makeBackup, printed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  for (const [name, rows] of [
    ["app", 10],
    ["App", 20],
    ["größe und co", 30],
    ["scratch", 40],
    ["copy", 0],
  ] as const) {
    const url = await emptyDatabase(postgres, name);
    await query(url, `CREATE TABLE counted AS SELECT i FROM generate_series(1, ${rows}) AS i`);
  }
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("postgres"));
});
afterEach(() => {
  sandbox.remove();
});
const choose = (choice: object): void => {
  sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, ...choice };
};

describe("several databases of one server", () => {
  it("are backed up together, and restored one by one", async () => {
    choose({ databases: "all", excludeDatabases: ["scratch", "postgres", "copy"] });
    const { id, objects } = await makeBackup(sandbox);
    expect(objects.map(({ artifact, database }) => [artifact, database])).toEqual([
      ["database-app.dump", "App"],
      ["database-app-2.dump", "app"],
      ["database-gr-e-und-co.dump", "größe und co"],
      ["roles.sql", undefined],
    ]);
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
    expect((await sandbox.run("list", "--contents")).stdout).toContain("the database größe und co");
    for (const name of ["app", "App", "größe und co"]) {
      sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
      const run = await sandbox.run("restore", "--to", "env:TARGET_URL", "--database", name, "--json");
      expect((printed(run) as Restored).database).toBe("copy");
      const { differences } = await compareDatabases(postgres.url(name), postgres.url("copy"));
      expect(differences).toEqual([]);
    }
    for (const args of [[], ["--database", "scratch"]]) {
      const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL", ...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining("holds the databases App, app, größe und co, and")]);
    }
    sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
    const drill = await sandbox.run("drill");
    expect([drill.code, drill.stderr]).toEqual([2, expect.stringContaining("holds several databases")]);
  });

  it("are chosen by name, and one at a time keeps other runs away", async () => {
    choose({ databases: ["app", "scratch"] });
    const { objects } = await makeBackup(sandbox);
    expect(objects.map(({ artifact }) => artifact)).toEqual([
      "database-app.dump",
      "database-scratch.dump",
      "roles.sql",
    ]);
    const sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'provision'";
    await expect.poll(() => query(postgres.url("postgres"), sessions)).toEqual([]);
  });

  it.each([
    [{ databases: ["app", "nosuch"] }, /no database nosuch.*has App, app/s],
    [{ databases: "all", excludeDatabases: ["nosuch"] }, /no database nosuch/],
    [{ databases: ["app"], excludeDatabases: ["app"] }, /excludeDatabases requires databases: all/],
    [{ excludeDatabases: ["app"] }, /excludeDatabases requires databases: all/],
    [{ databases: "all", exclude: ["public"] }, /require a single database/],
    [
      { databases: "all", excludeDatabases: ["app", "App", "größe und co", "scratch", "postgres", "copy"] },
      /leaves no database/,
    ],
    [{ databases: [] }, /database\.databases/],
  ])("%j is refused", async (choice, message) => {
    choose(choice);
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it("one of which the role may not connect to are refused, unless that one is left out", async () => {
    await query(
      postgres.url("postgres"),
      `CREATE ROLE limited LOGIN PASSWORD 'limited-pw' IN ROLE pg_read_all_data; REVOKE CONNECT ON DATABASE scratch FROM PUBLIC`,
    );
    const url = new URL(postgres.url("postgres"));
    [url.username, url.password] = ["limited", "limited-pw"];
    sandbox.environment.APP_URL = url.href;
    choose({ databases: "all" });
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([4, expect.stringContaining("may not connect to scratch")]);
    choose({ databases: "all", excludeDatabases: ["scratch"] });
    expect(await makeBackup(sandbox)).toMatchObject({ status: "ok" });
  });

  it("need no more sessions than one of them, however many there are", { timeout: 180_000 }, async () => {
    // A role that is no superuser may have three of these six.
    const small = await startPostgres({ settings: { max_connections: "6" } });
    try {
      const names = Array.from({ length: 12 }, (_, index) => `tenant ${index}`);
      for (const name of names)
        await query(await emptyDatabase(small, name), `CREATE TABLE mine AS SELECT '${name}' AS name`);
      await query(
        small.url("postgres"),
        "CREATE ROLE limited LOGIN PASSWORD 'limited-pw' IN ROLE pg_read_all_data; ALTER DATABASE \"tenant 3\" CONNECTION LIMIT 1",
      );
      const url = new URL(small.url("postgres"));
      [url.username, url.password] = ["limited", "limited-pw"];
      sandbox.environment.APP_URL = url.href;
      choose({ databases: "all" });
      const doctor = await sandbox.run("doctor");
      expect([doctor.code === 0, doctor.stdout]).toEqual([
        false,
        expect.stringMatching(/a run takes 3 sessions.*and 2 are free/),
      ]);
      await query(small.url("postgres"), 'ALTER DATABASE "tenant 3" CONNECTION LIMIT -1');
      expect((await sandbox.run("doctor")).stdout).toMatch(/a run takes 3 sessions.*and 3 are free/);
      const { id, objects } = await makeBackup(sandbox);
      expect(objects).toHaveLength(14);
      sandbox.environment.TARGET_URL = await emptyDatabase(small, "target");
      expect(await sandbox.run("restore", id, "--to", "env:TARGET_URL", "--database", "tenant 11")).toMatchObject({
        code: 0,
      });
      expect(await query(small.url("target"), "SELECT name FROM mine")).toEqual([{ name: "tenant 11" }]);
      // With workers there are not enough, which is said before anything is dumped.
      choose({ databases: "all", jobs: 4 });
      const more = await sandbox.run("doctor");
      expect(more.stdout).toMatch(/a run takes 7 sessions.*and 3 are free/);
    } finally {
      await small.stop();
    }
  });

  it("are refused before the first is dumped where one of them cannot be", async () => {
    await query(
      postgres.url("scratch"),
      "CREATE TABLE hidden (i int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; INSERT INTO hidden VALUES (1)",
    );
    await query(
      postgres.url("postgres"),
      "CREATE ROLE cautious LOGIN PASSWORD 'cautious-pw' IN ROLE pg_read_all_data; GRANT CONNECT ON DATABASE scratch TO cautious",
    );
    const url = new URL(postgres.url("postgres"));
    [url.username, url.password] = ["cautious", "cautious-pw"];
    sandbox.environment.APP_URL = url.href;
    choose({ databases: ["app", "scratch"] });
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([4, expect.stringContaining("may hide rows")]);
    expect(stderr).not.toContain("database-app.dump");
  });

  it("each end their session, also where a run is interrupted in the midst of one", async () => {
    choose({ databases: ["app", "App"] });
    const gate = join(sandbox.path, "waiting");
    sandbox.replaceClient(
      "pg_dump",
      postgres.binDirectory,
      `case "$*" in *--format*) touch "${gate}"; sleep 60;; esac; exec "$real" "$@"`,
    );
    const { child, ended } = sandbox.start("backup");
    await expect.poll(() => existsSync(gate), { timeout: 20_000 }).toBe(true);
    // Its lock is in the first of the databases, not in the URL's.
    const doctor = await sandbox.run("doctor");
    expect(doctor.stdout).toMatch(/FAIL +lock: Another run of test\/app holds/);
    child.kill("SIGTERM");
    expect((await ended).code).not.toBe(0);
    const sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'provision'";
    await expect.poll(() => query(postgres.url("postgres"), sessions)).toEqual([]);
  });
});
