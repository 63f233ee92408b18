import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createDatabase } from "../../../../../providers/database/index.ts";
import { compareDatabases } from "../../../../../tools/compare-databases.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { query } from "../../../../../tools/query.ts";
import { emptyDatabase } from "../../../../helpers/databases.ts";
import { store } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: "ddl", log_line_prefix: "%p " } });
});
afterAll(() => server.stop());

/** Three levels of partitions, with all that pg_dump writes after their indexes. */
const SOURCE = `
  CREATE TABLE events (id int, at date, kind text, PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
  CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
  CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
  CREATE TABLE events_2024_a PARTITION OF events_2024 FOR VALUES IN ('a');
  CREATE TABLE events_2024_other PARTITION OF events_2024 DEFAULT;
  INSERT INTO events SELECT n, date '2023-06-01' + n, chr(97 + n % 3) FROM generate_series(1, 300) n;
  CREATE INDEX events_at ON events (at);
  CREATE INDEX events_kind ON events (kind);
  CREATE INDEX events_id ON events (id);
  COMMENT ON INDEX events_at IS 'By day';
  CREATE TABLE notes (event int, at date, kind text, FOREIGN KEY (event, at, kind) REFERENCES events);
  INSERT INTO notes SELECT id, at, kind FROM events;
  COMMENT ON CONSTRAINT notes_event_at_kind_fkey ON notes IS 'Of one event';
  CREATE MATERIALIZED VIEW days AS SELECT at, count(*) FROM events GROUP BY at;
  CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no changes''; END';
  REVOKE ALL ON notes FROM CURRENT_USER;
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
  CREATE EVENT TRIGGER frozen ON ddl_command_start WHEN TAG IN ('ALTER INDEX', 'ALTER TABLE', 'CREATE INDEX') EXECUTE FUNCTION refuse();`;

it("one session alone attaches the parts of partitioned indexes, however many restore", async () => {
  await query(await emptyDatabase(server, "source"), SOURCE);
  const open = (name: string) =>
    createDatabase(
      { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30, clients: server.binDirectory },
      { secrets: { url: server.url(name) } },
    );
  const { artifacts, facts } = await store(await (await open("source")).backup({ lock: "test/parts", signal: never }));
  await emptyDatabase(server, "target");
  const options = { allowNonEmpty: false, createRoles: false, noOwner: false, scratchDirectory: "/tmp", signal: never };
  await (await open("target")).restore(artifacts, { ...options, facts, jobs: 6 });

  const lines = (await readFile(join(server.directory, "log"), "utf8")).split("\n");
  const sessionsOf = (statement: RegExp) =>
    lines.filter((line) => statement.test(line)).map((line) => line.slice(0, line.indexOf(" ")));
  const attached = sessionsOf(/statement: ALTER INDEX \S+ ATTACH PARTITION/);
  expect(attached).toHaveLength(16);
  expect(new Set(attached).size).toBe(1);
  // The others are made side by side.
  expect(new Set(sessionsOf(/statement: CREATE INDEX/)).size).toBeGreaterThan(1);
  expect(await query(server.url("target"), "SELECT FROM pg_index WHERE NOT indisvalid")).toEqual([]);
  expect((await compareDatabases(server.url("source"), server.url("target"))).differences).toEqual([]);
});
