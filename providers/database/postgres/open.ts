import type { ProviderContext } from "../../definition.ts";
import { ProviderError } from "../../errors.ts";
import type { DatabaseProvider } from "../database.ts";
import { removeAbandoned } from "./artifacts/scratch-folder.ts";
import { configuredConnection } from "./connect/configured.ts";
import { place } from "./connect/control-connection.ts";
import { identifyDatabase } from "./connect/identity.ts";
import { openBackup } from "./dump/backup.ts";
import type { PostgresConfig, PostgresSettings } from "./settings.ts";

/**
 * Any PostgreSQL database, read with pg_dump and written with pg_restore.
 *
 * @throws {ProviderError} `CONFIG` where the settings cannot work
 */
export function openPostgres(settings: PostgresSettings): DatabaseProvider {
  const { connection, databases } = settings;
  if (connection.sslMode?.startsWith("verify-") === true && connection.sslRootCertificate === undefined) {
    throw new ProviderError("CONFIG", `sslmode=${connection.sslMode} requires sslrootcert.`, {
      fix: "Add sslrootcert= with the absolute path of the trusted certificates, or sslrootcert=system for the operating system's.",
    });
  }
  return {
    kind: "postgres",
    description: `database ${connection.database} on ${connection.hosts.map(place).join(", ")}`,
    backup: async (options) => {
      // Many backups need no scratch folder, and a killed drill has left a whole database in one.
      await removeAbandoned(settings.scratch);
      if (databases === undefined) return openBackup(settings, options);
      const { openSeveral } = await import("./dump/several.ts");
      return openSeveral(settings, options);
    },
    identify: (signal) => identifyDatabase(settings, signal),
    restore: async (artifacts, options) => {
      const { restorePostgres } = await import("./restore/restore.ts");
      return restorePostgres(settings, artifacts, options);
    },
    createScratch: async (options) => {
      const { createScratch } = await import("./restore/scratch-database.ts");
      return createScratch(settings, options);
    },
    async *check(signal, lock) {
      const { checkPostgres } = await import("./check.ts");
      yield* checkPostgres(settings, signal, lock);
    },
  };
}

/**
 * Opens the database, or the databases of its server, that a configuration describes.
 *
 * @throws {ProviderError} `CONFIG` where the configuration cannot work
 */
export function openConfigured(config: PostgresConfig, secrets: ProviderContext["secrets"]): DatabaseProvider {
  const { clients, lockTimeoutSeconds, databases, excludeDatabases, jobs, scratch } = config;
  const connection = configuredConnection(secrets.url ?? "", config);
  const common = { clients, lockTimeoutSeconds, connection, jobs, scratch };
  if (databases !== "all" && excludeDatabases !== undefined) {
    throw new ProviderError("CONFIG", "excludeDatabases requires databases: all.", {
      fix: "Add databases: all, or remove excludeDatabases.",
    });
  }
  if (databases === undefined) return openPostgres({ ...common, selection: config });
  if (config.include ?? config.exclude ?? config.excludeData) {
    throw new ProviderError("CONFIG", "include, exclude and excludeData require a single database.", {
      fix: "Remove databases, or give the database with a selection a job of its own.",
    });
  }
  return openPostgres({ ...common, databases: { names: databases, except: excludeDatabases ?? [] } });
}
