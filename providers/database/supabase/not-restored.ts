import type { Omission } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { DATA_SCHEMAS, PLATFORM_PUBLICATIONS, PLATFORM_ROLES, PROVIDED_SCHEMAS, sqlList } from "./platform.ts";

/** What no restore of a project makes, by name: each query gives rows of `name`. */
const NOT_RESTORED: readonly {
  readonly artifact: string;
  readonly reason: (names: string) => string;
  readonly query: string;
}[] = [
  {
    artifact: "settings of the database",
    reason: (names) =>
      `A restore leaves out settings of the database, and of roles in it: ${names}. Set them again (ALTER DATABASE … SET).`,
    query: `
      SELECT concat_ws(' of ', split_part(setting, '=', 1), nullif(setrole, 0)::regrole) AS name
      FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase, unnest(setconfig) AS setting
      WHERE datname = current_database() ORDER BY name`,
  },
  {
    artifact: "comments on extensions",
    reason: (names) =>
      `Extensions belong to the platform, and so do comments on them: yours on ${names} are not restored.`,
    query: `
      SELECT quote_ident(extname) AS name FROM pg_extension AS e JOIN pg_available_extensions ON name = extname
      WHERE obj_description(e.oid, 'pg_extension') IS DISTINCT FROM comment ORDER BY extname`,
  },
  {
    artifact: "the platform's schemas",
    reason: (names) => `The target's platform makes its own schemas. What differs in yours is not restored: ${names}.`,
    query: `
      SELECT format('the comment on schema %s', nspname) AS name FROM pg_namespace AS n
      WHERE nspname IN (${sqlList(DATA_SCHEMAS)}) AND obj_description(n.oid, 'pg_namespace') IS NOT NULL
      UNION ALL SELECT format('no privilege USAGE of %s on schema %s', rolname, nspname) FROM pg_namespace AS n, pg_roles AS r
      WHERE nspname IN (${sqlList(DATA_SCHEMAS)}) AND rolname IN ('anon', 'authenticated', 'service_role') AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
      ORDER BY name`,
  },
  {
    artifact: "publications of all tables",
    reason: (names) =>
      `The platform's publications get their tables one by one at a restore: ${names} is not FOR ALL TABLES then.`,
    query: `SELECT quote_ident(pubname) AS name FROM pg_publication WHERE pubname IN (${sqlList(PLATFORM_PUBLICATIONS)}) AND puballtables ORDER BY pubname`,
  },
  {
    artifact: "types and sequences in the platform's schemas",
    reason: (names) =>
      `Types and sequences of yours in schemas of the platform are not restored into another project: ${names}.`,
    query: `
      SELECT name FROM (
        SELECT t.oid::regtype::text AS name, typowner AS owner, typnamespace AS schema, 'pg_type'::regclass AS class, t.oid FROM pg_type AS t
          WHERE typtype IN ('d', 'e', 'r') OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c')
        UNION ALL SELECT c.oid::regclass::text, relowner, relnamespace, 'pg_class'::regclass, c.oid FROM pg_class AS c
          WHERE relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('a', 'i'))
      ) AS objects JOIN pg_namespace AS n ON n.oid = schema
      WHERE nspname IN (${sqlList(PROVIDED_SCHEMAS)}) AND nspname NOT IN ('cron', 'pgmq')
        AND (owner::regrole::text = 'postgres' OR owner::regrole::text NOT IN (${sqlList(PLATFORM_ROLES)}))
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = objects.oid AND deptype = 'e')
      ORDER BY name`,
  },
];

/** What a project has and no restore makes in another one. */
export async function notRestored(control: ControlConnection): Promise<Omission[]> {
  const omitted: Omission[] = [];
  for (const { artifact, reason, query } of NOT_RESTORED) {
    const rows = await control.query<{ name: string }>(query);
    if (rows.length > 0) omitted.push({ artifact, reason: reason(rows.map(({ name }) => name).join(", ")) });
  }
  return omitted;
}
