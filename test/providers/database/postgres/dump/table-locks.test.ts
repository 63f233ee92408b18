import { tmpdir } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { countArtifactRows } from "../../../../../providers/database/index.ts";
import { openBackup, plainLayout } from "../../../../../providers/database/postgres/dump/backup.ts";
import { parseConnectionUrl } from "../../../../../providers/database/postgres/connect/connection-url.ts";
import type { PostgresSettings } from "../../../../../providers/database/postgres/settings.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { emptyDatabase } from "../../../../helpers/databases.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { type StoredBackup, store } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

describe("a table that changes between the snapshot and its lock", () => {
  let server: Postgres;
  let url: string;
  let settings: PostgresSettings;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    url = await emptyDatabase(server, "changing");
    await query(url, `CREATE TABLE counted AS SELECT i FROM generate_series(1, 1000) AS i; CREATE SCHEMA "Odd one"`);
    await query(url, `CREATE TABLE "Odd one"."a.b" AS SELECT i FROM generate_series(1, 500) AS i`);
    settings = { connection: parseConnectionUrl(url), lockTimeoutSeconds: 5 } as PostgresSettings;
  });

  /** A backup, during which a statement is committed just after the snapshot, so many times. */
  const backupWith = async (statement: string, times = 1): Promise<StoredBackup> => {
    let left = times;
    const backup = await openBackup(settings, { signal: never }, async (control) => {
      const layout = await plainLayout(settings, control);
      if ((left -= 1) >= 0) await query(url, statement);
      return layout;
    });
    return store(backup);
  };
  const rowsOf = async ({ artifacts: [dump] }: StoredBackup) => {
    if (dump === undefined) throw new Error("The backup has no artifact.");
    const rows = await countArtifactRows({ kind: "postgres", scratch: tmpdir() }, dump, dump.open(never), never);
    return Object.fromEntries(rows.map(({ schema, name, rows: count }) => [`${schema}.${name}`, count]));
  };
  const all = { "public.counted": 1000, "Odd one.a.b": 500 };

  it.each([
    ["TRUNCATE counted; INSERT INTO counted SELECT i FROM generate_series(1, 7) AS i", { "public.counted": 7 }],
    ["ALTER TABLE counted ALTER i TYPE text", {}],
    [`TRUNCATE "Odd one"."a.b"`, { "Odd one.a.b": 0 }],
    ["VACUUM FULL counted", {}],
    ["DELETE FROM counted", {}],
    [
      `ALTER TABLE counted RENAME TO before; CREATE TABLE counted AS SELECT 1 AS i`,
      { "public.counted": 1, "public.before": 1000 },
    ],
    [`ALTER SCHEMA "Odd one" RENAME TO odd`, { "Odd one.a.b": undefined, "odd.a.b": 500 }],
  ])("is backed up as it was or as it is, never in between: %s", async (statement, changes) => {
    const expected = Object.entries({ ...all, ...changes }).filter(([, rows]) => rows !== undefined);
    expect(await rowsOf(await backupWith(statement))).toEqual(Object.fromEntries(expected));
  });

  it.each([["DROP TABLE counted"], [`DROP SCHEMA "Odd one" CASCADE`]])("is not missed: %s", async (statement) => {
    expect(Object.keys(await rowsOf(await backupWith(statement)))).toHaveLength(1);
  });

  it("stays as it is once it is locked", async () => {
    const backup = await openBackup(settings, { signal: never });
    await expect(query(url, "SET lock_timeout = 200; TRUNCATE counted")).rejects.toThrow("lock timeout");
    await query(url, "DELETE FROM counted");
    expect(await rowsOf(await store(backup))).toEqual(all);
    await query(url, "TRUNCATE counted");
  });

  it("ends the backup where it happens again and again", async () => {
    const error = await failureOf(backupWith("TRUNCATE counted", 100));
    expect(error.code).toBe("TRANSIENT");
    expect(error.message).toContain("truncated");
    expect(error.fix).toBeDefined();
    const sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'provision'";
    await expect.poll(() => query(server.url("postgres"), sessions)).toEqual([]);
  });
});
