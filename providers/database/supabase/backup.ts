import { Readable } from "node:stream";
import { counted } from "../../fields/sizes.ts";
import type { DatabaseArtifact, DatabaseBackup, Omission, StoredFile } from "../database.ts";
import { archive, type Layout, rolesOf, type Source } from "../postgres/dump/backup.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { type Scope, someOf } from "../postgres/scope/scope.ts";
import { describeScope, resolveSelection } from "../postgres/scope/selection.ts";
import type { PostgresSettings } from "../postgres/settings.ts";
import { checkedAtEnd } from "../postgres/dump/table-watch.ts";
import { writePart } from "../postgres/artifacts/sql-artifact.ts";
import { countedTables, inventoryPart } from "./inventory.ts";
import {
  DATA_SCHEMAS,
  isPlatformFunction,
  PLATFORM_ROLES,
  PLATFORM_SCHEMAS,
  PLATFORM_TABLES,
  PROVIDED_SCHEMAS,
  sqlList,
} from "./platform.ts";
import { notRestored } from "./not-restored.ts";
import { ownDefinitions } from "./own-definitions.ts";
import { queuesPart, type VaultMode, vaultPart } from "./rows.ts";
import {
  cronJobs,
  defaultPrivileges,
  eventTriggers,
  extensions,
  grants,
  owners,
  platformObjects,
  publications,
  type StatementsPart,
} from "./statements.ts";

/** Whether the database is one of Supabase's, and not some other PostgreSQL's. */
export async function isProject(control: ControlConnection): Promise<boolean> {
  const { project } = await control.one<{ project: boolean }>(
    `SELECT count(*) = 2 AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'supabase_admin')
       AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') AS project
     FROM pg_namespace WHERE nspname IN (${sqlList(DATA_SCHEMAS)})`,
  );
  return project;
}

/** What a Supabase provider needs to know. */
export interface SupabaseSettings extends PostgresSettings {
  readonly vault: VaultMode;
}

/** What a backup of a Supabase project is made of. */
export async function projectLayout(settings: SupabaseSettings, control: ControlConnection): Promise<Layout> {
  const chosen = await resolveSelection(control, settings.selection ?? {}, PROVIDED_SCHEMAS);
  const scope = both(await platformScope(control), chosen);
  const tables = [...(await countedTables(control, scope)), ...(await tablesOfParts(control))];
  return {
    scope,
    tables: tables.map(({ name }) => name),
    parts: (source) => projectParts(source, scope, chosen, settings.vault),
  };
}

/** Tables of the platform that no dump has, and whose rows other parts are made of. */
function tablesOfParts(control: ControlConnection): Promise<{ name: string }[]> {
  return control.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE (nspname, relname) IN (('cron', 'job'), ('pgmq', 'meta'), ('vault', 'secrets')) AND has_table_privilege(c.oid, 'SELECT')`,
  );
}

/** What a backup of this database leaves out, a project's or another's. */
export async function supabaseScope({ selection = {} }: SupabaseSettings, control: ControlConnection): Promise<Scope> {
  const project = await isProject(control);
  const chosen = await resolveSelection(control, selection, project ? PROVIDED_SCHEMAS : []);
  return project ? both(await platformScope(control), chosen) : chosen;
}

function both(platform: Scope, chosen: Scope): Scope {
  return {
    schemas: [...new Set([...platform.schemas, ...chosen.schemas])],
    tables: [...new Set([...platform.tables, ...chosen.tables])],
    rows: chosen.rows,
  };
}

/** The platform's own schemas and tables, and those of its tables that the role may not read. */
export async function platformScope(control: ControlConnection): Promise<Scope> {
  const tables = await control.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname IN (${sqlList(DATA_SCHEMAS)}) AND relkind IN ('r', 'p')
       AND (format('%I.%I', nspname, relname) IN (${sqlList(PLATFORM_TABLES)}) OR NOT has_table_privilege(pg_class.oid, 'SELECT'))
     ORDER BY name`,
  );
  return { schemas: PLATFORM_SCHEMAS, tables: tables.map(({ name }) => name), rows: [] };
}

/** Of what a restore makes on the platform's tables. */
const NEEDS_OWNER =
  "a restore can make these where postgres owns the tables; in hosted projects since April 2025 it does not, and their owner must";

async function projectParts(
  source: Source,
  scope: Scope,
  chosen: Scope,
  vault: VaultMode,
): Promise<Pick<DatabaseBackup, "artifacts" | "omitted" | "storedFiles">> {
  const { control } = source;
  const installed = new Set(
    (await control.query<{ name: string }>("SELECT extname AS name FROM pg_extension")).map(({ name }) => name),
  );
  const own = await ownDefinitions(control, chosen);
  const artifacts: DatabaseArtifact[] = [
    archive(source, scope, [...(await coverOfArchive(control, scope)), ...describeScope(chosen)]),
    rolesOf(source),
  ];
  const omitted: Omission[] = [
    ...unreadable(scope, chosen),
    ...(await leftBehind(control, scope)),
    ...own.omitted,
    ...(await notRestored(control)),
    ...(await calledHooks(control)),
  ];
  const parts = [
    extensions,
    owners,
    platformObjects,
    publications(control.serverMajor),
    grants,
    eventTriggers,
    defaultPrivileges,
    ...(installed.has("pg_cron") ? [cronJobs] : []),
  ];
  for (const part of parts) artifacts.push(await statementsArtifact(source, part, chosen));
  for (const { name, title, contents, statements } of own.parts) {
    artifacts.push(sqlArtifact(name, title, statements, [...contents, NEEDS_OWNER]));
  }
  if (installed.has("pg_cron")) omitted.push(...(await foreignJobs(control)));
  if (installed.has("pgmq")) {
    const queues = await queuesPart(source);
    artifacts.push(queues.artifact);
    omitted.push(...queues.omitted);
  }
  if (installed.has("supabase_vault")) {
    const secrets = await vaultPart(source, vault);
    if (secrets.artifact !== undefined) artifacts.push(secrets.artifact);
    omitted.push(...secrets.omitted);
  }
  // The last, because it counts rows for as long as that takes.
  artifacts.push(watched(await inventoryPart(control, scope, chosen), source));
  return { artifacts, omitted, storedFiles: (buckets) => storedFiles(control, buckets) };
}

/** What is read of tables that pg_dump no longer locks is right if they are unchanged at its end. */
function watched(artifact: DatabaseArtifact, { watch }: Source): DatabaseArtifact {
  if (watch === undefined) return artifact;
  return { ...artifact, open: (signal) => checkedAtEnd(artifact.open(signal), watch) };
}

async function statementsArtifact(
  { control }: Source,
  part: StatementsPart,
  { schemas, tables }: Scope,
): Promise<DatabaseArtifact> {
  const all = await control.query<{
    sql: string;
    schema?: string | null;
    table?: string | null;
    named?: string | null;
  }>(part.query);
  const rows = all.filter(({ schema, table }) => !schemas.includes(schema ?? "") && !tables.includes(table ?? ""));
  const names = [...new Set(rows.flatMap(({ named }) => named ?? []))];
  return sqlArtifact(
    part.name,
    part.title,
    rows.map(({ sql }) => sql),
    names.length === 0 ? [] : [`${part.names ?? part.title}: ${names.join(", ")}`],
  );
}

/** @param contents what it covers beside its title and the number of statements */
function sqlArtifact(
  name: string,
  title: string,
  statements: readonly string[],
  contents: readonly string[] = [],
): DatabaseArtifact {
  const text = writePart(title, statements);
  return {
    name,
    format: "sql",
    required: true,
    covers: [`${title}: ${statements.length === 0 ? "none" : statements.length}`, ...contents],
    open: () => Readable.from([Buffer.from(text)]),
  };
}

async function coverOfArchive(control: ControlConnection, scope: Scope): Promise<string[]> {
  const rows = await control.query<{ schema: string; tables: number }>(
    `SELECT nspname AS schema, count(c.oid)::int AS tables
     FROM pg_namespace AS n LEFT JOIN pg_class AS c ON relnamespace = n.oid AND relkind IN ('r', 'p')
       AND format('%I.%I', nspname, relname) <> ALL($2::text[])
     WHERE nspname !~ '^(pg_|information_schema$)' AND nspname <> ALL($1::text[]) GROUP BY nspname ORDER BY nspname`,
    [scope.schemas, scope.tables],
  );
  return rows.map(({ schema, tables }) => {
    if (schema === "auth") return `auth: users, identities, sessions and ${tables} tables' rows in all`;
    if (schema === "storage")
      return `storage: the rows of ${counted(tables, "table")}, buckets and objects among them; not the files`;
    if (schema === "supabase_migrations")
      return "supabase_migrations: the history of the command-line program's migrations";
    return `schema ${schema}: definitions and the rows of ${counted(tables, "table")}`;
  });
}

/** Tables of the platform that the role may not read, and of which nothing says that they are the platform's own state. */
function unreadable(scope: Scope, chosen: Scope): Omission[] {
  const names = scope.tables.filter((table) => !PLATFORM_TABLES.includes(table) && !chosen.tables.includes(table));
  if (names.length === 0) return [];
  const reason = `The role may not read ${someOf(names.map((name) => ({ name })))}.`;
  return [{ artifact: "tables of the platform", reason }];
}

/** Objects of the user in schemas of the platform: no artifact has them, and the backup must say so. */
async function leftBehind(control: ControlConnection, scope: Scope): Promise<Omission[]> {
  const rows = await control.query<{ name: string }>(
    `SELECT name FROM (
       SELECT c.oid::regclass::text AS name, relowner AS owner, relnamespace AS schema, 'pg_class'::regclass AS class, c.oid
         FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
       UNION ALL SELECT p.oid::regprocedure::text, proowner, pronamespace, 'pg_proc'::regclass, p.oid FROM pg_proc AS p
         WHERE NOT ${isPlatformFunction("pronamespace::regnamespace::text", "proname")}
       UNION ALL SELECT format('trigger %I on %s', tgname, tgrelid::regclass), proowner, pronamespace, 'pg_trigger'::regclass, t.oid FROM pg_trigger AS t
         JOIN pg_class AS c ON c.oid = tgrelid JOIN pg_proc AS p ON p.oid = tgfoid WHERE NOT tgisinternal AND pronamespace = relnamespace
     ) AS objects JOIN pg_namespace AS n ON n.oid = schema
     WHERE (nspname = ANY($1::text[]) AND nspname NOT IN ('cron', 'pgmq') OR nspname IN (${sqlList(DATA_SCHEMAS)}))
       AND (owner::regrole::text = 'postgres' OR owner::regrole::text NOT IN (${sqlList(PLATFORM_ROLES)}))
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = objects.oid AND deptype = 'e')
     ORDER BY name`,
    [scope.schemas],
  );
  if (rows.length === 0) return [];
  const reason =
    `Objects of yours in schemas of the platform are not restored into another project: ${rows.map(({ name }) => name).join(", ")}. ` +
    "Move them to a schema of your own (ALTER … SET SCHEMA).";
  return [{ artifact: "objects in the platform's schemas", reason }];
}

/** The history of database webhooks: the number that it has for a table is another one in each database. */
async function calledHooks(control: ControlConnection): Promise<Omission[]> {
  const { readable } = await control.one<{ readable: boolean | null }>(
    "SELECT has_table_privilege(to_regclass('supabase_functions.hooks'), 'SELECT') AS readable",
  );
  if (readable !== true) return [];
  const { count } = await control.one<{ count: string }>("SELECT count(*) AS count FROM supabase_functions.hooks");
  if (count === "0") return [];
  const reason = `The history of database webhooks (${count} calls) holds numbers of this database's own tables.`;
  return [{ artifact: "supabase_functions.hooks", reason }];
}

async function foreignJobs(control: ControlConnection): Promise<Omission[]> {
  const { count } = await control.one<{ count: number }>(
    "SELECT count(*)::int AS count FROM cron.job WHERE database <> current_database() OR username <> 'postgres'",
  );
  if (count === 0) return [];
  const reason = `${counted(count, "job")} of pg_cron ${count === 1 ? "belongs" : "belong"} to other databases or to other roles than postgres.`;
  return [{ artifact: "cron.sql", reason }];
}

/** Rows that are fetched at a time. */
const FILES_AT_ONCE = 5_000;

/**
 * The files that a project's database has rows of, in the snapshot of the connection's transaction.
 *
 * @param buckets those that are asked for; undefined for all
 */
async function* storedFiles(
  control: ControlConnection,
  buckets: readonly string[] | undefined,
): AsyncGenerator<StoredFile> {
  const { readable } = await control.one<{ readable: boolean | null }>(
    "SELECT has_table_privilege(to_regclass('storage.objects'), 'SELECT') AS readable",
  );
  if (readable !== true) return;
  const condition = buckets === undefined ? "" : " WHERE bucket_id = ANY($1)";
  await control.query(
    "DECLARE provision_files NO SCROLL CURSOR FOR " +
      `SELECT bucket_id AS bucket, name AS path FROM storage.objects${condition}`,
    buckets === undefined ? [] : [buckets],
  );
  for (;;) {
    const rows = await control.query<StoredFile>(`FETCH ${FILES_AT_ONCE} FROM provision_files`);
    if (rows.length === 0) break;
    yield* rows;
  }
  await control.query("CLOSE provision_files");
}
