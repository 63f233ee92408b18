import { query } from "../../tools/query.ts";

/** Settings of a server whose superuser may write its catalogue. */
export const TAKES_UNKNOWN_OPTIONS = { allow_system_table_mods: "on" } as const;

/**
 * Adds an option that no PostgreSQL knows to everything in a database's catalogue that has options, as a minor release may do with
 * values of its own: tables, TOAST tables, views, indexes and columns. No `pg_dump` may be
 * asked about such a database, as it writes out what it finds.
 */
export async function addUnknownOptions(url: string): Promise<void> {
  await query(
    url,
    `UPDATE pg_class SET reloptions = reloptions || '{pg_next_release=1}' WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 't', 'i');
     UPDATE pg_attribute SET attoptions = attoptions || '{pg_next_release=1}' 
     WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 'c'))`,
  );
}

/** Has a database add an option that no PostgreSQL knows to each new table and view, and to their columns, from now on. */
export async function keepAddingUnknownOptions(url: string): Promise<void> {
  await query(
    url,
    `CREATE FUNCTION public.next_release() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
     BEGIN
       UPDATE pg_class SET reloptions = reloptions || '{pg_next_release=1}' WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm')
         AND reloptions::text !~ 'pg_next_release' IS NOT FALSE;
       UPDATE pg_attribute SET attoptions = attoptions || '{pg_next_release=1}'
         WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 'c'))
           AND attoptions::text !~ 'pg_next_release' IS NOT FALSE;
     END $$;
     CREATE EVENT TRIGGER next_release ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW')
       EXECUTE FUNCTION public.next_release()`,
  );
}
