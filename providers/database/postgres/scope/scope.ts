/** What of a database is left out of its dump. */
export interface Scope {
  readonly schemas: readonly string[];
  /** Qualified names, quoted where SQL needs it: what `format('%I.%I', …)` gives. Sequences and views count too. */
  readonly tables: readonly string[];
  /** Tables whose definitions are dumped without their rows, named in the same way. */
  readonly rows: readonly string[];
}

/** Nothing is left out. */
export const EVERYTHING: Scope = { schemas: [], tables: [], rows: [] };

/** The scope as options of pg_dump. Names in quotation marks are no patterns. */
export function scopeOptions({ schemas, tables, rows }: Scope): string[] {
  return [
    ...schemas.map((schema) => `--exclude-schema="${schema.replaceAll('"', '""')}"`),
    ...tables.map((table) => `--exclude-table=${quoteParts(table)}`),
    ...rows.map((table) => `--exclude-table-data=${quoteParts(table)}`),
  ];
}

/** Both parts of a qualified name in quotation marks, those too that SQL does not need. */
export function quoteParts(table: string): string {
  const [, schema = "", name = ""] = /^("(?:[^"]|"")*"|[^"]*?)\.(.*)$/s.exec(table) ?? [];
  return [schema, name].map((part) => (part.startsWith('"') ? part : `"${part}"`)).join(".");
}

/**
 * The scope as a condition of a query whose parameters $1 and $2 are {@link scopeValues}.
 *
 * @param schema the column with the schema's name
 * @param table the column with the table's
 */
export function inScope(schema: string, table: string): string {
  return `${schema} <> ALL($1::text[]) AND format('%I.%I', ${schema}, ${table}) <> ALL($2::text[])`;
}

/** See {@link inScope}. */
export function scopeValues({ schemas, tables }: Scope): [readonly string[], readonly string[]] {
  return [schemas, tables];
}

/** See {@link inScope}, for tables whose rows are in the dump. */
export function scopeValuesOfRows({ schemas, tables, rows }: Scope): [readonly string[], readonly string[]] {
  return [schemas, [...tables, ...rows]];
}

/** The first names of a list that may be long, for a sentence. */
export function someOf(rows: readonly { readonly name: string }[]): string {
  const first = rows.slice(0, 5).map((row) => row.name);
  return rows.length <= first.length ? first.join(", ") : `${first.join(", ")} and ${rows.length - first.length} more`;
}
