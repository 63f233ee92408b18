import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { Sandbox } from "../helpers/sandbox.ts";

/**
 * Owners of databases that are in nothing unusual but what they were created with, and what was granted on them. What a restored one has
 * is asked of PostgreSQL's own catalogue, and of its own pg_dump.
 */
let server: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  server = await startPostgres();
  await sql(
    server,
    "postgres",
    `CREATE ROLE "Ow ner"; CREATE ROLE reader; CREATE ROLE app LOGIN; CREATE ROLE outsider LOGIN`,
  );
});
afterAll(() => server.stop());
beforeEach(() => {
  sandbox = new Sandbox(server.url("shop"));
  // A drill's own server may run as another user.
  for (const folder of [sandbox.path, join(sandbox.path, "tmp")]) chmodSync(folder, 0o711);
});
afterEach(async () => {
  sandbox.remove();
  for (const name of ["shop", 'Sh"op', "restored"])
    await sql(server, "postgres", `DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}" WITH (FORCE)`);
});

/** Partitions of people by their names, whose ranges exist in the order of ICU and of no code points: there, M is before a. */
const PEOPLE = `
  CREATE TABLE people (name text) PARTITION BY RANGE (name);
  CREATE TABLE first_half PARTITION OF people FOR VALUES FROM ('a') TO ('M');
  CREATE TABLE second_half PARTITION OF people FOR VALUES FROM ('M') TO ('zz');
  INSERT INTO people VALUES ('Anna'), ('bert'), ('Lina'), ('Nora'), ('otto')`;

/** The same, with ranges that exist in each order, and rows that belong elsewhere in another. */
const MISPLACED = `
  CREATE TABLE people (name text) PARTITION BY RANGE (name);
  CREATE TABLE middle PARTITION OF people FOR VALUES FROM ('b') TO ('p');
  INSERT INTO people VALUES ('N'), ('bert')`;

const icuDatabase = (name: string, locale = "de-DE") =>
  sql(
    server,
    "postgres",
    `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE '${locale}'`,
  );
const icu = async (): Promise<void> => {
  await icuDatabase("shop");
  await sql(server, "shop", PEOPLE);
};
const backUp = async (): Promise<void> => {
  const { code, stderr } = await sandbox.run("backup");
  expect([code, stderr]).toEqual([0, expect.any(String)]);
};
const restoreTo = (name: string, ...options: string[]) => {
  sandbox.environment.TARGET = server.url(name);
  return sandbox.run("restore", "--to", "env:TARGET", ...options);
};

it("whoever partitions by names in an ICU database drills it without a server of their own", async () => {
  await icu();
  await backUp();
  const { code, stdout, stderr } = await sandbox.run("drill");
  expect([code, stdout + stderr]).toEqual([0, expect.stringContaining("drilled")]);
});

it("whoever restores one into a database by the guide is told of the order, and of a statement that works", async () => {
  await icu();
  await backUp();
  await emptyDatabase(server, "restored");
  const plan = await restoreTo("restored", "--dry-run");
  expect(plan.stdout).toContain(
    "Text is sorted and ranged by ICU's de-DE in the backup and by code points (C) in restored",
  );
  const failed = await restoreTo("restored");
  expect(failed.code).toBe(1);
  expect(failed.stderr).not.toContain("at the source");
  // The statement of the error, of the plan and of the contents' list, as a person would run it.
  const statements = [failed.stderr, plan.stdout].map((text) => /CREATE DATABASE [^;]*/.exec(text)?.[0] ?? "");
  expect(statements[1]).toBe(statements[0]);
  const contents = await sandbox.run("list", "--contents");
  expect(contents.stdout).toContain(statements[0]?.replace('"restored"', '"shop"'));
  await sql(server, "postgres", "DROP DATABASE restored");
  await sql(server, "postgres", statements[0] ?? "");
  const done = await restoreTo("restored");
  expect([done.code, done.stderr]).toEqual([0, ""]);
  expect(done.stdout).not.toContain("sorted and ranged");
  expect(
    await sql(server, "restored", "SELECT tableoid::regclass::text AS part, name FROM people ORDER BY name"),
  ).toEqual(await sql(server, "shop", "SELECT tableoid::regclass::text AS part, name FROM people ORDER BY name"));
});

it("rows that the other order puts elsewhere are no fault of the source", async () => {
  await icuDatabase("shop");
  await sql(server, "shop", MISPLACED);
  await backUp();
  await emptyDatabase(server, "restored");
  const failed = await restoreTo("restored");
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("One that fits: CREATE DATABASE")]);
  expect(failed.stderr).not.toContain("at the source");
  expect(await sandbox.run("drill")).toMatchObject({ code: 0 });
});

it("whoever backs up several databases restores each by its own order", async () => {
  await icu();
  await icuDatabase('"Sh""op"', "sv-SE");
  Object.assign(sandbox.job, { database: { ...(sandbox.job.database as object), databases: ["shop", 'Sh"op'] } });
  await backUp();
  await emptyDatabase(server, "restored");
  const [german, swedish] = [
    await restoreTo("restored", "--dry-run", "--database", "shop"),
    await restoreTo("restored", "--dry-run", "--database", 'Sh"op'),
  ];
  expect([german.stdout, swedish.stdout]).toEqual([
    expect.stringContaining("ICU's de-DE in the backup"),
    expect.stringContaining("ICU's sv-SE in the backup"),
  ]);
});

/** Gives the database of an owner what nobody but the server's catalogue of databases has. */
const configure = (name: string) =>
  sql(
    server,
    "postgres",
    `REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO app WITH GRANT OPTION;
     GRANT CREATE ON DATABASE ${name} TO reader; ALTER DATABASE ${name} OWNER TO "Ow ner";
     ALTER DATABASE ${name} CONNECTION LIMIT 7; COMMENT ON DATABASE ${name} IS E'a; "b"\\nALTER DATABASE x OWNER TO app';
     ALTER DATABASE ${name} SET search_path = "$user", shop, public; ALTER ROLE app IN DATABASE ${name} SET work_mem = '5MB';
     ALTER DATABASE ${name} SET app.token = E'se; cr''et\\\\-4711'`,
  );
const attributesOf = (name: string) =>
  sql(
    server,
    "postgres",
    `SELECT pg_get_userbyid(datdba) AS owner, datconnlimit, shobj_description(oid, 'pg_database') AS comment,
       (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(datacl) AS item) AS acl,
       (SELECT array_agg(concat(setrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = pg_database.oid) AS settings
     FROM pg_database WHERE datname = '${name}'`,
  );
const small = async (name: string): Promise<void> => {
  await emptyDatabase(server, name);
  await sql(server, name, "CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 100) AS n");
};
const connects = (name: string, user: string) =>
  spawnSync(
    join(server.binDirectory, "psql"),
    ["--no-psqlrc", "-d", name, "-h", server.directory, "-p", String(server.port), "-U", user, "-c", "SELECT 1"],
    {
      env: { PGPASSWORD: "p", PATH: process.env.PATH ?? "" },
    },
  ).status === 0;

it.each<[string, Record<string, unknown>, string[]]>([
  ["in one transaction", {}, []],
  ["with several jobs", {}, ["--jobs", "2"]],
  ["of a dump by several workers", { jobs: 2 }, []],
])("whoever closed a database to strangers finds it closed after a restore %s", async (_, database, options) => {
  await sql(server, "postgres", "ALTER ROLE outsider PASSWORD 'p'; ALTER ROLE app PASSWORD 'p'");
  await small("shop");
  await configure("shop");
  Object.assign(sandbox.job, { database: { ...(sandbox.job.database as object), ...database } });
  await backUp();
  await emptyDatabase(server, "restored");
  expect(connects("restored", "outsider")).toBe(true);
  const plan = await restoreTo("restored", "--dry-run", ...options);
  const unpacked = "settings: named once the dump of several workers is unpacked";
  const named = [
    'REVOKE CONNECT,TEMPORARY ON DATABASE "restored" FROM PUBLIC',
    'ALTER DATABASE "restored" SET "app.token"',
  ];
  for (const step of "jobs" in database ? [unpacked] : named) expect(plan.stdout).toContain(step);
  expect((await attributesOf("restored"))[0]).toMatchObject({ owner: "postgres" });
  const done = await restoreTo("restored", ...options);
  expect([done.code, done.stderr]).toEqual([0, ""]);
  expect(await attributesOf("restored")).toEqual(await attributesOf("shop"));
  expect([connects("restored", "outsider"), connects("restored", "app")]).toEqual([false, true]);
  // No value of a setting, and no comment, stands in what was printed.
  expect(plan.stdout + done.stdout + plan.stderr).not.toMatch(/4711|5MB|a; "b"/);
});

it("whoever restores as a role with few rights hears what the server refused, and the rest is there", async () => {
  await small("shop");
  await configure("shop");
  await sql(server, "postgres", "CREATE ROLE restorer LOGIN PASSWORD 'few' CREATEDB");
  await emptyDatabase(server, "restored");
  await sql(server, "postgres", "ALTER DATABASE restored OWNER TO restorer");
  await backUp();
  const url = new URL(server.url("restored"));
  url.username = "restorer";
  url.password = "few";
  sandbox.environment.TARGET = String(url);
  const { code, stdout } = await sandbox.run("restore", "--to", "env:TARGET", "--no-owner");
  expect([code, stdout]).toEqual([0, expect.stringContaining("Owners and privileges were not restored")]);
  const [restored] = await attributesOf("restored");
  expect(restored).toMatchObject({ owner: "restorer", acl: null, datconnlimit: 7 });
  await emptyDatabase(server, "restored");
  await sql(server, "postgres", "ALTER DATABASE restored OWNER TO restorer");
  await sql(server, "shop", "ALTER TABLE orders OWNER TO restorer; GRANT ALL ON SCHEMA public TO restorer");
  await sql(server, "postgres", "DROP ROLE IF EXISTS gone; CREATE ROLE gone; GRANT CONNECT ON DATABASE shop TO gone");
  await sql(server, "shop", "ALTER DATABASE shop SET log_statement = 'none'");
  await backUp();
  await sql(server, "postgres", "REVOKE CONNECT ON DATABASE shop FROM gone; DROP ROLE gone");
  const again = await sandbox.run("restore", "--to", "env:TARGET");
  expect(again).toMatchObject({ code: 0 });
  for (const part of [
    'ALTER DATABASE "restored" OWNER TO "Ow ner": ',
    'GRANT CONNECT ON DATABASE "restored" TO gone: The database restored refused a query: role "gone" does not exist',
    'ALTER DATABASE "restored" SET log_statement: ',
  ])
    expect(again.stdout).toContain(part);
  expect((await attributesOf("restored"))[0]).toMatchObject({
    owner: "restorer",
    datconnlimit: 7,
    acl: expect.arrayContaining([expect.stringMatching(/^app=c\*\//)]) as string[],
  });
});
