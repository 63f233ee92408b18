import type { Omission } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { PLATFORM_DEFINITIONS } from "./platform-definitions.ts";
import { DATA_SCHEMAS, sqlList } from "./platform.ts";

/** What becomes of each kind of change at a restore. */
const CONSEQUENCES: Readonly<Record<string, string>> = {
  column: "The backup has their values, and a restore refuses a target without them: add them there first.",
  index: "No part has them: create them after a restore.",
  constraint: "No part has them: add them after a restore.",
  comment: "No part has them: set them after a restore.",
};

/**
 * What people changed on the tables of `auth` and `storage`, which a restore takes from the target's platform. A platform that is
 * newer than {@link PLATFORM_DEFINITIONS} has definitions of its own that count as changed.
 */
export async function changedDefinitions(control: ControlConnection): Promise<Omission[]> {
  const rows = await control.query<{ kind: string; name: string; shown: string }>(
    `WITH tables AS (
       SELECT c.oid, nspname, relname, format('%I.%I', nspname, relname) AS shown FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
       WHERE nspname IN (${sqlList(DATA_SCHEMAS)}) AND relkind IN ('r', 'p')
         AND nspname || '.' || relname IN (SELECT substring(known FROM '^[^.]+[.][^.]+') FROM unnest($1::text[]) AS known)
     ), found AS (
       SELECT 'column' AS kind, t.*, attname AS name, col_description(t.oid, attnum) AS comment
         FROM tables AS t JOIN pg_attribute ON attrelid = t.oid WHERE attnum > 0 AND NOT attisdropped
       UNION ALL SELECT 'constraint', t.*, conname, obj_description(k.oid, 'pg_constraint')
         FROM tables AS t JOIN pg_constraint AS k ON conrelid = t.oid WHERE contype NOT IN ('n', 't')
       UNION ALL SELECT 'index', t.*, c.relname, obj_description(c.oid, 'pg_class')
         FROM tables AS t JOIN pg_index ON indrelid = t.oid JOIN pg_class AS c ON c.oid = indexrelid
         WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
     )
     SELECT kind, concat_ws('.', nspname, relname, name) AS name, shown || '.' || quote_ident(name) AS shown FROM found
     UNION ALL SELECT 'comment', concat_ws('.', nspname, relname, name), shown || '.' || quote_ident(name) FROM found WHERE comment IS NOT NULL
     UNION ALL SELECT 'comment', nspname || '.' || relname, shown FROM tables WHERE obj_description(oid, 'pg_class') IS NOT NULL
     ORDER BY 1, 3`,
    [PLATFORM_DEFINITIONS.column],
  );
  return Object.entries(PLATFORM_DEFINITIONS).flatMap(([kind, known]) => {
    const own = rows.filter((row) => row.kind === kind && !known.includes(row.name)).map(({ shown }) => shown);
    if (own.length === 0) return [];
    const reason = `Supabase's own migrations do not make ${own.join(", ")}. ${CONSEQUENCES[kind] ?? ""}`;
    return [{ artifact: `${kind === "index" ? "indexe" : kind}s of yours on the platform's tables`, reason }];
  });
}
