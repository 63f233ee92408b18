import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { serverError } from "../../../providers/database/postgres/messages/server-errors.ts";
import { Manifest } from "../../../runner/backups/documents/manifest.ts";
import { seal, unseal } from "../../../runner/backups/documents/sealed-json.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { flipBit } from "../../helpers/damage.ts";
import { emptyDatabase, relationCount, sql } from "../../helpers/databases.ts";
import { eventually } from "../../helpers/eventually.ts";
import { backupFolder, makeBackup } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS n");
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  sandbox = new Sandbox(postgres.url("shop"));
  await emptyDatabase(postgres, "target");
  sandbox.environment.TARGET_URL = postgres.url("target");
});
afterEach(() => {
  sandbox.remove();
});

const reached = (): string => join(sandbox.path, "reached");
const untilReached = (): Promise<void> =>
  eventually(() => {
    expect(existsSync(reached())).toBe(true);
  });

it("an interrupted parallel restore says what it leaves, and how to start again", async () => {
  await makeBackup(sandbox);
  sandbox.replaceClient(
    "pg_restore",
    postgres.binDirectory,
    `case "$*" in *--jobs=*) touch ${reached()}; exec sleep 60 ;; *) exec "$real" "$@" ;; esac`,
  );
  const { child, ended } = sandbox.start("restore", "--to", "env:TARGET_URL", "--jobs", "2");
  await untilReached();
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  const [{ name } = { name: "" }] = await sql<{ name: string }>(
    postgres,
    "postgres",
    "SELECT datname AS name FROM pg_database WHERE datname LIKE 'target\\_incomplete%'",
  );
  expect([code, name]).toEqual([143, expect.stringMatching(/^target_incomplete_/)]);
  expect(stderr).toContain(`is in the database ${name}; none is named target now. Interrupted by SIGTERM.`);
  const [, drop = "", create = ""] =
    /^Fix: .*To try again: (DROP DATABASE .*?); (CREATE DATABASE .*?); /m.exec(stderr) ?? [];
  // What it says does it.
  await sql(postgres, "postgres", drop.replace(/$/, " WITH (FORCE)"));
  await sql(postgres, "postgres", create);
  expect(await relationCount(postgres, "target")).toBe(0);
});

it.each([
  ["in one transaction, once that has committed", 1, `"$real" "$@" || exit 1; touch $reached; exec sleep 60`],
  // A session in the database, so that it cannot be renamed at once. It and the mark outlive the program in sessions of their own.
  [
    "with two jobs, before its database has its name again",
    2,
    `"$real" "$@" || exit 1
    for each in "$@"; do case $each in --dbname=*) setsid psql -X -q "\${each#--dbname=}" -c "SELECT pg_sleep(4)" > /dev/null 2>&1 & esac; done
    setsid sh -c "sleep 1; touch $reached" > /dev/null 2>&1 & sleep 0.5`,
  ],
])("a restore that is interrupted after its last row ends as done: %s", async (_when, jobs, script) => {
  await makeBackup(sandbox);
  const restores = `*--jobs=* | *--single-transaction*) reached=${reached()}; ${script} ;;`;
  sandbox.replaceClient("pg_restore", postgres.binDirectory, `case "$*" in ${restores} *) exec "$real" "$@" ;; esac`);
  const { child, ended } = sandbox.start("restore", "--to", "env:TARGET_URL", "--jobs", String(jobs));
  await untilReached();
  child.kill("SIGTERM");
  const { code, stdout, stderr } = await ended;
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^restored \S+ from /);
  expect(await sql(postgres, "target", "SELECT count(*)::int FROM orders")).toEqual([{ count: 1000 }]);
});

it("a restore that is interrupted before leaves the target as it was, and says so where it can", async () => {
  await makeBackup(sandbox);
  const script = `case "$*" in *--single-transaction*) touch ${reached()}; exec sleep 60 ;; *) exec "$real" "$@" ;; esac`;
  sandbox.replaceClient("pg_restore", postgres.binDirectory, script);
  const { child, ended } = sandbox.start("restore", "--to", "env:TARGET_URL");
  await untilReached();
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  expect(code).toBe(143);
  expect(stderr).toContain("Interrupted by SIGTERM.");
  expect(await relationCount(postgres, "target")).toBe(0);
});

it("a restore whose connections break says what pg_restore said, and what the target holds", async () => {
  await makeBackup(sandbox);
  sandbox.replaceClient(
    "pg_restore",
    postgres.binDirectory,
    `touch ${reached()}; cat > /dev/null; while [ -e ${reached()} ]; do sleep 0.1; done; echo "pg_restore: error: its own words" >&2; exit 1`,
  );
  const { ended } = sandbox.start("restore", "--to", "env:TARGET_URL");
  await untilReached();
  const killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'";
  expect((await sql(postgres, "postgres", killed)).length).toBeGreaterThan(0);
  await sql(postgres, "postgres", `SELECT pg_sleep(0.5)`);
  rmSync(reached());
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/Nothing was restored, and target is empty as before: pg_restore .*its own words/);
  expect(stderr).not.toContain("queryable");
});

it("a server that wants a password which the URL lacks is said to", async () => {
  sandbox.environment.APP_URL = `postgres://postgres@127.0.0.1:${postgres.port}/shop`;
  const { code, stderr } = await sandbox.run("backup");
  expect(code).toBe(4);
  expect(stderr).toMatch(/127\.0\.0\.1:\d+ requires a password for the role postgres, and the connection URL has none/);
  expect(stderr).toMatch(/^Fix: Put it into the connection URL.*postgresql:\/\/user:password@host/m);
  expect(stderr).not.toContain("SASL");
});

it("latest, where all backups are damaged, says that they are", async () => {
  const { id } = await makeBackup(sandbox);
  flipBit(join(backupFolder(sandbox, id), "database.dump.zst"));
  expect((await sandbox.run("verify")).code).toBe(5);
  const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
  expect(code).toBe(2);
  expect(stderr).toContain("has no undamaged backup of test/app");
  expect(stderr).toMatch(new RegExp(`^Fix: All 1 that it has are damaged, the newest of them ${id}`, "m"));
});

describe("a manifest whose versions are none", () => {
  it.each(["clientVersion", "serverVersion"] as const)("in %s is said to be damaged", async (field) => {
    const { id } = await makeBackup(sandbox);
    const file = join(backupFolder(sandbox, id), "manifest.json");
    const manifest = unseal("manifest.json", readFileSync(file, "utf8"), Manifest);
    const { stack, job, ...rest } = { ...manifest, database: { ...manifest.database, [field]: "of old" } };
    writeFileSync(file, seal({ ...rest, stack, job }));
    sandbox.job.drill = { target: { env: "DRILL_URL" }, acceptSharedUser: true };
    sandbox.environment.DRILL_URL = postgres.url("postgres");
    const command = field === "clientVersion" ? ["restore", id, "--to", "env:TARGET_URL"] : ["drill", id];
    const { code, stderr } = await sandbox.run(...command);
    expect([code, stderr]).toEqual([5, expect.stringContaining('manifest has "of old" as a version of PostgreSQL')]);
    expect(stderr).not.toContain("NaN");
  });
});

it("a database that is dropped while several are backed up is named", async () => {
  await emptyDatabase(postgres, "zoo");
  sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, databases: ["shop", "zoo"] };
  sandbox.replaceClient(
    "pg_dump",
    postgres.binDirectory,
    `case "$*" in *shop*) touch ${reached()}; while [ -e ${reached()} ]; do sleep 0.1; done ;; esac; exec "$real" "$@"`,
  );
  const { ended } = sandbox.start("backup");
  await untilReached();
  await sql(postgres, "postgres", "DROP DATABASE zoo WITH (FORCE)");
  rmSync(reached());
  const { code, stderr } = await ended;
  expect(code).toBe(4);
  // Each database is connected to when its turn comes.
  expect(stderr).toMatch(/^provision: Cannot connect to .*: database "zoo" does not exist/m);
  expect(stderr).not.toContain("invalid snapshot identifier");
});

it("a scratch folder that is gone during a dump by several workers is named", async () => {
  sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs: 2 };
  sandbox.replaceClient(
    "pg_dump",
    postgres.binDirectory,
    'for each in "$@"; do case "$each" in --file=*) folder="${each#--file=}" ;; esac; done; "$real" "$@" && rm -r "$folder"',
  );
  const { code, stderr } = await sandbox.run("backup");
  expect(code).toBe(4);
  expect(stderr).toMatch(/^provision: pg_dump's scratch folder \S+provision-scratch-\S+ cannot be read: ENOENT/m);
  expect(stderr).not.toContain("scandir");
});

it("a text that is not valid in its encoding is reported without its bytes, with its database and with what to do", () => {
  const told = serverError(
    { severity: "ERROR", code: "22021", message: 'invalid byte sequence for encoding "UTF8": 0xe9 0x74 0xe9' },
    "The database shop refused a query",
    [],
  );
  expect(told.message).toMatch(
    /^The database shop refused a query: invalid byte sequence for encoding "UTF8" \(SQLSTATE 22021/,
  );
  expect(told.message).not.toContain("0xe9");
  expect(told.fix).toContain("ALTER … RENAME");
});
