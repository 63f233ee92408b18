/**
 * Writes providers/database/supabase/platform-definitions.ts from the migrations of Auth and Storage:
 *
 *     node tools/platform-definitions.ts --auth <clone of supabase/auth> --storage <clone of supabase/storage>
 *
 * Runs each migration on a throwaway server and reads the catalogue after it, so that what a later migration removes is known, too.
 * Run it when upstream has new migrations, and then the tests in test/providers/database/supabase.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { Client } from "pg";
import { format } from "prettier";
import { TABLE_DEFINITIONS, type TableDefinition } from "../providers/database/supabase/table-definitions.ts";
import { startPostgres } from "./postgres.ts";
import { query } from "./query.ts";

const run = promisify(execFile);
const OUTPUT = new URL("../providers/database/supabase/platform-definitions.ts", import.meta.url);
const ROLES =
  "anon authenticated authenticator dashboard_user postgres service_role supabase_auth_admin supabase_storage_admin"
    .split(" ")
    .map((role) => `CREATE ROLE ${role}`)
    .join("; ");
const { values: options } = parseArgs({ options: { auth: { type: "string" }, storage: { type: "string" } } });

/** What a schema's migrations make, in the order in which its server runs them. */
interface Source {
  readonly schema: string;
  readonly folder: string;
  readonly files: readonly string[];
  /** The repository and its newest commit. */
  readonly version: string;
}

const sources = await Promise.all([
  sourceOf("auth", options.auth, "migrations", /\.up\.sql$/),
  sourceOf("storage", options.storage, "migrations/tenant", /\.sql$/),
]);
const server = await startPostgres({ superuser: "supabase_admin" });
try {
  const ever = new Map<string, TableDefinition>();
  const keep = (found: readonly TableDefinition[]): void => {
    for (const each of found) ever.set(keyOf(each), each);
  };
  await migrate(true, keep);
  const newest = await migrate(false, keep);
  await writeFile(
    OUTPUT,
    await format(moduleOf([...ever.values()], newest), { parser: "typescript", printWidth: 120 }),
  );
} finally {
  await server.stop();
}

/**
 * Runs all migrations in a database of their own, and returns what is there at the end.
 *
 * @param ignored whether those run, too, that only earlier versions of the servers ran
 * @param keep takes what is there after each
 */
async function migrate(
  ignored: boolean,
  keep: (found: readonly TableDefinition[]) => void,
): Promise<readonly TableDefinition[]> {
  const database = ignored ? "with_ignored" : "as_of_today";
  await query(server.url("postgres"), `CREATE DATABASE ${database}`);
  const client = new Client({ connectionString: server.url(database) });
  await client.connect();
  if (ignored) await client.query(ROLES);
  await client.query("CREATE SCHEMA auth; CREATE SCHEMA storage");
  let found: readonly TableDefinition[] = [];
  for (const { schema, folder, files } of sources) {
    for (const file of files) {
      const sql = await readFile(join(folder, file), "utf8");
      if (!ignored && sql.includes("-- postgres-migrations ignore")) continue;
      await client.query(`SET search_path = ${schema}, public`);
      // A text of one statement alone can create an index concurrently.
      await client.query(sql.replaceAll(/\{\{ *index \.Options "Namespace" *\}\}/g, "auth"));
      await client.query("SET search_path = ''");
      found = (await client.query<TableDefinition>(TABLE_DEFINITIONS)).rows;
      keep(found);
    }
  }
  await client.end();
  return found;
}

async function sourceOf(schema: string, clone: string | undefined, below: string, names: RegExp): Promise<Source> {
  const repository = `supabase/${schema}`;
  if (clone === undefined) throw new Error(`Say where a clone of ${repository} is; see the head of this file.`);
  const folder = join(clone, below);
  const files = (await readdir(folder)).filter((name) => names.test(name));
  const { stdout } = await run("git", ["-C", clone, "log", "-1", "--format=%h, %cs"]);
  return {
    schema,
    folder,
    // They differ in the number of leading zeros.
    files: files.sort((a, b) => parseInt(a, 10) - parseInt(b, 10)),
    version: `${repository} (${stdout.trim()})`,
  };
}

function keyOf({ kind, table, name }: TableDefinition): string {
  return `${kind} ${table} ${name}`;
}

function moduleOf(ever: readonly TableDefinition[], newest: readonly TableDefinition[]): string {
  const kept = new Set(newest.map(keyOf));
  const kinds = [...new Set(ever.map(({ kind }) => kind))].sort();
  const record = (some: readonly TableDefinition[]): string =>
    `{${kinds.map((kind) => `${kind}: namesOf(\`${linesOf(some.filter((each) => each.kind === kind))}\n\`)`).join(", ")}}`;
  return `/**
 * By kind: what the migrations of ${sources.map(({ version }) => version).join(" and ")} have ever made on their
 * tables, as \`schema.table.name\`, of a table itself \`schema.table\`. Indexes are without those of constraints.
 * \`tools/platform-definitions.ts\` writes this file.
 */
export const PLATFORM_DEFINITIONS: Definitions = ${record(ever)};

/** Those of them that a later migration has removed. */
export const REMOVED_DEFINITIONS: Definitions = ${record(ever.filter((each) => !kept.has(keyOf(each))))};

type Definitions = Readonly<Record<${kinds.map((kind) => `"${kind}"`).join(" | ")}, readonly string[]>>;

/** Names after their tables; one of several words is in quotation marks. */
function namesOf(text: string): string[] {
  let table = "";
  return text.match(/"[^"]*"|\\S+/g)?.flatMap((word) => {
    if (!word.endsWith(":")) return [table + (word === '""' ? "" : \`.\${word.replaceAll('"', "")}\`)];
    table = word.slice(0, -1);
    return [];
  }) ?? [];
}
`;
}

/** A line for each table and its names, wrapped. */
function linesOf(some: readonly TableDefinition[]): string {
  const tables = Map.groupBy(some, ({ table }) => table);
  return [...tables]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([table, found]) => {
      const names = found.map(({ name }) => name).sort();
      const lines: string[] = [];
      let line = "";
      for (const word of [`${table}:`, ...names.map((name) => (/^\S+$/.test(name) ? name : `"${name}"`))]) {
        if (line.length + word.length > 115) {
          lines.push(line);
          line = "  ";
        }
        line += ` ${word}`;
      }
      return `\n ${[...lines, line].join("\n ")}`;
    })
    .join("");
}
