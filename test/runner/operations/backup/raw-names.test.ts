import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Restored } from "../../../../runner/operations/restore.ts";
import { type Postgres, startPostgres } from "../../../../tools/postgres.ts";
import { listed, makeBackup, printed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

/** `café` and `naïve` in Latin 1, and the beginning of a character in UTF-8 that does not end. */
const [CAFE, NAIVE, BROKEN] = ["caf\xe9", "na\xefve", "eur\xe2\x82"];

let postgres: Postgres;
let sandbox: Sandbox;

/** Runs a program of PostgreSQL; texts are bytes, each a character. */
function run(program: string, args: string, input = ""): string {
  const octal = Array.from(args, (each) =>
    each > "\x7f" ? `\\${each.charCodeAt(0).toString(8)}` : each.replace(/[\\%]/, String.raw`\$&`),
  ).join("");
  return execFileSync(
    "/bin/sh",
    ["-c", `eval "${postgres.binDirectory}/${program} $(printf '%b' "$1")"`, "sh", octal],
    {
      input: Buffer.from(input, "latin1"),
      env: {
        PATH: process.env.PATH,
        LC_ALL: "C",
        PGHOST: postgres.host,
        PGPORT: String(postgres.port),
        PGUSER: postgres.user,
        PGPASSWORD: postgres.password,
        PGCLIENTENCODING: "SQL_ASCII",
      },
      encoding: "latin1",
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
}

const psql = (database: string, sql: string) => run("psql", `-qXAt -v ON_ERROR_STOP=1 -d "dbname='${database}'"`, sql);
/** Without what each run of pg_dump draws by lot. */
const dumpOf = (database: string) =>
  run("pg_dump", `-d "dbname='${database}'"`).replaceAll(/^\\(un)?restrict .*$/gm, "");
const create = (name: string) =>
  psql("ascii", `CREATE DATABASE "${name}" TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`);
const urlOf = (name: string) =>
  postgres.url("postgres").replace(
    /postgres$/,
    name.replaceAll(/[\x80-\xff]/g, (each) => `%${each.charCodeAt(0).toString(16)}`),
  );

beforeAll(async () => {
  postgres = await startPostgres();
  psql("postgres", "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
  psql("ascii", `CREATE ROLE "${NAIVE}"`);
  create(CAFE);
  psql(
    CAFE,
    `CREATE SCHEMA "${BROKEN}"; CREATE TABLE "${BROKEN}"."${CAFE}" ("${NAIVE}" text); INSERT INTO "${BROKEN}"."${CAFE}" VALUES ('${CAFE}'), ('x');
     CREATE TABLE "gr\xc3\xbcn" AS SELECT 1 AS i; ALTER TABLE "gr\xc3\xbcn" OWNER TO "${NAIVE}";
     CREATE TABLE "left${CAFE}" AS SELECT 1 AS i; CREATE TABLE "left${NAIVE}" AS SELECT 1 AS i;
     ALTER TABLE "${BROKEN}"."${CAFE}" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "${BROKEN}"."${CAFE}" TO "${NAIVE}" USING (true)`,
  );
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(urlOf(CAFE));
});
afterEach(() => {
  sandbox.remove();
});

describe(
  "a database of the encoding SQL_ASCII whose names are no UTF-8, its own and a role's too,",
  { timeout: 180_000 },
  () => {
    it.each([1, 2])("is backed up, listed, verified, drilled and restored as it is, with %i job(s)", async (jobs) => {
      sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs };
      sandbox.environment.DRILL_URL = postgres.url("postgres");
      sandbox.job.drill = { target: { env: "DRILL_URL" }, acceptSharedUser: true };
      const { id } = await makeBackup(sandbox);
      expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
      expect(await sandbox.run("verify")).toMatchObject({ code: 0 });
      expect(await sandbox.run("drill")).toMatchObject({ code: 0 });
      // The role was there before the drill, and is there after it.
      expect(psql("ascii", `SELECT rolname FROM pg_roles WHERE rolname = '${NAIVE}'`)).toBe(`${NAIVE}\n`);

      const target = `copy${jobs}${CAFE}`;
      create(target);
      sandbox.environment.TARGET_URL = urlOf(target);
      printed(await sandbox.run("restore", "--to", "env:TARGET_URL", "--json")) as Restored;
      expect(dumpOf(target)).toBe(dumpOf(CAFE));
      expect(dumpOf(target)).toContain(`COPY "${BROKEN}"."${CAFE}" ("${NAIVE}") FROM stdin;\n${CAFE}\n`);
      expect(readdirSync(sandbox.environment.TMPDIR ?? "")).toEqual([]);
    });

    it("is found among all databases, and leaves out what the job says", async () => {
      sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, exclude: ["public.left*"] };
      await makeBackup(sandbox);
      const target = "without";
      create(target);
      sandbox.environment.TARGET_URL = urlOf(target);
      printed(await sandbox.run("restore", "--to", "env:TARGET_URL", "--json"));
      expect(psql(target, "SELECT relname FROM pg_class WHERE relname LIKE 'left%'")).toBe("");
      expect(psql(target, `SELECT count(*) FROM "${BROKEN}"."${CAFE}"`)).toBe("2\n");

      sandbox.environment.APP_URL = postgres.url("postgres");
      sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, databases: "all" };
      const { objects } = await makeBackup(sandbox);
      expect(objects.map(({ artifact }) => artifact)).toContain("database-caf.dump");
      expect(await sandbox.run("verify")).toMatchObject({ code: 0 });
    });

    it("has its roles made in a new server from the backup", async () => {
      await makeBackup(sandbox);
      const source = dumpOf(CAFE);
      const other = await startPostgres();
      const first = postgres;
      try {
        postgres = other;
        psql("postgres", "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
        create(CAFE);
        // A drill there makes the role and drops it.
        sandbox.environment.DRILL_URL = other.url("postgres");
        sandbox.job.drill = { target: { env: "DRILL_URL" }, acceptSharedUser: true };
        expect(await sandbox.run("drill")).toMatchObject({ code: 0 });
        expect(psql("ascii", "SELECT rolname FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'")).toBe("");

        sandbox.environment.TARGET_URL = urlOf(CAFE);
        printed(await sandbox.run("restore", "--to", "env:TARGET_URL", "--create-roles", "--json"));
        expect(dumpOf(CAFE)).toBe(source);
      } finally {
        postgres = first;
        await other.stop();
      }
    });
  },
);
