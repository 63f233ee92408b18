import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../providers/database/database.ts";
import { DrillRecord, Manifest } from "../../../runner/backups/documents/manifest.ts";
import type { DrillReport } from "../../../runner/operations/drill.ts";
import { seal, unseal } from "../../../runner/backups/documents/sealed-json.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { flipBit } from "../../helpers/damage.ts";
import { sql } from "../../helpers/databases.ts";
import { backupFolder, listed, makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { filesIn } from "../../helpers/store.ts";
import { SentryIngest } from "../../../tools/services/sentry-ingest.ts";

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

let source: Postgres;
let server: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  [source, server] = await Promise.all([startPostgres(), startPostgres()]);
  await createSampleDatabase(source.url("shop"), { megabytes: 2 });
  // A policy needs its role wherever it is restored.
  await sql(
    source,
    "shop",
    `CREATE ROLE reader; CREATE TABLE "odd ""table""" (); INSERT INTO "odd ""table""" DEFAULT VALUES;
     CREATE TABLE secured AS SELECT 1 AS n; ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
     CREATE POLICY all_of_it ON secured TO reader USING (true)`,
  );
  await sql(server, "postgres", "CREATE ROLE driller LOGIN CREATEDB CREATEROLE PASSWORD 'drill-password'");
});
afterAll(() => Promise.all([source.stop(), server.stop()]));
beforeEach(() => {
  sandbox = new Sandbox(source.url("shop"), { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true } });
  sandbox.environment.DRILL_URL = server.url("postgres");
});
afterEach(async () => {
  sandbox.remove();
  expect(await scratchDatabases()).toEqual([]);
  expect(await drillRoles()).toEqual([]);
});

async function scratchDatabases(): Promise<string[]> {
  const query = "SELECT datname AS name FROM pg_database WHERE datname LIKE 'provision%'";
  return (await sql<{ name: string }>(server, "postgres", query)).map(({ name }) => name);
}

async function drillRoles(): Promise<string[]> {
  const query = "SELECT rolname AS name FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE '%drill%'";
  return (await sql<{ name: string }>(server, "postgres", query)).map(({ name }) => name);
}

/** Makes a backup of what a changed pg_dump writes. */
async function backupThrough(script: string): Promise<string> {
  sandbox.replaceClient("pg_dump", source.binDirectory, script);
  return (await makeBackup(sandbox)).id;
}

function records(id: string): string[] {
  return filesIn(backupFolder(sandbox, id)).filter((file) => file.startsWith("drill"));
}

describe("a drill", () => {
  it("restores the newest verified backup, compares it, records that and leaves nothing on the server", async () => {
    const { id } = await makeBackup(sandbox);
    await sleep(1000 - (Date.now() % 1000));
    const { id: unread } = await makeBackup(sandbox, "--no-verify");
    const report = printed(await sandbox.run("drill", "--json")) as DrillReport;
    expect(report).toMatchObject({ id, outcome: "drilled", problems: [], recorded: true });
    expect(report.warnings).toEqual([
      expect.stringMatching(`^newer, not used: ${unread} in .*: it was never read back$`),
    ]);
    expect(report.tables).toBeGreaterThan(12);
    expect(report.rows).toBeGreaterThan(1000);
    const [file = ""] = records(id);
    expect(file).toMatch(/^drilled-\d{8}T\d{6}Z\.json$/);
    const record = unseal(file, readFileSync(join(backupFolder(sandbox, id), file), "utf8"), DrillRecord);
    expect(record).toMatchObject({ id, outcome: "drilled", tables: report.tables, rows: report.rows });
    expect(await listed(sandbox)).toMatchObject([
      { id, state: "verified", drill: { outcome: "drilled" } },
      { state: "unverified", drill: null },
    ]);
    const { stdout } = await sandbox.run("list");
    expect(stdout).toMatch(new RegExp(`${id} +verified .* drilled \\d{4}-\\d\\d-\\d\\d\n`));
  });

  it("needs no more than CREATEDB and CREATEROLE, and the identity of an encrypted backup", async () => {
    sandbox.job.encryption = { recipients: [recipient] };
    const { id } = await makeBackup(sandbox);
    sandbox.environment.AGE_IDENTITY = identity;
    sandbox.environment.DRILL_URL = server.url("postgres").replace(/postgres:[^@]*@/, "driller:drill-password@");
    expect(printed(await sandbox.run("drill", id, "--identity", "env:AGE_IDENTITY", "--json"))).toMatchObject({
      id,
      outcome: "drilled",
    });
    const refused = await sandbox.run("drill");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("there is no identity")]);
    expect(records(id)).toHaveLength(1);
  });

  it("counts all rows of a table that forces row security upon its owner, as a role that has no way around it", async () => {
    await sql(
      source,
      "shop",
      `CREATE TABLE forced AS SELECT n FROM generate_series(1, 7) AS n; ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
       ALTER TABLE forced FORCE ROW LEVEL SECURITY; CREATE POLICY none ON forced USING (false)`,
    );
    try {
      await makeBackup(sandbox);
      sandbox.environment.DRILL_URL = server.url("postgres").replace(/postgres:[^@]*@/, "driller:drill-password@");
      const { code, stdout } = await sandbox.run("drill", "--json");
      expect([code, JSON.parse(stdout)]).toMatchObject([0, { outcome: "drilled", problems: [] }]);
    } finally {
      await sql(source, "shop", "DROP TABLE forced");
    }
  });

  it("takes a database of another encoding, and one that subscribes to another", async () => {
    await sql(
      source,
      "postgres",
      "CREATE DATABASE old TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    await sql(source, "old", "CREATE TABLE words AS SELECT U&'gr\\00f6\\00dfe' AS word");
    await sql(
      source,
      "old",
      "CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    );
    sandbox.environment.APP_URL = source.url("old");
    await makeBackup(sandbox);
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ outcome: "drilled", tables: 1, rows: 1 });
    expect(await sql(server, "postgres", "SELECT subname FROM pg_subscription")).toEqual([]);
  });

  it("is among what doctor checks", async () => {
    const checks = printed(await sandbox.run("doctor", "--json")) as Check[];
    expect(checks.filter(({ name }) => name === "drill")).toMatchObject([{ ok: true }]);
    sandbox.environment.DRILL_URL = server.url("postgres").replace(server.password, "wrong");
    const { code, stdout } = await sandbox.run("doctor");
    expect([code, stdout]).toEqual([2, expect.stringMatching(/FAIL {2}drill: .*password authentication failed/)]);
  });

  it("tells the monitors: a step, an error, and the age of the newest drilled backup in the next run", async () => {
    const ingest = new SentryIngest("public");
    await ingest.start();
    try {
      sandbox.job.monitor = [
        { kind: "sentry", dsn: { env: "DSN" } },
        { kind: "log", metrics: "cloudwatch" },
      ];
      sandbox.job.schedule = { cron: "0 3 * * *" };
      sandbox.environment.DSN = ingest.dsn;
      await makeBackup(sandbox);
      expect((await sandbox.run("drill")).code).toBe(0);
      expect(ingest.spans.map(({ name }) => name)).toEqual(expect.arrayContaining(["drill", "restore", "compare"]));
      // A drill is no backup: the monitor of the schedule hears nothing of it.
      expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "ok"]);
      const { stderr } = await sandbox.run("backup");
      expect(stderr).toMatch(/"NewestDrilledAge":\d+/);
    } finally {
      await ingest.stop();
    }
    expect(ingest.refusals).toEqual([]);
  });
});

describe("a drill fails, says why and records it,", () => {
  it("where rows are missing that the archive has", async () => {
    const { id } = await makeBackup(sandbox);
    // What pg_restore is given misses a table's rows: as if it had failed without a word.
    const drop = `case "$*" in *--single-transaction*) "$real" "$@" && PGOPTIONS= psql -q -c 'DELETE FROM secured' ;; *) exec "$real" "$@" ;; esac`;
    sandbox.replaceClient(
      "pg_restore",
      source.binDirectory,
      drop.replace("psql", `PGDATABASE=$(echo "$1" | sed "s/.*dbname='\\(.*\\)'/\\1/") psql`),
    );
    const report = printed(await sandbox.run("drill", "--json"), 5) as DrillReport;
    expect(report).toMatchObject({
      outcome: "drill-failed",
      problems: ["The table public.secured has 1 row in the archive, and 0 were restored."],
    });
    expect(records(id)).toEqual([expect.stringMatching(/^drill-failed-/)]);
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified", drill: { outcome: "drill-failed" } }]);
    expect((await sandbox.run("list")).stdout).toContain("DRILL FAILED");
  });

  it("where the archive lacks a table of the manifest, or a table's rows", async () => {
    await backupThrough(
      'case "$*" in *--snapshot*) exec "$real" "$@" --exclude-table=secured --exclude-table-data=\'"odd ""table"""\' ;; *) exec "$real" "$@" ;; esac',
    );
    const report = printed(await sandbox.run("drill", "--json"), 5) as DrillReport;
    expect([...report.problems].sort()).toEqual([
      'The table public.odd "table" has no data in the archive.',
      "The table public.secured was not restored.",
    ]);
  });

  it("where the stored bytes are damaged", async () => {
    const { id } = await makeBackup(sandbox);
    flipBit(join(backupFolder(sandbox, id), "database.dump.zst"));
    const { code, stdout } = await sandbox.run("drill");
    expect([code, stdout]).toEqual([5, expect.stringMatching(/DRILL FAILED[\s\S]*database\.dump\.zst: /)]);
  });

  it("where what is in it cannot be restored, although every byte of it is right", async () => {
    // Every dump of this is whole, and none can be restored: the rows come before those that their check looks for.
    await sql(
      source,
      "shop",
      `CREATE TABLE z_parents AS SELECT 1 AS n;
       CREATE FUNCTION has_parent(int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.z_parents WHERE n = $1)';
       CREATE TABLE a_children (n int CHECK (has_parent(n))); INSERT INTO a_children VALUES (1)`,
    );
    const { id } = await makeBackup(sandbox);
    await sql(source, "shop", "DROP TABLE a_children; DROP FUNCTION has_parent; DROP TABLE z_parents");
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
    const { problems } = printed(await sandbox.run("drill", "--json"), 5) as DrillReport;
    expect(problems).toEqual([expect.stringContaining('violates check constraint "a_children_n_check"')]);
    expect(records(id)).toHaveLength(1);
  });
});

describe("a drill cannot be carried out, and records nothing,", () => {
  it.each<[string, number, () => void, RegExp]>([
    [
      "with a server that is not there",
      1,
      () => (sandbox.environment.DRILL_URL = "postgres://u@127.0.0.1:1/postgres"),
      /Cannot connect to 127\.0\.0\.1:1/,
    ],
    [
      "with a role that may create no database",
      1,
      () => (sandbox.environment.DRILL_URL = server.url("postgres").replace(/postgres:[^@]*@/, "poor:drill-password@")),
      /No scratch database can be created[\s\S]*CREATEDB/,
    ],
    [
      "with a role that may create no role",
      1,
      () => (sandbox.environment.DRILL_URL = server.url("postgres").replace(/postgres:[^@]*@/, "half:drill-password@")),
      /lacks roles of the backup, .*reader.*cannot be created[\s\S]*CREATEROLE/,
    ],
  ])("%s", async (_what, expected, change, message) => {
    await sql(
      server,
      "postgres",
      `DO $$ BEGIN CREATE ROLE poor LOGIN PASSWORD 'drill-password'; CREATE ROLE half LOGIN CREATEDB PASSWORD 'drill-password';
       EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    const { id } = await makeBackup(sandbox);
    change();
    const { code, stderr } = await sandbox.run("drill");
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
    expect(records(id)).toEqual([]);
  });

  it("where nothing was verified", async () => {
    await makeBackup(sandbox, "--no-verify");
    const { code, stderr } = await sandbox.run("drill");
    expect([code, stderr]).toEqual([2, expect.stringContaining("has no verified backup of test/app")]);
    expect(printed(await sandbox.run("drill", "latest", "--json"))).toMatchObject({ outcome: "drilled" });
  });

  it("on a server that is older than the backup's", async () => {
    const { id } = await makeBackup(sandbox);
    const file = join(backupFolder(sandbox, id), "manifest.json");
    const manifest = unseal(file, readFileSync(file, "utf8"), Manifest);
    writeFileSync(file, seal({ ...manifest, database: { ...manifest.database, serverVersion: "99.1" } }));
    const { code, stderr } = await sandbox.run("drill");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/is PostgreSQL 1\d.*of the newer 99\.1[\s\S]*Name a server/),
    ]);
  });
});

describe("an interrupted drill", () => {
  /** Makes pg_restore wait for ever when it restores; says when it has begun. */
  function makeRestoreHang(): () => Promise<void> {
    const begun = join(sandbox.path, "begun");
    const wait = `touch '${begun}'; while [ -d '${sandbox.path}' ]; do sleep 0.05; done`;
    sandbox.replaceClient(
      "pg_restore",
      source.binDirectory,
      `case "$*" in *--single-transaction*) ${wait} ;; *) exec "$real" "$@" ;; esac`,
    );
    return async () => {
      while (!existsSync(begun)) await sleep(10);
    };
  }

  it("drops its database at SIGTERM", async () => {
    const { id } = await makeBackup(sandbox);
    const begun = makeRestoreHang();
    const run = sandbox.start("drill");
    await begun();
    expect(await scratchDatabases()).toHaveLength(1);
    run.child.kill("SIGTERM");
    expect((await run.ended).code).toBe(143);
    expect(records(id)).toEqual([]);
  });

  it("by kill -9 leaves a database that a later drill drops when it is a day old, and not before", async () => {
    const { id } = await makeBackup(sandbox);
    const begun = makeRestoreHang();
    const run = sandbox.start("drill");
    await begun();
    run.child.kill("SIGKILL");
    await run.ended;
    const [left = ""] = await scratchDatabases();
    expect(left).toMatch(/^provision_drill_\d{8}t\d{6}z_[0-9a-f]{6}$/);
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" } };
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ id, outcome: "drilled", warnings: [] });
    expect(await scratchDatabases()).toEqual([left]);
    await sql(server, "postgres", `ALTER DATABASE "${left}" RENAME TO provision_drill_20200102t030405z_abcdef`);
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({
      outcome: "drilled",
      warnings: [
        expect.stringContaining("Dropped the scratch database provision_drill_20200102t030405z_abcdef") as string,
      ],
    });
  });

  it("of another job that is still going on is left alone, and so are the roles that it needs", async () => {
    await makeBackup(sandbox);
    const begun = makeRestoreHang();
    const run = sandbox.start("drill");
    await begun();
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" } };
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ outcome: "drilled", warnings: [] });
    expect(await drillRoles()).toContain("reader");
    run.child.kill("SIGTERM");
    expect((await run.ended).code).toBe(143);
  });
});
