import { z } from "zod";
import { ProviderError } from "../../../errors.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import { refuseTorn } from "./torn-selection.ts";
import { type Scope, someOf } from "./scope.ts";

const patterns = (what: string, example: string) =>
  z
    .array(
      z.string().regex(/^[^.]+(\.[^.]+)?$/, { error: "expected a schema, or schema.table, with * and ? as wildcards" }),
    )
    .min(1)
    .optional()
    .describe(`${what} Each entry is a schema or schema.table; * stands for any characters, ? for one. Default: none.`)
    .meta({ examples: [[example]] });

/** The configuration fields that choose what of a database is backed up. */
export const selectionFields = {
  include: patterns("Only these schemas and tables are backed up.", "public"),
  exclude: patterns("These schemas and tables are not backed up.", "public.scratch_*"),
  excludeData: patterns("These tables are backed up without their rows.", "public.http_log"),
};

/** What a configuration chooses; see {@link selectionFields}. */
export interface Selection {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly excludeData?: readonly string[] | undefined;
}

interface Relation {
  readonly schema: string;
  readonly table: string;
  /** Qualified and quoted. */
  readonly name: string;
  /** The partitioned tables above it, and for a sequence the table that owns it. */
  readonly above: readonly string[];
}

/**
 * Finds what a selection leaves out of this database.
 *
 * @param provided schemas whose definitions every database has into which this one is restored, as those of a platform
 * @throws {ProviderError} `CONFIG` where a pattern matches nothing, or what is left could not be restored
 */
export async function resolveSelection(
  control: ControlConnection,
  selection: Selection,
  provided: readonly string[] = [],
): Promise<Scope> {
  const { include = [], exclude = [], excludeData = [] } = selection;
  if (include.length + exclude.length + excludeData.length === 0) return { schemas: [], tables: [], rows: [] };
  const schemas = (
    await control.query<{ name: string }>(
      "SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1",
    )
  ).map(({ name }) => name);
  const relations = await control.query<Relation>(
    `SELECT nspname AS schema, relname AS table, format('%I.%I', nspname, relname) AS name,
       ARRAY(SELECT format('%I.%I', an.nspname, ac.relname) FROM pg_class AS ac JOIN pg_namespace AS an ON an.oid = ac.relnamespace
         WHERE ac.oid IN (SELECT relid FROM pg_partition_ancestors(c.oid) AS relid WHERE relid <> c.oid
           UNION ALL SELECT refobjid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND c.relkind = 'S'
             AND deptype IN ('a', 'i') AND refclassid = 'pg_class'::regclass)) AS above
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY name`,
  );
  for (const pattern of [...include, ...exclude, ...excludeData]) refuseUnknown(pattern, schemas, relations);

  const included = (schema: string): boolean =>
    include.length === 0 || include.some((each) => fitsSchema(each, schema));
  const left = schemas.filter(
    (schema) =>
      exclude.some((each) => fitsSchema(each, schema)) ||
      (!included(schema) && !include.some((each) => each.includes(".") && fitsSchemaOfTable(each, schema))),
  );
  const isOut = (relation: Relation): boolean =>
    exclude.some((each) => fitsTable(each, relation)) ||
    (!included(relation.schema) && !include.some((each) => fitsTable(each, relation)));
  const direct = new Set(relations.filter(isOut).map(({ name }) => name));
  const tables = relations
    .filter(
      ({ schema, name, above }) =>
        !left.includes(schema) && (direct.has(name) || above.some((each) => direct.has(each))),
    )
    .map(({ name }) => name);
  const emptied = new Set(
    relations.filter((relation) => excludeData.some((each) => fitsTable(each, relation))).map(({ name }) => name),
  );
  const rows = relations
    .filter(
      ({ name, above }) => !tables.includes(name) && (emptied.has(name) || above.some((each) => emptied.has(each))),
    )
    .map(({ name }) => name);
  const scope: Scope = { schemas: left, tables, rows };
  await refuseTorn(control, scope, provided);
  return scope;
}

function refuseUnknown(pattern: string, schemas: readonly string[], relations: readonly Relation[]): void {
  const found = pattern.includes(".")
    ? relations.some((relation) => fitsTable(pattern, relation))
    : schemas.some((schema) => fitsSchema(pattern, schema));
  if (found) return;
  const problem = `No schema or table matches ${pattern}, which include, exclude or excludeData names.`;
  throw new ProviderError("CONFIG", problem, {
    fix: `Correct it: a schema, or schema.table. The schemas are ${schemas.join(", ")}.`,
  });
}

/** What the scope leaves out, for people. */
export function describeScope({ schemas, tables, rows }: Scope): string[] {
  const list = (what: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`without, as the job says: ${what} ${someOf(names.map((name) => ({ name })))}`];
  return [...list("the schemas", schemas), ...list("the tables", tables), ...list("the rows of", rows)];
}

function fitsSchema(pattern: string, schema: string): boolean {
  return !pattern.includes(".") && fits(pattern, schema);
}

function fitsSchemaOfTable(pattern: string, schema: string): boolean {
  return fits(pattern.slice(0, pattern.indexOf(".")), schema);
}

function fitsTable(pattern: string, { schema, table }: Relation): boolean {
  const dot = pattern.indexOf(".");
  if (dot === -1) return fits(pattern, schema);
  return fits(pattern.slice(0, dot), schema) && fits(pattern.slice(dot + 1), table);
}

function fits(pattern: string, name: string): boolean {
  const source = pattern
    .replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${source}$`, "u").test(name);
}
