import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Postgres, startPostgres } from "../../tools/postgres.ts";
import { emptyDatabase, relationCount, sql } from "../helpers/databases.ts";
import { canSeeProcesses, processes } from "../helpers/processes.ts";
import { hasProgram } from "../helpers/programs.ts";
import { makeBackup } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";

const consequence = "the ends of programs whose runner was killed are not tested";
const can = hasProgram("setpriv", consequence) && canSeeProcesses(consequence);

/** Names of this process's own: they distinguish its programs from everybody else's. */
const SOURCE = `slow_${process.pid}`;
const TARGET = `target_${process.pid}`;

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, SOURCE);
  // Restoring a row takes a tenth of a second, and dumping it no time. A row is large: when its sender was killed, the server
  // still works off what the connection holds, which is some MB, and so at most some dozens of rows.
  await sql(
    postgres,
    SOURCE,
    `CREATE TABLE slow AS SELECT i, repeat('x', 100000) AS text FROM generate_series(1, 500) AS i;
     CREATE TABLE long (text text); ALTER TABLE long ALTER text SET STORAGE EXTERNAL; INSERT INTO long VALUES (repeat('x', 3000));
     CREATE FUNCTION wait(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
     ALTER TABLE slow ADD CHECK (public.wait(i));
     CREATE OR REPLACE FUNCTION wait(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN true; END'`,
  );
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url(SOURCE));
});
afterEach(() => {
  sandbox.remove();
});

/** The processes of PostgreSQL's programs that work with one of the databases, workers too. */
const programs = () =>
  processes().filter(
    ({ command }) =>
      /\/pg_(dump|restore)( |$)/.test(command) && [SOURCE, TARGET].some((name) => command.includes(name)),
  );
const sessions = (database: string, query: string) =>
  sql<{ pid: number }>(
    postgres,
    "postgres",
    `SELECT pid FROM pg_stat_activity WHERE datname = '${database}' AND query LIKE '${query}%' AND state = 'active'`,
  );

describe.runIf(can)("kill -9 of the runner ends", { timeout: 120_000 }, () => {
  it.each([1, 2])("pg_dump with %i job(s), which waits for the server, and the next run tidies up", async (jobs) => {
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs };
    // Nobody may read long values while their index is made again, so that pg_dump waits for a row that does not come.
    const other = new Client({ connectionString: postgres.url(SOURCE) });
    await other.connect();
    try {
      const [index] = (
        await other.query<{ name: string }>(
          `SELECT indexrelid::regclass AS name FROM pg_index
           WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'long'::regclass)`,
        )
      ).rows;
      await other.query(`BEGIN; REINDEX INDEX ${index?.name}`);
      const { child, ended } = sandbox.start("backup");
      await expect.poll(() => sessions(SOURCE, "COPY public.long")).toHaveLength(1);
      expect(programs().length).toBeGreaterThanOrEqual(jobs);
      child.kill("SIGKILL");
      await ended;
      await expect.poll(programs).toEqual([]);
    } finally {
      await other.end();
    }
    await expect.poll(() => sessions(SOURCE, "COPY")).toEqual([]);
    await makeBackup(sandbox);
    expect(readdirSync(join(sandbox.path, "tmp"))).toEqual([]);
  });

  it.each([
    ["of a stream", 1, 1],
    ["of a directory archive with one job", 2, 1],
    ["with several jobs", 1, 2],
  ])("pg_restore %s, and nobody finds a half of a database under its name", async (_what, dumpJobs, jobs) => {
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs: dumpJobs };
    await makeBackup(sandbox);
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, TARGET);
    const { child, ended } = sandbox.start("restore", "--to", "env:TARGET_URL", "--jobs", String(jobs));
    await expect
      .poll(() => sql(postgres, "postgres", "SELECT FROM pg_stat_activity WHERE query LIKE 'COPY public.slow%'"))
      .toHaveLength(1);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(programs).toEqual([]);
    const working = "SELECT FROM pg_stat_activity WHERE query LIKE 'COPY public.%' AND state = 'active'";
    await expect.poll(() => sql(postgres, "postgres", working)).toEqual([]);
    const named = await sql<{ datname: string }>(
      postgres,
      "postgres",
      `SELECT datname FROM pg_database WHERE datname LIKE '${TARGET}%'`,
    );
    for (const { datname } of named) {
      if (datname === TARGET) expect(await relationCount(postgres, TARGET)).toBe(0);
      else expect(datname).toMatch(/_incomplete_/);
      await sql(postgres, "postgres", `DROP DATABASE "${datname}" WITH (FORCE)`);
    }
  });
});
