import { Readable } from "node:stream";
import { z } from "zod";
import type { DatabaseArtifact } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { EVERYTHING, inScope, type Scope, scopeValuesOfRows } from "../postgres/scope/scope.ts";
import { damaged, literal, readText } from "../postgres/artifacts/sql-artifact.ts";
import { definitionQueries } from "./definitions.ts";

/** Larger tables are not counted: reading a gigabyte a second time takes seconds, a terabyte an hour. */
const MOST_COUNTED_BYTES = 1024 ** 3;

/** What a project's database held at the snapshot's moment, to compare a restored one with. */
const Inventory = z.strictObject({
  /** 1 was without `serverMajor` and `sequences`, and had other fingerprints. */
  format: z.literal([1, 2]),
  /** The server's major version. */
  serverMajor: z.int().default(0),
  /** Rows by table; null where the table is too large to be counted beside the dump. */
  rows: z.record(z.string(), z.int().nullable()),
  /** By kind and name: a fingerprint of the definition. */
  objects: z.record(z.string(), z.record(z.string(), z.string())),
  /**
   * The value of each sequence before and after it was dumped, as decimal digits: sequences belong to no snapshot, and the backup
   * has one that is not outside of these.
   */
  sequences: z.record(z.string(), z.tuple([z.string(), z.string()])).default({}),
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
 * The inventory as an artifact of a backup. Definitions are read now, because the catalogue's functions answer for the moment of
 * the query and not of the snapshot; rows are counted when the artifact is read.
 *
 * @param scope what the dump leaves out
 * @param chosen what of that the job chose
 */
export async function inventoryPart(
  control: ControlConnection,
  scope: Scope,
  chosen: Scope,
): Promise<DatabaseArtifact> {
  const definitions = await takeDefinitions(control, chosen);
  const before = await readSequences(control, scope);
  return {
    name: "inventory.json",
    format: "inventory",
    required: true,
    covers: [
      "what a restored project is compared with: numbers of rows, values of sequences, fingerprints of definitions and password hashes",
    ],
    open: () =>
      Readable.from(
        (async function* () {
          const after = await readSequences(control, scope);
          const sequences = Object.fromEntries(
            Object.entries(before).map(([name, value]) => [name, inOrder(value, after[name] ?? value)]),
          );
          const rows = await countRows(control, scope);
          yield Buffer.from(JSON.stringify({ ...definitions, sequences, rows } satisfies Inventory));
        })(),
      ),
  };
}

/** Reads an inventory. `INTEGRITY` where it is none. */
export async function readInventory(name: string, bytes: Readable): Promise<Inventory> {
  const text = await readText(name, bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(name, "is not JSON, so it is cut off");
  }
  const { data, success } = Inventory.safeParse(value);
  if (!success) throw damaged(name, "is no inventory of a database");
  return data;
}

/** Takes an inventory, as it is compared with another; inside a transaction, for one moment's view. */
export async function takeInventory(
  control: ControlConnection,
  scope: Scope,
  { serverMajor }: Pick<Inventory, "serverMajor">,
): Promise<Inventory> {
  const definitions = await takeDefinitions(control, EVERYTHING, serverMajor);
  const values = Object.entries(await readSequences(control, scope));
  const sequences = Object.fromEntries(values.map(([name, value]) => [name, inOrder(value, value)]));
  return { ...definitions, sequences, rows: await countRows(control, scope) };
}

async function takeDefinitions(
  control: ControlConnection,
  without: Scope,
  comparedWith?: number,
): Promise<Omit<Inventory, "rows" | "sequences">> {
  const objects: Record<string, Record<string, string>> = {};
  for (const [kind, query] of Object.entries(definitionQueries(control.serverMajor, comparedWith))) {
    const rows = await control.query<{ name: string; definition: string; ofPlatform?: boolean }>(query);
    const kept = rows.filter(
      ({ name, ofPlatform }) => !(comparedWith === undefined && ofPlatform === true) && !belongsTo(without, kind, name),
    );
    objects[kind] = Object.fromEntries(kept.map(({ name, definition }) => [name, definition]));
  }
  const users = await control.one<{ all: number; withPassword: number; passwords: string | null }>(
    `SELECT count(*)::int AS all, count(encrypted_password)::int AS "withPassword",
       md5(string_agg(md5(id || coalesce(encrypted_password, '')), '' ORDER BY id)) AS passwords FROM auth.users`,
  );
  return {
    format: 2,
    serverMajor: control.serverMajor,
    objects,
    users: { ...users, passwords: users.passwords ?? "" },
  };
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
    if (Number(size) > MOST_COUNTED_BYTES) {
      rows[name] = null;
      continue;
    }
    const { count } = await control.one<{ count: string }>(`SELECT count(*) AS count FROM ONLY ${name}`);
    rows[name] = Number(count);
  }
  return rows;
}

/** Sequences that are read by one query. */
const BATCH = 200;

/** The last value that each sequence has given, as decimal digits: the one before its first where it has given none. */
async function readSequences(control: ControlConnection, scope: Scope): Promise<Record<string, string>> {
  const names = await control.query<{ name: string; increment: string }>(
    // One that was dropped or renamed since the snapshot cannot be read any more, and pg_dump says so.
    `SELECT c.oid::regclass::text AS name, seqincrement AS increment
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_sequence ON seqrelid = c.oid
     WHERE nspname !~ '^(pg_|information_schema$)' AND CASE relkind WHEN 'S' THEN relpersistence <> 't' AND has_sequence_privilege(c.oid, 'SELECT') ELSE false END
       AND to_regclass(format('%I.%I', nspname, relname)) = c.oid AND ${inScope("nspname", "relname")}
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
     ORDER BY name`,
    scopeValuesOfRows(scope),
  );
  const values: Record<string, string> = {};
  for (let from = 0; from < names.length; from += BATCH) {
    const queries = names
      .slice(from, from + BATCH)
      .map(
        ({ name, increment }) =>
          `SELECT ${literal(name)} AS name, (last_value - CASE WHEN is_called THEN 0 ELSE ${increment}::numeric END)::text AS value FROM ${name}`,
      );
    for (const { name, value } of await control.query<{ name: string; value: string }>(queries.join(" UNION ALL "))) {
      values[name] = value;
    }
  }
  return values;
}

function inOrder(one: string, other: string): [string, string] {
  return BigInt(one) <= BigInt(other) ? [one, other] : [other, one];
}

/** Whether an object's name begins with that of a schema or table which is left out. */
function belongsTo({ schemas, tables }: Scope, kind: string, name: string): boolean {
  const part = String.raw`("(?:[^"]|"")*"|[^\s".(]+)`;
  const before = beforeObject(kind, part);
  const begins = new RegExp(`^${before === undefined ? "" : `${before} `}${part}(?:\\.${part})?`);
  const found = begins.exec(name)?.slice(before === undefined ? 1 : 2) ?? [];
  const [schema = "", table] = found;
  const unquoted = schema.startsWith('"') ? schema.slice(1, -1).replaceAll('""', '"') : schema;
  return schemas.includes(unquoted) || (table !== undefined && tables.includes(`${schema}.${table}`));
}

/** What stands in a name before the object: a publication, a role with a letter, or a word for what it is. */
function beforeObject(kind: string, part: string): string | undefined {
  if (kind === "table in a publication") return part;
  if (kind === "default privilege") return `${part} [a-zA-Z]`;
  return kind.endsWith(" of the") ? "([a-z]+)" : undefined;
}
