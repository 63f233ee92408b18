import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createDatabase } from "../../../../../providers/database/index.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { emptyDatabase, relationCount, sql } from "../../../../helpers/databases.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { store } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

it("a target that another restore is filling is not taken for an empty one", async () => {
  const provider = async (name: string) => {
    const config = {
      kind: "postgres",
      url: { env: "URL" },
      lockTimeoutSeconds: 30,
      clients: server.binDirectory,
    } as const;
    return createDatabase(config, { secrets: { url: server.url(name) } });
  };
  await query(await emptyDatabase(server, "source"), "CREATE TABLE one AS SELECT 1 AS i");
  const { artifacts, facts } = await store(
    await (await provider("source")).backup({ lock: "test/twice", signal: never }),
  );
  const url = await emptyDatabase(server, "target");
  const options = {
    facts,
    allowNonEmpty: false,
    jobs: 1,
    scratchDirectory: "/tmp",
    createRoles: false,
    noOwner: false,
    signal: never,
  };

  // Nobody can make anything in the schema for as long as somebody else is dropping it, so that the first restore waits.
  const other = new Client({ connectionString: url });
  await other.connect();
  await other.query("BEGIN; DROP SCHEMA public");
  const target = await provider("target");
  const first = target.restore(artifacts, options);
  const restoring = "SELECT FROM pg_stat_activity WHERE application_name LIKE 'provision-restore-%'";
  await expect.poll(() => sql(server, "postgres", restoring)).toHaveLength(1);
  expect(await relationCount(server, "target")).toBe(0);
  const error = await failureOf(target.restore(artifacts, options));
  expect([error.code, error.message]).toEqual([
    "CONFLICT",
    expect.stringContaining("Another restore is filling the database target"),
  ]);
  expect(error.fix).toMatch(/SELECT pg_terminate_backend\(\d+\)/);

  await other.query("ROLLBACK");
  await other.end();
  await first;
  expect(await query(url, "SELECT i FROM one")).toEqual([{ i: 1 }]);
});
