import { wordsOf } from "../postgres/documented.ts";

/**
 * Schemas that belong to the platform or to its extensions, and that are none of a backup: a new project has them already.
 * What people keep inside some of them (jobs, queues, secrets) has parts of its own.
 */
export const PLATFORM_SCHEMAS: readonly string[] = wordsOf(`
  _analytics _realtime _supavisor cron etl extensions graphql graphql_public net pgbouncer pgmq pgsodium
  pgsodium_masks pgtle realtime repack supabase_functions tiger tiger_data topology vault
`);

/** Schemas whose definitions belong to the platform, and whose rows belong to the project. */
export const DATA_SCHEMAS: readonly string[] = ["auth", "storage"];

/** Tables of {@link DATA_SCHEMAS} in which the platform keeps its own state: a restored row would confuse its migrations. */
export const PLATFORM_TABLES: readonly string[] = wordsOf(`
  auth.schema_migrations storage.migrations storage.buckets_vectors storage.vector_indexes storage.iceberg_namespaces
  storage.iceberg_tables
`);

/** Roles that every project has. */
export const PLATFORM_ROLES: readonly string[] = wordsOf(`
  anon authenticated authenticator cli_login_postgres dashboard_user pgbouncer pgsodium_keyholder pgsodium_keyiduser
  pgsodium_keymaker pgtle_admin postgres service_role supabase_admin supabase_auth_admin supabase_etl_admin
  supabase_functions_admin supabase_privileged_role supabase_read_only_user supabase_realtime_admin
  supabase_replication_admin supabase_storage_admin supabase_superuser
`);

/**
 * Functions that the init scripts of supabase/postgres make in `extensions` (migrations/schema-17.sql). On a self-hosted server they
 * belong to `postgres`, as if a person had made them.
 */
const PLATFORM_FUNCTIONS: readonly string[] = wordsOf(`
  grant_pg_cron_access grant_pg_graphql_access grant_pg_net_access pgrst_ddl_watch pgrst_drop_watch set_graphql_placeholder
`);

/** A condition of SQL: the function is the platform's own. */
export function isPlatformFunction(schema: string, name: string): string {
  return `(${schema} = 'extensions' AND ${name} IN (${sqlList(PLATFORM_FUNCTIONS)}))`;
}

/** Publications that every project has; people add tables to the first. */
export const PLATFORM_PUBLICATIONS: readonly string[] = ["supabase_realtime", "supabase_realtime_messages_publication"];

/** Names as an SQL list of strings; they are this file's own. */
export function sqlList(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}

/** Schemas that every project has. */
export const PROVIDED_SCHEMAS: readonly string[] = [...PLATFORM_SCHEMAS, ...DATA_SCHEMAS];

/** A condition of SQL on `nspname`: the schema is one of the project's own. */
export const IN_OWN_SCHEMA = `nspname !~ '^(pg_|information_schema$)' AND nspname NOT IN (${sqlList(PROVIDED_SCHEMAS)})`;

/** A condition of SQL: the object belongs to no extension. */
export function notOfExtension(catalogue: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend WHERE classid = '${catalogue}'::regclass AND objid = ${oid} AND deptype = 'e')`;
}
