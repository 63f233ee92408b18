import type { DatabaseBackup, DatabaseProvider, RestoreOptions } from "../../providers/database/database.ts";
import { createDatabase, type DatabaseConfig } from "../../providers/database/index.ts";
import type { SupabaseServer } from "../../tools/services/supabase-database.ts";

type ProjectConfig = Extract<DatabaseConfig, { kind: "supabase" }>;

/** The provider of a project of a local server that has TLS, without its secrets of Vault. */
export function openProject(
  server: SupabaseServer,
  url: string,
  changes: Partial<ProjectConfig> = {},
): Promise<DatabaseProvider> {
  const rootCertificate = server.postgres.rootCertificate ?? "";
  return createDatabase(
    { kind: "supabase", url: { env: "URL" }, lockTimeoutSeconds: 30, vault: "leave-out", rootCertificate, ...changes },
    // The certificate is that of a name.
    { secrets: { url: url.replace("@127.0.0.1:", "@localhost:") } },
  );
}

/** What restores a backup as it is into a project of that name, which is empty and confirmed. */
export function restoreInto(
  server: SupabaseServer,
  name: string,
  { facts }: Pick<DatabaseBackup, "facts">,
  scratchDirectory: string,
  changes: Partial<RestoreOptions> = {},
): RestoreOptions {
  return {
    facts,
    allowNonEmpty: false,
    jobs: 1,
    scratchDirectory,
    createRoles: false,
    noOwner: false,
    confirm: `localhost:${server.postgres.port}/${name}`,
    signal: new AbortController().signal,
    ...changes,
  };
}
