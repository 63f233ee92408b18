/** What of a database is left out of its dump. */
export interface Scope {
  readonly schemas: readonly string[];
  /** Qualified names, quoted where SQL needs it: what `format('%I.%I', …)` gives. */
  readonly tables: readonly string[];
}

/** Nothing is left out. */
export const everything: Scope = { schemas: [], tables: [] };

/** The scope as options of pg_dump. Names in quotation marks are no patterns. */
export function scopeOptions({ schemas, tables }: Scope): string[] {
  return [
    ...schemas.map((schema) => `--exclude-schema="${schema.replaceAll('"', '""')}"`),
    ...tables.map((table) => `--exclude-table=${table.replaceAll(/(^|\.)([^".]+)/g, '$1"$2"')}`),
  ];
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
