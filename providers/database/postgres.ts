import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { type DatabaseProvider, defineDatabase } from "./database.ts";
import { postgresFormats } from "./postgres/artifacts/formats.ts";
import { removeAbandoned } from "./postgres/artifacts/scratch-folder.ts";
import { countPostgresRows, verifyPostgresArtifact } from "./postgres/artifacts/verify.ts";
import { checkPostgres } from "./postgres/check.ts";
import { configuredConnection, serverFields } from "./postgres/connect/configured.ts";
import { rdsLack, rdsPermissions } from "./postgres/connect/rds-permissions.ts";
import { place } from "./postgres/connect/control-connection.ts";
import { identifyDatabase } from "./postgres/connect/identity.ts";
import { openBackup } from "./postgres/dump/backup.ts";
import { openSeveral } from "./postgres/dump/several.ts";
import { restorePostgres } from "./postgres/restore/restore.ts";
import { createScratch } from "./postgres/restore/scratch-database.ts";
import { startThrowaway } from "./postgres/throwaway/server.ts";
import {
  databasesFields,
  parallelFields,
  postgresFields,
  postgresPorts,
  type PostgresSettings,
} from "./postgres/settings.ts";

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
      return databases === undefined ? openBackup(settings, options) : openSeveral(settings, databases, options);
    },
    identify: (signal) => identifyDatabase(settings, signal),
    restore: (artifacts, options) => restorePostgres(settings, artifacts, options),
    createScratch: (options) => createScratch(settings, options),
    check: (signal, lock) => checkPostgres(settings, signal, lock),
  };
}

/** `kind: postgres` */
export const postgres = defineDatabase({
  schema: z.strictObject({
    kind: z.literal("postgres").describe("Any PostgreSQL server."),
    ...postgresFields,
    ...serverFields,
    ...parallelFields,
    ...databasesFields,
  }),
  secrets: ["url"],
  formats: postgresFormats,
  ports: postgresPorts,
  permissions: rdsPermissions,
  lacksOnAws: rdsLack,
  create: (config, context) =>
    // A throw inside becomes a rejection, as everywhere else.
    Promise.resolve().then(() => {
      const { clients, lockTimeoutSeconds, databases, excludeDatabases, jobs, scratch } = config;
      const connection = configuredConnection(context.secrets.url ?? "", config);
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
    }),
  startThrowaway,
  verify: (artifact, bytes, config, signal) => verifyPostgresArtifact(artifact, bytes, config, signal),
  countRows: (artifact, bytes, config, signal) => countPostgresRows(artifact, bytes, config, signal),
});
