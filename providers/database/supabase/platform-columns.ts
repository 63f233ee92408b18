import { text } from "node:stream/consumers";
import { ProviderError } from "../../errors.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { someOf } from "../postgres/scope/scope.ts";
import { DATA_SCHEMAS, sqlList } from "./platform.ts";
import { withoutValues } from "./platform-objects.ts";

/** As pg_dump writes a table: a line for each column. */
const TABLE = /^CREATE TABLE (\S+) \(\n(.*?)\n\)/gms;
const COLUMN = /^ {4}("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*) .*?(?=,?$)/gm;

/**
 * Checks that the target's platform has the columns that the backup has rows of: its version may be older, and people add columns.
 *
 * @param definitions the platform's tables, as pg_restore writes them
 * @throws {ProviderError} `CONFLICT` where columns are missing
 */
export async function requireColumns(control: ControlConnection, definitions: AsyncIterable<Buffer>): Promise<void> {
  const found = await control.query<{ name: string }>(
    `SELECT format('%I.%I.%I', nspname, relname, attname) AS name
     FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE nspname IN (${sqlList(DATA_SCHEMAS)}) AND attnum > 0 AND NOT attisdropped`,
  );
  const there = new Set(found.map(({ name }) => name));
  const missing: { name: string; sql: string }[] = [];
  for (const [, table = "", body = ""] of (await text(definitions)).matchAll(TABLE)) {
    for (const [line, column = ""] of body.matchAll(COLUMN)) {
      // No row has the value of a generated one.
      if (there.has(`${table}.${column}`) || line.includes(" GENERATED ALWAYS AS (")) continue;
      missing.push({
        name: `${table}.${column}`,
        sql: `ALTER TABLE ${table} ADD COLUMN ${withoutValues(line.trim())}`,
      });
    }
  }
  if (missing.length === 0) return;
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
