import { afterAll, beforeAll, expect, it } from "vitest";
import { type Postgres, startPostgres } from "../../../../tools/postgres.ts";
import { emptyDatabase, relationCount } from "../../../helpers/databases.ts";
import { query } from "../../../../tools/query.ts";
import { makeBackup } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

let source: Postgres;
let other: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  // A tablespace in the server's own folder needs no folder of the server's user elsewhere.
  source = await startPostgres({ settings: { allow_in_place_tablespaces: "on" } });
  other = await startPostgres();
  await query(source.url("postgres"), "CREATE TABLESPACE fast LOCATION ''");
  const url = await emptyDatabase(source, "app");
  await query(
    url,
    "CREATE TABLE counted TABLESPACE fast AS SELECT i FROM generate_series(1, 9) AS i; CREATE INDEX ON counted (i) TABLESPACE fast",
  );
  sandbox = new Sandbox(url);
  await makeBackup(sandbox);
});
afterAll(async () => {
  sandbox.remove();
  await source.stop();
  await other.stop();
});

it("tablespaces are kept where the server has them", async () => {
  sandbox.environment.TARGET_URL = await emptyDatabase(source, "copy");
  expect(await sandbox.run("restore", "--to", "env:TARGET_URL")).toMatchObject({ code: 0 });
  const placed = "SELECT relname FROM pg_class JOIN pg_tablespace AS t ON t.oid = reltablespace WHERE spcname = 'fast'";
  expect(await query(source.url("copy"), `${placed} ORDER BY 1`)).toEqual([
    { relname: "counted" },
    { relname: "counted_i_idx" },
  ]);
});

it.each([[[]], [["--jobs", "2"]]])("another server can do without them, once told so: %j", async (jobs) => {
  sandbox.environment.TARGET_URL = await emptyDatabase(other, "copy");
  const refused = await sandbox.run("restore", "--to", "env:TARGET_URL", ...jobs);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("--no-tablespaces")]);
  // A restore by several workers leaves its unfinished database behind, by another name.
  if (jobs.length === 0) expect(await relationCount(other, "copy")).toBe(0);
  else await emptyDatabase(other, "copy");
  expect(await sandbox.run("restore", "--to", "env:TARGET_URL", "--no-tablespaces", ...jobs)).toMatchObject({
    code: 0,
  });
  expect(await query(other.url("copy"), "SELECT count(*)::int AS n FROM counted")).toEqual([{ n: 9 }]);
});

it("a drill does not need them", async () => {
  sandbox.environment.DRILL_URL = other.url("postgres");
  sandbox.job.drill = { target: { env: "DRILL_URL" }, acceptSharedUser: true };
  const { code, stderr } = await sandbox.run("drill");
  expect(code, stderr).toBe(0);
});
