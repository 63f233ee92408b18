import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Postgres, type PostgresOptions, startPostgres } from "../postgres.ts";
import { query } from "../query.ts";

const folder = new URL("supabase-database/", import.meta.url);
/** Files of what the platform puts into a project, in the order in which they run. */
const PLATFORM = ["database", "auth", "auth-providers", "auth-access", "storage", "realtime", "services"];

/** A server as Supabase runs it for a project: the roles of the platform, and its extensions as stand-ins in SQL. */
export interface SupabaseServer {
  /** Its superuser is supabase_admin, as on the platform. */
  readonly postgres: Postgres;
  /**
   * Makes a new project's database, with what the platform puts into it, and gives the URL that people use: as postgres.
   *
   * @param options.revoked whether postgres is no longer the owner of the tables of Auth, Storage and Realtime, as in hosted
   * projects since April 2025; default true. Self-hosted servers and older projects have it as owner.
   */
  newProject(name: string, options?: { readonly revoked?: boolean }): Promise<string>;
  /** Makes a project with users, files' rows, a shop, queues, jobs and secrets in it. */
  fullProject(name: string, options?: { readonly users?: number; readonly revoked?: boolean }): Promise<string>;
  /** The connection URL of another role for a project. */
  urlAs(role: string, name: string): string;
}

/**
 * Starts a small Supabase on a plain server, in its own SQL: what its hosted projects have in roles, schemas, tables, triggers,
 * policies, publications and default privileges, as far as a backup can lose it. `postgres` is no superuser. What needs the
 * platform's library supautils is said in cluster.sql, revokes.sql and project-privileged.sql.
 */
export async function startSupabase(
  options: Pick<PostgresOptions, "binDirectory" | "tls" | "settings"> = {},
): Promise<SupabaseServer> {
  const postgres = await startPostgres({
    ...options,
    superuser: "supabase_admin",
    extensions: fileURLToPath(new URL("extensions/", folder)),
    settings: { shared_preload_libraries: "pg_stat_statements", wal_level: "logical", ...options.settings },
  });
  const urlAs = (role: string, name: string): string => postgres.url(name).replace("//supabase_admin:", `//${role}:`);
  await run(postgres.url("template1"), "cluster.sql", { ":password": postgres.password });
  const newProject: SupabaseServer["newProject"] = async (name, { revoked = true } = {}) => {
    await query(postgres.url("template1"), `CREATE DATABASE "${name}" TEMPLATE template0 OWNER postgres`);
    for (const file of PLATFORM) await run(postgres.url(name), `platform/${file}.sql`);
    if (revoked) await run(postgres.url(name), "platform/revokes.sql");
    return urlAs("postgres", name);
  };
  const fullProject: SupabaseServer["fullProject"] = async (name, { users = 40, ...options } = {}) => {
    const url = await newProject(name, options);
    await run(url, "project.sql", { ":users": String(users) });
    await run(postgres.url(name), "project-privileged.sql");
    return url;
  };
  return { postgres, newProject, fullProject, urlAs };
}

async function run(url: string, file: string, values: Readonly<Record<string, string>> = {}): Promise<void> {
  let text = await readFile(new URL(file, folder), "utf8");
  for (const [name, value] of Object.entries(values)) text = text.replaceAll(name, value);
  await query(url, text);
}
