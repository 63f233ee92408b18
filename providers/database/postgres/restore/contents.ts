import type { ControlConnection } from "../connect/control-connection.ts";

/** Objects of this database's own: neither the server's nor an extension's. */
const own = (catalogue: string, oid = "oid"): string =>
  `NOT EXISTS (SELECT FROM pg_depend WHERE classid = '${catalogue}'::regclass AND objid = ${oid} AND deptype = 'e')`;
const inOwnSchema = (column: string): string =>
  `${column} IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')`;

const OBJECTS = `
  SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view'
           WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'index' END AS kind
    FROM pg_class WHERE relkind <> 't' AND ${inOwnSchema("relnamespace")} AND ${own("pg_class")}
  UNION ALL SELECT 'function' FROM pg_proc WHERE ${inOwnSchema("pronamespace")} AND ${own("pg_proc")}
  UNION ALL SELECT 'type' FROM pg_type WHERE typtype IN ('d', 'e', 'r') AND ${inOwnSchema("typnamespace")} AND ${own("pg_type")}
  UNION ALL SELECT 'constraint' FROM pg_constraint WHERE ${inOwnSchema("connamespace")} AND ${own("pg_constraint")}
  UNION ALL SELECT 'trigger' FROM pg_trigger WHERE NOT tgisinternal AND ${own("pg_trigger")}
  UNION ALL SELECT 'policy' FROM pg_policy WHERE ${own("pg_policy")}
  UNION ALL SELECT 'publication' FROM pg_publication WHERE ${own("pg_publication")}
  UNION ALL SELECT 'large object' FROM pg_largeobject_metadata
  UNION ALL SELECT 'schema' FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND ${own("pg_namespace")}`;

/** Whether the database holds nothing but what a new one has, and extensions. */
export async function isEmpty(control: ControlConnection): Promise<boolean> {
  const [row] = await control.query<{ empty: boolean }>(`SELECT NOT EXISTS (${OBJECTS}) AS empty`);
  return row?.empty ?? false;
}

/** How many objects of each kind the database holds, without those of extensions. */
export async function countObjects(control: ControlConnection): Promise<Record<string, number>> {
  const rows = await control.query<{ kind: string; count: string }>(
    `SELECT kind, count(*) AS count FROM (${OBJECTS}) AS objects GROUP BY kind ORDER BY kind`,
  );
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)]));
}
