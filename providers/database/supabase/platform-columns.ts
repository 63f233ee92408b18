import { text } from "node:stream/consumers";
import { ProviderError } from "../../errors.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { someOf } from "../postgres/scope/scope.ts";
import { REMOVED_DEFINITIONS } from "./platform-definitions.ts";
import { DATA_SCHEMAS, sqlList } from "./platform.ts";
import { NAME, TABLE, withoutValues } from "./platform-objects.ts";

/** As pg_dump writes a table: a line for each column. */
const DEFINITION = /^CREATE TABLE (\S+) \(\n(.*?)\n\)/gms;
const COLUMN = /^ {4}("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*) .*?(?=,?$)/gm;
const ADDED = new RegExp(`^ALTER TABLE (${TABLE}) ADD COLUMN IF NOT EXISTS (${NAME}) `);
const REMOVED: ReadonlySet<string> = new Set(REMOVED_DEFINITIONS.column);

/** How the columns of a target's platform differ from the backup's. */
export interface ColumnDifferences {
  /** Tables that Supabase's later migrations have removed. */
  readonly tables: ReadonlySet<string>;
  /** Columns that they have removed from other tables, by table. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** The statements that add those of people's columns that the target lacks. */
  readonly added: ReadonlySet<string>;
}

/**
 * Checks that the target's platform has the columns that the backup has rows of, or can get them: its version may be older, and
 * people add columns.
 *
 * @param definitions the platform's tables, as pg_restore writes them
 * @param added the statements of the backup that add people's columns
 * @throws {ProviderError} `CONFLICT` where columns are missing
 */
export async function requireColumns(
  control: ControlConnection,
  definitions: AsyncIterable<Buffer>,
  added: readonly string[],
): Promise<ColumnDifferences> {
  const found = await control.query<{ table: string; column: string; owned: boolean }>(
    `SELECT format('%I.%I', nspname, relname) AS table, quote_ident(attname) AS column, pg_has_role('postgres', relowner, 'USAGE') AS owned
     FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE nspname IN (${sqlList(DATA_SCHEMAS)}) AND attnum > 0 AND NOT attisdropped`,
  );
  const there = new Set(found.map(({ table, column }) => `${table}.${column}`));
  const owned = new Map(found.map((each) => [each.table, each.owned]));
  const own = new Map(added.map((sql) => [ADDED.exec(sql)?.slice(1, 3).join(".") ?? "", sql]));
  const missing: { name: string; sql: string }[] = [];
  const tables = new Set<string>();
  const columns = new Map<string, string[]>();
  for (const [, table = "", body = ""] of (await text(definitions)).matchAll(DEFINITION)) {
    const lines = [...body.matchAll(COLUMN)];
    if (!owned.has(table) && lines.every(([, column = ""]) => REMOVED.has(`${table}.${column}`))) {
      tables.add(table);
      continue;
    }
    for (const [line, column = ""] of lines) {
      const name = `${table}.${column}`;
      // No row has the value of a generated one.
      if (there.has(name) || line.includes(" GENERATED ALWAYS AS (")) continue;
      if (REMOVED.has(name)) columns.set(table, [...(columns.get(table) ?? []), column]);
      else if (!own.has(name) || owned.get(table) !== true)
        missing.push({ name, sql: `ALTER TABLE ${table} ADD COLUMN ${withoutValues(line.trim())}` });
    }
  }
  if (missing.length === 0) {
    const lacking = [...own].filter(([name]) => name !== "" && !there.has(name));
    return { tables, columns, added: new Set(lacking.map(([, sql]) => sql)) };
  }
  throw new ProviderError(
    "CONFLICT",
    `The target's tables of Auth and Storage lack columns that the backup has: ${someOf(missing)}. Nothing was restored.`,
    {
      fix:
        "Of Supabase's own columns: bring the target's Auth and Storage to the version of the source or a newer one. Of yours: have " +
        `the table's owner run: ${missing.map(({ sql }) => sql).join("; ")}. Then restore again.`,
    },
  );
}

/** A statement of {@link ColumnDifferences.added} that does nothing where a type or function that it needs is not there yet. */
export function ifPossible(sql: string): string {
  const states = ["42704", "42883", "3F000", "42P01"].map((state) => `SQLSTATE '${state}'`).join(" OR ");
  return `DO ${quoted(`BEGIN EXECUTE ${quoted(sql)}; EXCEPTION WHEN ${states} THEN NULL; END`)}`;
}

/** Whether a statement of the backup adds a column. */
export function addsColumn(sql: string): boolean {
  return ADDED.test(sql);
}

function quoted(sql: string): string {
  return `'${sql.replaceAll("'", "''")}'`;
}

const HEADER = /^COPY (\S+) \((.*)\) FROM stdin;\n/m;
const ROWS = "pg_temp.provision_rows";

/**
 * The rows of one table, as pg_restore writes them, without columns that the target lacks.
 *
 * @param lacking the columns, quoted where needed
 */
export async function* rowsWithout(
  lacking: readonly string[],
  rows: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer | string> {
  let head = "";
  let after = "";
  for await (const chunk of rows) {
    if (after !== "") {
      yield chunk;
      continue;
    }
    head += chunk.toString("latin1");
    const [line, table = "", list = ""] = HEADER.exec(head) ?? [];
    if (line === undefined) continue;
    const columns = list.match(/"(?:[^"]|"")+"|[^\s,]+/g) ?? [];
    const kept = columns.filter((column) => !lacking.includes(column)).join(", ");
    const added = lacking.map((column) => `ADD COLUMN ${column} text`).join(", ");
    after =
      `INSERT INTO ${table} (${kept}) OVERRIDING SYSTEM VALUE SELECT ${kept} FROM ${ROWS};\n` + `DROP TABLE ${ROWS};\n`;
    const [before = "", ...rest] = head.split(line);
    yield Buffer.from(
      `${before}CREATE TEMPORARY TABLE provision_rows AS SELECT ${kept} FROM ${table} WITH NO DATA;\n` +
        `ALTER TABLE ${ROWS} ${added};\nCOPY ${ROWS} (${list}) FROM stdin;\n${rest.join(line)}`,
      "latin1",
    );
  }
  yield after;
}
