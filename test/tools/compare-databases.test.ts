import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareDatabases, tellDifferences } from "../../tools/compare-databases.ts";
import { type Postgres, startPostgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { query } from "../../tools/query.ts";
import { addUnknownOptions, TAKES_UNKNOWN_OPTIONS } from "../helpers/unknown-options.ts";

describe("compareDatabases", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ settings: TAKES_UNKNOWN_OPTIONS });
    await createSampleDatabase(server.url("first"), { megabytes: 1 });
    await query(server.url("postgres"), "CREATE DATABASE second TEMPLATE first");
    await addUnknownOptions(server.url("second"));
  });
  afterAll(() => server.stop());

  it("finds no difference where one side's catalogue has options that no PostgreSQL knows", async () => {
    const { tables, differences } = await compareDatabases(server.url("first"), server.url("second"));
    expect(differences).toEqual([]);
    expect(tables).toContainEqual({ name: "shop.no_columns", rows: 3 });
  });

  it.each([
    ["a changed value", "UPDATE shop.customers SET name = name || 'x' WHERE id = 1000"],
    ["an added row", "INSERT INTO shop.cache VALUES ('z', NULL)"],
    ["a row that is there twice", "INSERT INTO shop.no_columns SELECT"],
    ["a missing row of a child table", "DELETE FROM shop.derived"],
    ["a sequence's value", "SELECT setval('shop.never_called', 7)"],
    ["whether a sequence was called", "SELECT setval('shop.never_called', 1, true)"],
    ["a comment", "COMMENT ON TABLE shop.orders IS 'other'"],
    ["a trigger's state", "ALTER TABLE shop.orders ENABLE TRIGGER orders_touch_off"],
    ["a privilege", "REVOKE SELECT ON shop.orders FROM sample_reader"],
    ["a column's privilege", "REVOKE UPDATE (note) ON shop.orders FROM sample_reader CASCADE"],
    ["a policy", "ALTER POLICY members_own ON shop.members USING (true)"],
    ["row level security", "ALTER TABLE shop.members DISABLE ROW LEVEL SECURITY"],
    ["an enum's label", "ALTER TYPE shop.order_state ADD VALUE 'lost'"],
    ["a large object's byte", "SELECT lo_put((SELECT object FROM shop.attachments WHERE id = 1), 5, 'a')"],
    ["a large object", "SELECT lo_unlink((SELECT object FROM shop.attachments WHERE id = 3))"],
    ["an index", "DROP INDEX shop.orders_open"],
    ["a default", "ALTER TABLE shop.cache ALTER value SET DEFAULT 'x'"],
    ["a column's type", "ALTER TABLE shop.base ALTER label TYPE varchar(99)"],
    ["an owner", "ALTER TABLE shop.cache OWNER TO sample_reader"],
    ["a function's owner", "ALTER FUNCTION shop.order_total OWNER TO sample_reader"],
    [
      "a function's body",
      "CREATE OR REPLACE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ],
    ["a schema", "CREATE SCHEMA another"],
    ["a publication", "DROP PUBLICATION sample_changes"],
    ["a filled materialised view", "REFRESH MATERIALIZED VIEW shop.not_filled"],
    ["a constraint's state", "ALTER TABLE shop.members VALIDATE CONSTRAINT members_small"],
    ["a partition", "ALTER TABLE shop.events DETACH PARTITION shop.events_2023"],
    ["a rule", "DROP RULE open_orders_keep ON shop.open_orders"],
    ["a table's option", "ALTER TABLE shop.cache SET (fillfactor = 71)"],
    ["an option of a TOAST table", "ALTER TABLE shop.cache SET (toast.autovacuum_enabled = false)"],
    ["a view's option", "ALTER VIEW shop.open_orders RESET (security_barrier)"],
    ["a column's option", "ALTER TABLE shop.orders ALTER total SET (n_distinct = 5)"],
    ["an index's option", "ALTER INDEX shop.orders_open SET (fillfactor = 50)"],
    [
      "an index's order",
      "DROP INDEX shop.orders_open; CREATE INDEX orders_open ON shop.orders (placed DESC) WHERE state = 'new'",
    ],
    ["a default privilege", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO sample_reader"],
    ["the right to pass a privilege on", "GRANT SELECT ON shop.orders TO sample_reader WITH GRANT OPTION"],
  ])("notices %s", async (_what, change) => {
    const changed = "changed";
    await query(server.url("postgres"), `CREATE DATABASE ${changed} TEMPLATE first`);
    try {
      await query(server.url(changed), change);
      await addUnknownOptions(server.url(changed));
      const { differences } = await compareDatabases(server.url("first"), server.url(changed));
      expect(differences).not.toEqual([]);
    } finally {
      await query(server.url("postgres"), `DROP DATABASE ${changed} WITH (FORCE)`);
    }
  });
});

describe("tellDifferences", () => {
  it("counts all differences, and shows the first ten, each on a line that is short enough to read", () => {
    const differences = Array.from({ length: 37 }, (_, index) => `column c${index} differs: ${"x".repeat(1000)}`);
    const lines = tellDifferences(differences).split("\n");
    expect(lines[0]).toBe("The two databases differ in 37 places:");
    expect(lines).toHaveLength(12);
    expect(lines[10]).toContain("column c9 differs");
    expect(lines[11]).toBe("  - and 27 more");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(250);
  });
});
