import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBackup, plainLayout } from "../../../../../providers/database/postgres/dump/backup.ts";
import { checkPostgres } from "../../../../../providers/database/postgres/check.ts";
import { parseConnectionUrl } from "../../../../../providers/database/postgres/connect/connection-url.ts";
import type { PostgresSettings } from "../../../../../providers/database/postgres/settings.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { emptyDatabase } from "../../../../helpers/databases.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { store } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

describe("a server with few locks", { timeout: 120_000 }, () => {
  let server: Postgres;
  let folder: string;
  let url: string;
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_locks_per_transaction: "10", max_connections: "20" } });
    folder = mkdtempSync(join(tmpdir(), "provision-many-"));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    url = await emptyDatabase(server, "many");
  });

  /** Each statement is a transaction of its own, because one could not lock all that it makes either. */
  const makeTables = (
    count: number,
    first = 0,
    statement = (i: number) => `CREATE TABLE t${i} AS SELECT ${i} AS i`,
  ) => {
    const statements = Array.from({ length: count }, (_, i) => statement(first + i));
    execFileSync(join(server.binDirectory, "psql"), ["-qX", "-v", "ON_ERROR_STOP=1", url], {
      input: statements.join(";\n"),
    });
  };
  const settingsOf = (jobs: number) =>
    ({
      connection: parseConnectionUrl(url),
      lockTimeoutSeconds: 5,
      clients: server.binDirectory,
      jobs,
      scratch: folder,
    }) as PostgresSettings;
  const pgDump = () => {
    execFileSync(join(server.binDirectory, "pg_dump"), ["-Fc", "-f", join(folder, "plain.dump"), url], {
      stdio: "pipe",
    });
    rmSync(join(folder, "plain.dump"));
  };
  const canDump = () => {
    try {
      pgDump();
      return true;
    } catch {
      return false;
    }
  };
  /** A backup, during which a statement is committed just after the snapshot. */
  const backupWith = (statement: string, jobs: number) =>
    openBackup(settingsOf(jobs), { signal: never }, async (control) => {
      const layout = await plainLayout(settingsOf(jobs), control);
      await query(url, statement);
      return layout;
    }).then(store);

  it("lets a database be backed up that pg_dump can dump", async () => {
    // How many that is depends on what else a server does, so it is found out: a few fewer than one too many.
    let count = 400;
    makeTables(count);
    while (canDump()) {
      makeTables(100, count);
      count += 100;
    }
    const drop = (fewer: number) => {
      count -= fewer;
      makeTables(fewer, count, (i) => `DROP TABLE t${i}`);
    };
    while (!canDump()) drop(50);
    drop(20);
    const { artifacts } = await store(await openBackup(settingsOf(1), { signal: never }));
    const target = await emptyDatabase(server, "target");
    // One transaction could not lock all tables that it makes, so each statement is one.
    const input = await buffer(artifacts[0]?.open(never) ?? Readable.from([]));
    execFileSync(join(server.binDirectory, "pg_restore"), ["--exit-on-error", `--dbname=${target}`], { input });
    const tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    expect(await query(target, tables)).toEqual([{ count: String(count) }]);
    expect(await query(target, `SELECT i FROM t${count - 1}`)).toEqual([{ i: count - 1 }]);
  });

  it.each([1, 2])(
    "never has a table's rows missed that was truncated just before pg_dump, with %i job(s)",
    async (jobs) => {
      makeTables(150);
      const error = await failureOf(backupWith("TRUNCATE t7", jobs));
      expect([error.code, error.message]).toEqual(["TRANSIENT", expect.stringContaining("truncated")]);
      expect(error.fix).toContain("max_locks_per_transaction");
      // What only writes rows is none of that.
      await backupWith("INSERT INTO t8 VALUES (1)", jobs);
    },
  );

  it("has tables locked where there is room for it", async () => {
    makeTables(30);
    const backup = await openBackup(settingsOf(1), { signal: never });
    await expect(query(url, "SET lock_timeout = 200; TRUNCATE t7")).rejects.toThrow("lock timeout");
    await backup.close();
  });

  it("is named as a cause of a lock that a worker was refused, which does not say why", async () => {
    makeTables(150);
    const clients = join(folder, "clients");
    mkdirSync(clients);
    // What pg_dump 15 wrote of 550 tables here, with four workers.
    const said = `pg_dump: error: could not obtain lock on relation "public.t205"
This usually means that someone requested an ACCESS EXCLUSIVE lock on the table after the pg_dump parent process had gotten the initial ACCESS SHARE lock on the table.
pg_dump: error: a worker process died unexpectedly`;
    const script = `#!/bin/sh\n[ "$1" = --version ] && exec ${server.binDirectory}/pg_dump --version\ncat >&2 <<'END'\n${said}\nEND\nexit 1\n`;
    writeFileSync(join(clients, "pg_dump"), script, { mode: 0o755 });
    const failing = (jobs: number) =>
      failureOf(openBackup({ ...settingsOf(jobs), clients }, { signal: never }).then(store));
    const error = await failing(4);
    expect([error.code, error.message]).toEqual(["TRANSIENT", expect.stringContaining("could not obtain lock")]);
    expect(error.fix).toMatch(/exclusive lock.*no room for the workers' locks: dump with one job, or raise max_locks/s);
  });

  // With two jobs there is room for pg_dump itself with the fewer tables, and none for its workers.
  it.each([
    [1, 1300],
    [2, 1300],
    [2, 450],
    [4, 450],
  ])("is said to have too few, with %i job(s) and %i tables, and what would be enough", async (jobs, tables) => {
    makeTables(tables);
    if (jobs === 1) expect(pgDump).toThrow("out of shared memory");
    const backup = openBackup(settingsOf(jobs), { signal: never }).then(store);
    const error = await failureOf(backup);
    expect(error.code, `${error.message} ${error.fix}`).toBe("CONFIG");
    expect(error.message).toContain(`${tables} tables`);
    expect(error.message).toContain("max_locks_per_transaction, 10,");
    expect(error.fix).not.toContain("exclusive lock");
    const enough = Number(/max_locks_per_transaction = (\d+)/.exec(error.fix ?? "")?.[1]);
    expect(enough * 20).toBeGreaterThan(2 * tables);
    const details: Record<string, string> = {};
    for await (const { name, detail } of checkPostgres(settingsOf(1), never, undefined)) details[name] = detail;
    expect(details.locks).toContain(`${tables} tables and sequences, and room for 200 locks`);
  });
});
