import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../../helpers/databases.ts";
import { foldersOf, makeBackup } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

let server: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await emptyDatabase(server, "shop");
  await sql(
    server,
    "shop",
    `CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS buyer FROM generate_series(1, 20000) AS n;
     CREATE TABLE countries AS SELECT n AS id FROM generate_series(1, 12) AS n; ANALYZE`,
  );
  sandbox = new Sandbox(server.url("shop"), { retention: { last: 1 } });
});
afterEach(() => {
  sandbox.remove();
});

/** The lines of `provision list`. */
const listed = async () => (await sandbox.run("list")).stdout;

it.each([
  ["TRUNCATE orders", "orders has lost all its rows; usually it has about 20000"],
  ["DELETE FROM countries", "countries has lost all its rows; usually it has about 12"],
  ["DROP TABLE orders", "orders is gone; usually it has about 20000 rows"],
])("a backup after %s is suspicious, says why, and takes the place of none", async (loss, sentence) => {
  const { id: whole } = await makeBackup(sandbox);
  await sql(server, "shop", loss);
  // What statistics say of a DELETE comes a moment later.
  await expect
    .poll(() => sql(server, "shop", "SELECT pg_stat_get_live_tuples('countries'::regclass)::int AS rows"))
    .toEqual([{ rows: loss.startsWith("DELETE") ? 0 : 12 }]);
  const run = await sandbox.run("backup");
  expect([run.code, run.stdout]).toEqual([0, expect.stringContaining(`The table public.${sentence}.`)]);
  expect(run.stderr).toContain(sentence);
  const kept = foldersOf(sandbox);
  expect(kept).toHaveLength(2);
  expect(kept).toContain(whole);
  const lines = await listed();
  expect(lines).toMatch(new RegExp(`${whole}  verified `));
  expect(lines).toMatch(/  suspicious  [^]*The table public\./);
  // Of the suspicious ones the rule keeps the last, and the whole one beside it.
  await sandbox.run("backup");
  expect(foldersOf(sandbox)).toHaveLength(2);
  expect(foldersOf(sandbox)).toContain(whole);
});

/** What a crash, or an owner, does to the server's counters; then one row is changed, of which they know. */
const forgetCounters = async (table: string): Promise<void> => {
  await sql(server, "shop", "SELECT pg_stat_reset()");
  await sql(server, "shop", `UPDATE ${table} SET id = id WHERE id = 1`);
  const counters = `SELECT pg_stat_get_live_tuples(oid)::int AS live, pg_stat_get_dead_tuples(oid) > 0 AS dead FROM pg_class WHERE oid = '${table}'::regclass`;
  await expect.poll(() => sql(server, "shop", counters)).toEqual([{ live: 0, dead: true }]);
};

it.each([
  ["one worker", {}, []],
  ["several workers", { jobs: 2 }, []],
  ["no verification", {}, ["--no-verify"]],
])("rows that the server's counters have forgotten are not lost: %s", async (_, database, options) => {
  Object.assign(sandbox.job, { database: { ...(sandbox.job.database as object), ...database } });
  await makeBackup(sandbox);
  await forgetCounters("orders");
  const { code, stdout, stderr } = await sandbox.run("backup", ...options);
  expect([code, stdout + stderr]).toEqual([0, expect.not.stringContaining("rows; usual")]);
  expect(stdout + stderr).not.toContain("lost");
  expect(await listed()).not.toContain("suspicious");
});

it.each([
  ["one worker", {}],
  ["several workers", { jobs: 2 }],
])("rows that are gone are counted, whatever the server's counters have forgotten: %s", async (_, database) => {
  Object.assign(sandbox.job, { database: { ...(sandbox.job.database as object), ...database } });
  const { id: whole } = await makeBackup(sandbox);
  // A table that was never analysed, of which nothing is known.
  await sql(
    server,
    "shop",
    "ALTER TABLE orders RENAME TO aside; CREATE TABLE orders AS TABLE aside LIMIT 17; DROP TABLE aside",
  );
  await sql(server, "shop", "DELETE FROM countries WHERE id > 1");
  await forgetCounters("countries");
  await sql(server, "shop", "DELETE FROM countries");
  const run = await sandbox.run("backup");
  expect([run.code, run.stdout]).toEqual([
    0,
    expect.stringContaining("The table public.orders has about 17 rows; usually it has about 20000."),
  ]);
  expect(run.stdout).toContain("The table public.countries has lost all its rows; usually it has about 12.");
  expect(foldersOf(sandbox)).toHaveLength(2);
  expect(foldersOf(sandbox)).toContain(whole);
});

it("a backup that shrank is suspicious before it is verified, so that a killed run leaves none that passes for usual", async () => {
  await makeBackup(sandbox);
  await sql(server, "shop", "TRUNCATE orders");
  const { id } = await makeBackup(sandbox);
  const names = readdirSync(join(sandbox.store, "test/app", id));
  const files = names.filter((name) => /^(suspicious|verified)-/.test(name));
  expect(files.map((name) => name.split("-")[0]).sort()).toEqual(["suspicious", "verified"]);
  const [suspicious = "", verified = ""] = files.sort();
  const written = [suspicious, verified].map((name) => statSync(join(sandbox.store, "test/app", id, name)).mtimeMs);
  expect(written[0]).toBeLessThanOrEqual(written[1] ?? 0);
});

it("a backup that is as usual again takes the place of all before it", async () => {
  await makeBackup(sandbox);
  await sql(server, "shop", "CREATE TABLE aside AS TABLE orders; TRUNCATE orders");
  await makeBackup(sandbox);
  await sql(server, "shop", "INSERT INTO orders TABLE aside; ANALYZE");
  const { id } = await makeBackup(sandbox);
  expect(foldersOf(sandbox)).toEqual([id]);
  expect(await listed()).not.toContain("suspicious");
});

it("a backup that a person accepts counts as any other, and the next ones are compared with it", async () => {
  await makeBackup(sandbox);
  await sql(server, "shop", "TRUNCATE orders");
  const { id: small } = await makeBackup(sandbox);
  const accepted = await sandbox.run("accept", small, "--reason", "orders were archived");
  expect([accepted.code, accepted.stdout]).toEqual([0, expect.stringContaining("accepted")]);
  expect(await listed()).toMatch(new RegExp(`${small}  verified [^]*    accepted: orders were archived`));
  const { id, anomalies } = await makeBackup(sandbox);
  expect(anomalies).toBeUndefined();
  expect(foldersOf(sandbox)).toEqual([id]);
  const again = await sandbox.run("accept", id, "--reason", "sure");
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining(`The backup ${id} in `)]);
});

it("a job may do without", async () => {
  await makeBackup(sandbox);
  await sql(server, "shop", "TRUNCATE orders");
  Object.assign(sandbox.job, { anomalies: "off" });
  const { id } = await makeBackup(sandbox);
  expect(foldersOf(sandbox)).toEqual([id]);
});
