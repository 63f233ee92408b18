import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DrillReport } from "../../runner/drill.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { query } from "../../tools/query.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { backupFolder, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";

// Who owns a table in the source, and may do nothing else there, writes a function that does nothing at the source and in a drill tries to
// become the user of the drill's server: by COPY … TO PROGRAM, which only a superuser may. The runner's secrets stand in its environment and
// files, and other servers' data beside them, so none of that may be in that user's reach either.

const asRoot = process.getuid?.() === 0;
/** An ordinary user's drill needs it, and the restored code must have no more rights then. */
const accepted = asRoot ? {} : { acceptSharedUser: true };

let source: Postgres;
let sandbox: Sandbox;
let evidence: string;
let mallory: string;
beforeAll(async () => {
  source = await startPostgres({ superuser: "boss" });
  // At the source this name has no rights at all; a drill's server must not make it the superuser's.
  await sql(source, "postgres", "CREATE ROLE mallory LOGIN PASSWORD 'mallory-password'; CREATE ROLE postgres");
});
afterAll(() => source.stop());
beforeEach(async () => {
  await emptyDatabase(source, "shop");
  sandbox = new Sandbox(source.url("shop"), { drill: accepted });
  for (const folder of [sandbox.path, join(sandbox.path, "tmp")]) chmodSync(folder, 0o711);
  evidence = join(sandbox.path, "evidence");
  mkdirSync(evidence);
  chmodSync(evidence, 0o777);
  mallory = source.url("shop").replace(/\/\/[^@]*@/, "//mallory:mallory-password@");
});
afterEach(() => {
  sandbox.remove();
});

/** Mallory's functions: `f` may stand in any expression, and runs `run`, which tries each way to a program once it is in a drill. */
const weapon = () => `
  CREATE FUNCTION mallory.run(trick text) RETURNS boolean LANGUAGE plpgsql AS $f$
  DECLARE escape text; loot text;
  BEGIN
    IF current_database() NOT LIKE 'provision_drill_%' THEN RETURN true; END IF;
    EXECUTE format('CREATE SEQUENCE IF NOT EXISTS mallory.%I', 'ran_' || trick);
    FOREACH escape IN ARRAY ARRAY['SELECT 1', 'RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT',
      'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'ALTER ROLE CURRENT_USER SUPERUSER', 'SET ROLE boss',
      'GRANT pg_execute_server_program, pg_read_server_files, pg_write_server_files TO CURRENT_USER'] LOOP
      BEGIN EXECUTE escape; EXCEPTION WHEN OTHERS THEN NULL; END;
      BEGIN
        EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'touch ${evidence}/program-' || trick);
      EXCEPTION WHEN OTHERS THEN NULL; END;
      BEGIN
        loot := pg_read_file('/etc/passwd');
        EXECUTE format('COPY (SELECT 1) TO %L', '${evidence}/read-' || trick);
      EXCEPTION WHEN OTHERS THEN NULL; END;
      BEGIN
        EXECUTE format('COPY (SELECT 1) TO %L', '${evidence}/written-' || trick);
      EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    RETURN true;
  END $f$;
  CREATE FUNCTION mallory.f(trick text, n anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN RETURN mallory.run(trick); END';
  CREATE FUNCTION mallory.definer(n int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
    $f$BEGIN RETURN mallory.run('definer'); END$f$;`;

/** Each is evaluated by whoever restores it, many of them before any row is there. */
const TRICKS: Readonly<Record<string, string>> = {
  check: "CREATE TABLE by_check (n int CHECK (mallory.f('check', n)))",
  domain: "CREATE DOMAIN by_domain AS int CHECK (mallory.f('domain', VALUE)); CREATE TABLE of_domain (n by_domain)",
  generated: "CREATE TABLE by_generated (n int, g boolean GENERATED ALWAYS AS (mallory.f('generated', n)) STORED)",
  folded: "CREATE TABLE by_folded (n int, g boolean GENERATED ALWAYS AS (mallory.f('folded', 1)) STORED)",
  row: `CREATE TABLE by_row (n int); CREATE FUNCTION row_check(r by_row) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS $f$SELECT mallory.f('row', 1)$f$; ALTER TABLE by_row ADD CHECK (mallory.row_check(by_row.*))`,
  index: "CREATE TABLE by_index (n int); CREATE INDEX ON by_index (mallory.f('index', n))",
  key: `CREATE TABLE by_key (n int) PARTITION BY LIST ((mallory.f('key', 1)::text || n));
    CREATE TABLE of_key PARTITION OF by_key DEFAULT`,
  bound: `CREATE DOMAIN by_bound AS text CHECK (mallory.f('bound', VALUE)); CREATE TABLE bounded (n by_bound) PARTITION BY RANGE (n);
    CREATE TABLE of_bound PARTITION OF bounded FOR VALUES FROM ('0') TO ('9')`,
  default: `CREATE DOMAIN by_default AS int CHECK (mallory.f('default', VALUE));
    CREATE TABLE of_default (n int, d by_default[] DEFAULT '{1}'::by_default[])`,
  view: `CREATE DOMAIN by_view AS int CHECK (mallory.f('view', VALUE)); CREATE VIEW of_view AS SELECT '{1}'::by_view[] AS n`,
  definer: "CREATE TABLE by_definer (n int CHECK (mallory.definer(n)))",
  refresh: "CREATE MATERIALIZED VIEW by_refresh AS SELECT mallory.run('refresh') AS n",
};
const FILLED = [
  "by_check",
  "of_domain",
  "by_generated",
  "by_folded",
  "by_row",
  "by_index",
  "bounded",
  "of_default",
  "by_definer",
];

/** Makes a database in which all that a table's owner can do is tried, and one thing by what the source's superuser owns. */
async function arm(): Promise<void> {
  await sql(source, "shop", "CREATE SCHEMA mallory AUTHORIZATION mallory; GRANT USAGE ON SCHEMA mallory TO postgres");
  const statements = ["SET search_path = mallory", weapon(), ...Object.values(TRICKS)];
  await query(mallory, [...statements, ...FILLED.map((table) => `INSERT INTO ${table} VALUES (1)`)].join(";"));
  await sql(
    source,
    "shop",
    `CREATE FUNCTION public.boss(n int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $f$BEGIN RETURN mallory.run('boss'); END$f$;
     CREATE TABLE public.of_boss (n int CHECK (public.boss(n))); INSERT INTO public.of_boss VALUES (1)`,
  );
}

/** By the names of what the functions have left in the drill's database: which of them were run there at all. */
const RAN = {
  name: "each was tried",
  sql: "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'ran@_%' ESCAPE '@'",
  expect: ["boss", ...Object.keys(TRICKS)]
    .sort()
    .map((trick) => `ran_${trick}`)
    .join(" "),
};

describe("the owner of a table", () => {
  it("gets neither a program nor a file on a drill's own server, by none of the expressions that a restore evaluates", async () => {
    await arm();
    sandbox.job.drill = { ...accepted, checks: [RAN] };
    await makeBackup(sandbox);
    const ended = await sandbox.run("drill", "--json");
    expect(readdirSync(evidence)).toEqual([]);
    expect(printed(ended)).toMatchObject({ outcome: "drilled", rows: FILLED.length + 1, problems: [] });
  });

  it("gets none on a named server either: a superuser's is refused, and a role's without such rights is not", async () => {
    await arm();
    await makeBackup(sandbox);
    sandbox.job.drill = { target: { env: "DRILL_URL" } };
    sandbox.environment.DRILL_URL = source.url("postgres");
    const { code, stderr } = await sandbox.run("drill");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/The role boss .*superuser[^]*CREATE ROLE … LOGIN CREATEDB/),
    ]);
    const doctor = await sandbox.run("doctor");
    expect(doctor.stdout).toMatch(/FAIL {2}drill: The role boss /);
    await sql(
      source,
      "postgres",
      `CREATE ROLE driller LOGIN CREATEDB PASSWORD 'drill-password'; CREATE ROLE helper LOGIN CREATEDB PASSWORD 'drill-password';
       GRANT pg_execute_server_program TO helper`,
    );
    const as = (role: string) => source.url("postgres").replace(/\/\/[^@]*@/, `//${role}:drill-password@`);
    sandbox.environment.DRILL_URL = as("helper");
    expect((await sandbox.run("drill")).code).toBe(2);
    sandbox.environment.DRILL_URL = as("driller");
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({
      outcome: "drilled",
      rows: FILLED.length + 1,
    });
    expect(readdirSync(evidence)).toEqual([]);
    expect(filesIn(sandbox.path).filter((file) => file.includes("drill-failed"))).toEqual([]);
  });

  it("learns nothing through a check's name: the job's own question is asked by a role that may only read", async () => {
    await sql(source, "shop", "CREATE TABLE orders AS SELECT 1 AS n; GRANT CREATE ON SCHEMA public TO mallory");
    await query(
      mallory,
      `CREATE FUNCTION public.round(n int) RETURNS int LANGUAGE plpgsql AS
         $f$BEGIN BEGIN DELETE FROM public.orders; EXCEPTION WHEN OTHERS THEN RETURN 1; END; RETURN 2; END$f$`,
    );
    sandbox.job.drill = {
      ...accepted,
      checks: [
        { name: "shadowed", sql: "SELECT round(n) FROM orders", expect: 1 },
        {
          name: "reader",
          sql: "SELECT rolsuper, rolcreaterole, rolcreatedb, pg_has_role('pg_execute_server_program', 'MEMBER'), has_table_privilege('orders', 'INSERT, UPDATE, DELETE, TRUNCATE') FROM pg_roles WHERE rolname = session_user",
          expect: [false, false, false, false, false],
        },
        { name: "path", sql: "SELECT current_setting('search_path')", expect: '"$user", public' },
      ],
    };
    await makeBackup(sandbox);
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ outcome: "drilled", problems: [] });
  });
});
