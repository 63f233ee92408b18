import { Readable } from "node:stream";
import { z } from "zod";
import { ProviderError } from "../../errors.ts";
import type { DatabaseArtifact } from "../database.ts";
import type { ControlConnection } from "../postgres/control-connection.ts";
import { everything, inScope, type Scope, scopeValuesOfRows } from "../postgres/scope.ts";
import { readText } from "../postgres/sql-text.ts";
import { dataSchemas, platformPublications, platformRoles, platformSchemas, sqlList } from "./platform.ts";

/** Tables above this size are not counted, in bytes: reading a gigabyte a second time takes seconds, a terabyte an hour. */
const countLimit = 1024 ** 3;

/** What a project's database held at the snapshot's moment, to compare a restored one with. */
const Inventory = z.strictObject({
  format: z.literal(1),
  /** Rows by table; null where the table is too large to be counted beside the dump. */
  rows: z.record(z.string(), z.int().nullable()),
  /** By kind and name: a fingerprint of the definition. */
  objects: z.record(z.string(), z.record(z.string(), z.string())),
  users: z.strictObject({
    all: z.int(),
    /** How many have a password. */
    withPassword: z.int(),
    /** A fingerprint of all ids with their password hashes. */
    passwords: z.string(),
  }),
});

/** What a project's database held; see the schema of the same name. */
export type Inventory = z.output<typeof Inventory>;

/**
 * The inventory as a part of a backup. Definitions are looked at now, because some of what the catalogue says is not of the
 * snapshot but of the moment of the question; rows are counted when the part is read.
 *
 * @param scope what the dump is without
 * @param chosen what of that the job says
 */
export async function inventoryPart(
  control: ControlConnection,
  scope: Scope,
  chosen: Scope,
): Promise<DatabaseArtifact> {
  const definitions = await takeDefinitions(control, chosen);
  return {
    name: "inventory.json",
    format: "inventory",
    required: true,
    covers: [
      "what a restored project is compared with: numbers of rows, fingerprints of definitions and password hashes",
    ],
    open: () =>
      Readable.from(
        (async function* () {
          yield Buffer.from(JSON.stringify({ ...definitions, rows: await countRows(control, scope) }));
        })(),
      ),
  };
}

/** Reads an inventory. `INTEGRITY` where it is none. */
export async function readInventory(name: string, bytes: Readable): Promise<Inventory> {
  const damaged = (what: string): ProviderError =>
    new ProviderError("INTEGRITY", `${name} cannot be used: it ${what}.`);
  const text = await readText(bytes, damaged);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged("is not JSON, so it is cut off");
  }
  const parsed = Inventory.safeParse(value);
  if (!parsed.success) throw damaged("is no inventory of a database");
  return parsed.data;
}

/** Looks at a database; inside a transaction, for one moment's view. The connection's `search_path` must be empty. */
export async function takeInventory(control: ControlConnection, scope: Scope): Promise<Inventory> {
  return { ...(await takeDefinitions(control, everything)), rows: await countRows(control, scope) };
}

async function takeDefinitions(control: ControlConnection, without: Scope): Promise<Omit<Inventory, "rows">> {
  const objects: Record<string, Record<string, string>> = {};
  for (const [kind, query] of Object.entries(kinds)) {
    const rows = await control.query<{ name: string; definition: string }>(query);
    const kept = rows.filter(({ name }) => !belongsTo(without, kind, name));
    objects[kind] = Object.fromEntries(kept.map(({ name, definition }) => [name, definition]));
  }
  const [users] = await control.query<{ all: number; withPassword: number; passwords: string | null }>(
    `SELECT count(*)::int AS all, count(encrypted_password)::int AS "withPassword",
       md5(string_agg(md5(id || coalesce(encrypted_password, '')), '' ORDER BY id)) AS passwords FROM auth.users`,
  );
  if (users === undefined) throw new ProviderError("INTERNAL", "count(*) gave no row.");
  return { format: 1, objects, users: { ...users, passwords: users.passwords ?? "" } };
}

/** The tables whose rows are in the backup; those of the queues are in a part of their own. */
export function countedTables(control: ControlConnection, scope: Scope): Promise<{ name: string; size: string }[]> {
  return control.query<{ name: string; size: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name, pg_table_size(c.oid) AS size FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema$)' AND (${inScope("nspname", "relname")}
       OR nspname = 'pgmq' AND relname ~ '^[qa]_')
     ORDER BY name`,
    scopeValuesOfRows(scope),
  );
}

async function countRows(control: ControlConnection, scope: Scope): Promise<Record<string, number | null>> {
  const rows: Record<string, number | null> = {};
  for (const { name, size } of await countedTables(control, scope)) {
    if (Number(size) > countLimit) {
      rows[name] = null;
      continue;
    }
    const [found] = await control.query<{ count: string }>(`SELECT count(*) AS count FROM ONLY ${name}`);
    rows[name] = Number(found?.count);
  }
  return rows;
}

/** Whether an object's name begins with that of a schema or table which is left out. */
function belongsTo({ schemas, tables }: Scope, kind: string, name: string): boolean {
  const part = String.raw`("(?:[^"]|"")*"|[^\s".(]+)`;
  const begins = new RegExp(
    kind === "table in a publication" ? `^${part} ${part}\\.${part}` : `^${part}(?:\\.${part})?`,
  );
  const found = begins.exec(name)?.slice(kind === "table in a publication" ? 2 : 1) ?? [];
  const [schema = "", table] = found;
  const unquoted = schema.startsWith('"') ? schema.slice(1, -1).replaceAll('""', '"') : schema;
  return schemas.includes(unquoted) || (table !== undefined && tables.includes(`${schema}.${table}`));
}

const all = "nspname !~ '^(pg_|information_schema$)'";
const own = `${all} AND nspname NOT IN (${sqlList([...platformSchemas, ...dataSchemas])})`;
const notOfExtension = (catalogue: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend WHERE classid = '${catalogue}'::regclass AND objid = ${oid} AND deptype = 'e')`;
const privileges = (acl: string, kind: string, owner: string): string =>
  // The owner's own privileges go with the owner; MAINTAIN is new in 17 and part of ALL there.
  `(SELECT string_agg(concat_ws(' ', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type, is_grantable), ', '
      ORDER BY grantee::regrole::text, privilege_type)
    FROM aclexplode(coalesce(${acl}, acldefault(${kind}, ${owner})))
    WHERE grantee NOT IN (${owner}, (SELECT oid FROM pg_roles WHERE rolname = 'postgres')) AND privilege_type <> 'MAINTAIN')`;

/** Queries of `name` and `definition`, which is the same on every server that has the same. */
const kinds: Readonly<Record<string, string>> = {
  schema: `SELECT quote_ident(nspname) AS name, coalesce(${privileges("nspacl", "'n'", "nspowner")}, '') AS definition FROM pg_namespace WHERE ${own}`,
  table: `
    SELECT c.oid::regclass::text AS name, concat_ws(' | ', relkind, relrowsecurity, relforcerowsecurity,
      (SELECT md5(string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ',' ORDER BY attnum))
       FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
      ${privileges("relacl", "'r'", "relowner")}) AS definition
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${own} AND relkind IN ('r', 'p', 'v', 'm', 'f') AND ${notOfExtension("pg_class", "c.oid")}`,
  "function or procedure": `
    SELECT p.oid::regprocedure::text AS name, concat_ws(' | ', md5(prosrc), prosecdef, proconfig, ${privileges("proacl", "'f'", "proowner")}) AS definition
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace WHERE ${own} AND ${notOfExtension("pg_proc", "p.oid")}`,
  constraint: `
    SELECT concat_ws(' ', conrelid::regclass, quote_ident(conname)) AS name, md5(pg_get_constraintdef(k.oid)) AS definition
    FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = connamespace WHERE ${own} AND contype <> 'n' AND conrelid <> 0`,
  index: `
    SELECT concat_ws(' ', indrelid::regclass, quote_ident(relname)) AS name, md5(pg_get_indexdef(indexrelid)) AS definition
    FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${own}`,
  policy: `
    SELECT concat_ws(' ', polrelid::regclass, quote_ident(polname)) AS name, md5(concat_ws(' | ', polcmd, polpermissive,
      (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ',' ORDER BY r::regrole::text) FROM unnest(polroles) AS r),
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))) AS definition
    FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${all} AND nspname <> 'cron'`,
  trigger: `
    SELECT concat_ws(' ', tgrelid::regclass, quote_ident(tgname)) AS name, md5(concat_ws(' ', tgenabled, pg_get_triggerdef(t.oid))) AS definition
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE NOT tgisinternal AND tgparentid = 0 AND ${all} AND nspname NOT IN ('cron', 'vault', 'realtime', 'supabase_functions')`,
  "event trigger": `
    SELECT quote_ident(evtname) AS name, concat_ws(' ', evtevent, evtenabled, evttags) AS definition
    FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = evtfoid JOIN pg_namespace AS n ON n.oid = pronamespace
    WHERE ${own} AND ${notOfExtension("pg_event_trigger", "e.oid")}`,
  "table in a publication": `
    SELECT concat_ws(' ', quote_ident(pubname), format('%I.%I', schemaname, tablename)) AS name, concat_ws(' ', pubinsert, pubupdate, pubdelete, pubtruncate) AS definition
    FROM pg_publication_tables JOIN pg_publication USING (pubname)
    WHERE pubname NOT IN (${sqlList(platformPublications.slice(1))}) AND schemaname <> 'realtime'`,
  "default privilege": `
    SELECT concat_ws(' ', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype) AS name,
      (SELECT string_agg(concat_ws(' ', grantee::regrole, privilege_type, is_grantable), ',' ORDER BY grantee::regrole::text, privilege_type)
       FROM aclexplode(defaclacl) WHERE privilege_type <> 'MAINTAIN') AS definition
    FROM pg_default_acl WHERE defaclrole::regrole::text = 'postgres' OR defaclrole::regrole::text NOT IN (${sqlList(platformRoles)})`,
  extension: `SELECT quote_ident(extname) AS name, concat_ws(' in ', extversion, extnamespace::regnamespace) AS definition FROM pg_extension WHERE extname <> 'plpgsql'`,
};
