import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { query } from "../../tools/query.ts";

const run = promisify(execFile);

/** What a project holds, as PostgreSQL's own programs and queries say it: facts by name. */
export type Facts = ReadonlyMap<string, string>;

/**
 * Every entry of `pg_dump --schema-only` of a project.
 *
 * @param url a superuser's
 * @param programs the folder of pg_dump
 */
export async function definitionsOf(url: string, programs: string): Promise<Facts> {
  const { stdout } = await run(join(programs, "pg_dump"), ["--schema-only", url], { maxBuffer: 256 * 1024 * 1024 });
  const facts = new Map<string, string>();
  for (const entry of stdout.split(/^--\n(?=-- Name: )/m).slice(1)) {
    const [, name = "", type = "", schema = ""] =
      /^-- Name: ([^]*?); Type: (.*?); Schema: (.*?); Owner: /m.exec(entry) ?? [];
    const text = entry.replace(/^--.*$/gm, "").trim();
    // Before 17 there was no MAINTAIN, and ALL of then is without it. What psql alone reads has a random key.
    const words = text
      .replaceAll(/,MAINTAIN\b/g, "")
      .replaceAll(/^\\.*$/gm, "")
      .trim();
    facts.set(`${type} ${schema} ${name}`, words);
  }
  return facts;
}

/**
 * A hash of each table's rows, the value of each sequence, and what pg_dump leaves out.
 *
 * @param url a superuser's
 */
export async function rowsOf(url: string): Promise<Facts> {
  const facts = new Map<string, string>();
  const tables = await query<{ name: string }>(
    url,
    // The platform's lists of its own migrations are each project's own.
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'm') AND relispopulated AND (nspname, relname) <> ('storage', 'migrations') AND nspname !~ '^(pg_|information_schema$)'
       AND (nspname NOT IN ('cron', 'vault', 'realtime', 'supabase_functions', 'pgmq') OR nspname = 'pgmq' AND relname ~ '^[qa]_')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e' AND nspname <> 'pgmq')`,
  );
  const hashed = (from: string): string =>
    `SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(to_jsonb(r)::text), '' ORDER BY md5(to_jsonb(r)::text))), '') AS fact FROM ${from} AS r`;
  const questions: Record<string, string> = {
    ...Object.fromEntries(tables.map(({ name }) => [`ROWS ${name}`, hashed(name)])),
    "ROWS jobs": hashed("(SELECT jobname, schedule, command, active FROM cron.job ORDER BY jobid)"),
    "ROWS secrets": hashed("(SELECT name, description, decrypted_secret FROM vault.decrypted_secrets)"),
    "ROWS large objects": hashed("(SELECT oid, lo_get(oid) FROM pg_largeobject_metadata)"),
    "SETTINGS of the database":
      "SELECT string_agg(setrole::regrole || ' ' || setconfig::text, ' ' ORDER BY setrole) AS fact FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase WHERE datname = current_database()",
  };
  for (const { name } of await query<{ name: string }>(
    url,
    "SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE relkind = 'S' AND relnamespace::regnamespace::text !~ '^(pg_|cron)'",
  )) {
    questions[`VALUE ${name}`] = `SELECT last_value || ' ' || is_called AS fact FROM ${name}`;
  }
  for (const [name, question] of Object.entries(questions)) {
    const [row] = await query<{ fact: string | null }>(url, question);
    facts.set(name, row?.fact ?? "");
  }
  return facts;
}

/** The facts that two projects do not share, by name: of the first and of the second. */
export function differencesOf(one: Facts, other: Facts): Map<string, readonly [string, string]> {
  const names = new Set([...one.keys(), ...other.keys()]);
  const differing = [...names].filter((name) => one.get(name) !== other.get(name));
  return new Map(differing.map((name) => [name, [one.get(name) ?? "none", other.get(name) ?? "none"]]));
}
