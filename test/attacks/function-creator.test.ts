import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Postgres, startPostgres } from "../../tools/postgres.ts";
import { query } from "../../tools/query.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { Sandbox } from "../helpers/sandbox.ts";

/**
 * Mallory may create functions and operators in `public`: everybody may before PostgreSQL 15, and from then on who was granted it. They
 * are named as PostgreSQL's own and fit an argument better, so that a query of another role which finds `public` in its path calls
 * them instead, with that role's rights (CVE-2018-1058). Each writes to the server's log, whoever calls it and however the
 * transaction ends; and where it can, it runs a program.
 */
const MARK = "MALLORY RAN";

/** Types of what is asked of a catalogue. */
const TYPES = ["name", "text", "oid", '"char"', "int4", "int8", "bool", "regclass", "text[]"];
const FEW = ["name", "text", "oid"];
const OPERATORS = ["=", "<>", "<", ">", "<=", ">=", "||", "~", "!~", "->>", "+", "-", "&"];

/** Every word before a bracket in the product's code: no function that it calls is forgotten. */
function wordsOfProduct(): string[] {
  const folder = fileURLToPath(new URL("../../providers/database", import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const words = files.flatMap(
    (file) => readFileSync(join(folder, file), "utf8").match(/\b[a-z][a-z0-9_]+(?=\()/g) ?? [],
  );
  return [...new Set(words)];
}

function tuples(types: readonly string[], count: number): string[][] {
  if (count === 0) return [[]];
  return tuples(types, count - 1).flatMap((start) => types.map((type) => [...start, type]));
}

let postgres: Postgres;
let proof: string;

/** What the functions do; `as` says whose rights they have. */
const body = (what: string): string =>
  `BEGIN
     RAISE LOG '${MARK} ${what.replaceAll("'", "")} AS %', current_user;
     IF pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on'::text THEN COPY (SELECT 1) TO PROGRAM 'touch ${proof}'; END IF;
     PERFORM pg_catalog.pg_notify('mallory', 'rows that ' OPERATOR(pg_catalog.||) current_user::text OPERATOR(pg_catalog.||) ' may read');
     RETURN NULL;
   END`;

/** Has Mallory create what shadows each function that the product calls, and each operator, in one database. */
async function shadow(database: string): Promise<number> {
  const words = wordsOfProduct().map((word) => `'${word}'`);
  const own = await query<{ name: string; arguments: number; result: string }>(
    postgres.url(database),
    `SELECT proname AS name, pronargs AS arguments, CASE WHEN typtype = 'p' THEN 'text' ELSE format_type(prorettype, NULL) END AS result
     FROM pg_proc JOIN pg_type AS t ON t.oid = prorettype WHERE pronamespace = 'pg_catalog'::regnamespace AND NOT proretset
       AND prorettype NOT IN ('trigger'::regtype, 'internal'::regtype, 'void'::regtype) AND proname IN (${words.join(", ")})`,
  );
  const statements = new Map<string, string>();
  for (const each of own) {
    // format, concat and their kin take any number.
    const counts = /^(format|concat|concat_ws)$/.test(each.name) ? [2, 3, 4] : [each.arguments];
    for (const count of counts.filter((number) => number > 0 && number < 5)) {
      for (const types of tuples(count < 3 ? TYPES : FEW, count)) {
        const signature = `public."${each.name}"(${types.join(", ")})`;
        statements.set(
          signature,
          `CREATE FUNCTION ${signature} RETURNS ${each.result} LANGUAGE plpgsql AS $f$ ${body(signature)} $f$`,
        );
      }
    }
  }
  for (const [left = "", right = ""] of tuples(TYPES, 2)) {
    const named = `public.operator_(${left}, ${right})`;
    statements.set(
      named,
      `CREATE FUNCTION ${named} RETURNS bool LANGUAGE plpgsql AS $f$ ${body(`an operator of ${left}, ${right}`)} $f$`,
    );
    for (const operator of OPERATORS) {
      const text = `CREATE OPERATOR public.${operator} (FUNCTION = public.operator_, LEFTARG = ${left}, RIGHTARG = ${right})`;
      statements.set(text, text);
    }
  }
  await query(mallory(database), [...statements.values()].join(";\n"));
  return statements.size;
}

function as(role: string, database: string): string {
  const url = new URL(postgres.url(database));
  [url.username, url.password] = [role, `${role}-password`];
  return url.href;
}
const mallory = (database: string): string => as("mallory", database);

/** Lines of the server's log that say what ran, and a program that was started. */
function ran(): string[] {
  const lines = readFileSync(join(postgres.directory, "log"), "utf8").split("\n");
  return [...lines.filter((line) => line.includes(`LOG:  ${MARK}`)), ...(existsSync(proof) ? ["a program"] : [])];
}

/** Roles that make backups: a superuser, and one that may read everything. */
const ROLES = ["chief", "reader"] as const;

beforeAll(async () => {
  postgres = await startPostgres();
  proof = join(postgres.directory, "data", "proof");
  await query(
    postgres.url("postgres"),
    `CREATE ROLE mallory LOGIN PASSWORD 'mallory-password'; CREATE ROLE chief SUPERUSER LOGIN PASSWORD 'chief-password';
     CREATE ROLE reader LOGIN PASSWORD 'reader-password' IN ROLE pg_read_all_data; ALTER ROLE reader BYPASSRLS`,
  );
  for (const name of ["shop", "second"]) {
    const url = await emptyDatabase(postgres, name);
    await query(
      url,
      `GRANT CREATE ON SCHEMA public TO mallory; CREATE SCHEMA own; CREATE TABLE own.parts (id int PRIMARY KEY, whole int REFERENCES own.parts);
       INSERT INTO own.parts VALUES (1, 1), (2, 1); CREATE TABLE own.log (id int); CREATE TABLE own.scratch (id serial, part int) PARTITION BY RANGE (id);
       CREATE TABLE own.scratch_1 PARTITION OF own.scratch FOR VALUES FROM (0) TO (9); CREATE VIEW own.seen AS SELECT * FROM own.parts;
       ALTER TABLE own.parts ENABLE ROW LEVEL SECURITY; CREATE POLICY every ON own.parts USING (true)`,
    );
    expect(await shadow(name)).toBeGreaterThan(1000);
  }
}, 120_000);
afterAll(() => postgres.stop());

let sandbox: Sandbox;
afterEach(() => {
  sandbox.remove();
});
beforeEach(() => {
  sandbox = new Sandbox(as("chief", "shop"));
});

async function succeeds(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sandbox.run(...args);
  expect(code, `${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
  return stdout;
}

describe("who may create functions in public", () => {
  it("would run code as every role that asks with public in its path", async () => {
    await query(postgres.url("postgres"), "CREATE DATABASE control TEMPLATE shop");
    const asked =
      "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace LIMIT 1";
    await query(as("chief", "control"), asked);
    expect(ran()).toEqual([expect.stringContaining("format"), "a program"]);
    // Each of the following looks at a log that ends here.
    await query(
      postgres.url("postgres"),
      `COPY (SELECT 1) TO PROGRAM 'rm ${proof}; : > ${join(postgres.directory, "log")}'`,
    );
    await query(postgres.url("postgres"), "DROP DATABASE control");
    expect(ran()).toEqual([]);
  });

  const ways = [
    ["one database", {}],
    ["a parallel dump", { jobs: 2 }],
    ["chosen tables", { include: ["own"], exclude: ["own.scratch*"], excludeData: ["own.log"] }],
    ["several databases", { databases: ["shop", "second"] }],
  ] as const;
  const paths = ["default", '"$user", public, pg_catalog'];
  const cases = ROLES.flatMap((role) =>
    ways.flatMap(([way, choice]) => paths.map((path) => ({ role, way, choice, path }))),
  );
  it.each(cases)("runs nothing as $role, with $way and search_path $path", async ({ role, way, choice, path }) => {
    for (const each of ROLES)
      await query(
        postgres.url("postgres"),
        `ALTER ROLE ${each} ${path === "default" ? "RESET search_path" : `SET search_path = ${path}`}`,
      );
    const database = { kind: "postgres", url: { env: "APP_URL" }, ...choice };
    sandbox.job = { ...sandbox.job, database, drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true } };
    Object.assign(sandbox.environment, {
      APP_URL: as(role, "shop"),
      DRILL_URL: as("chief", "postgres"),
      TARGET_URL: as("chief", "target"),
    });
    await succeeds("doctor");
    await succeeds("backup");
    await succeeds("verify");
    await emptyDatabase(postgres, "target");
    const which = way === "several databases" ? ["--database", "second"] : [];
    if (which.length === 0) await succeeds("drill");
    await succeeds("restore", "--to", "env:TARGET_URL", ...which, ...(role === "chief" ? ["--jobs", "2"] : []));
    // What is restored shadows again, also for who asks the target whether it is empty.
    const again = await sandbox.run("restore", "--to", "env:TARGET_URL", ...which);
    expect([again.code, again.stderr]).toEqual([expect.any(Number), expect.stringMatching(/is not empty/)]);
    await succeeds("prune");
    expect(ran()).toEqual([]);
    const [row] = await query<{ parts: number }>(
      postgres.url("target"),
      "SELECT pg_catalog.count(*)::int AS parts FROM own.parts",
    );
    expect(row?.parts).toBe(2);
  });
});
