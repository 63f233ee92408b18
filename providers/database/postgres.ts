import { z } from "zod";
import { ProviderError } from "../errors.ts";
import type {
  BackupOptions,
  Check,
  DatabaseBackup,
  DatabaseIdentity,
  DatabaseProvider,
  RestoreArtifact,
  RestoreOptions,
  RestoreReport,
  ScratchDatabase,
  ScratchOptions,
} from "./database.ts";
import { defineDatabase } from "./database.ts";
import { openBackup } from "./postgres/dump/backup.ts";
import { checkPostgres } from "./postgres/check.ts";
import { parseConnectionUrl } from "./postgres/connect/connection-url.ts";
import { place } from "./postgres/connect/control-connection.ts";
import { identifyDatabase } from "./postgres/connect/identity.ts";
import { restorePostgres } from "./postgres/restore/restore.ts";
import { createScratch } from "./postgres/restore/scratch-database.ts";
import { openSeveral } from "./postgres/dump/several.ts";
import {
  databasesFields,
  parallelFields,
  postgresFields,
  postgresPorts,
  type PostgresSettings,
} from "./postgres/settings.ts";
import { countPostgresRows, verifyPostgresArtifact } from "./postgres/artifacts/verify.ts";

/** Any PostgreSQL database, read with pg_dump and written with pg_restore. */
export class PostgresDatabaseProvider implements DatabaseProvider {
  readonly kind = "postgres";
  readonly description: string;
  readonly #settings: PostgresSettings;

  /** @throws {ProviderError} `CONFIG` where the settings cannot work */
  constructor(settings: PostgresSettings) {
    const { connection } = settings;
    if (connection.sslMode?.startsWith("verify-") === true && connection.sslRootCertificate === undefined) {
      throw new ProviderError("CONFIG", `sslmode=${connection.sslMode} needs the authorities that it may trust.`, {
        fix: "Add sslrootcert= with the absolute path of their certificates, or sslrootcert=system for the operating system's.",
      });
    }
    this.#settings = settings;
    this.description = `database ${connection.database} on ${connection.hosts.map(place).join(", ")}`;
  }

  backup(options: BackupOptions): Promise<DatabaseBackup> {
    const { databases } = this.#settings;
    return databases === undefined
      ? openBackup(this.#settings, options)
      : openSeveral(this.#settings, databases, options);
  }

  identify(signal: AbortSignal): Promise<DatabaseIdentity> {
    return identifyDatabase(this.#settings, signal);
  }

  restore(artifacts: readonly RestoreArtifact[], options: RestoreOptions): Promise<RestoreReport> {
    return restorePostgres(this.#settings, artifacts, options);
  }

  createScratch(options: ScratchOptions): Promise<ScratchDatabase> {
    return createScratch(this.#settings, options);
  }

  check(signal: AbortSignal, lock?: string): AsyncIterable<Check> {
    return checkPostgres(this.#settings, signal, lock);
  }
}

/** `kind: postgres` */
export const postgres = defineDatabase({
  schema: z.strictObject({
    kind: z.literal("postgres").describe("Any PostgreSQL server."),
    ...postgresFields,
    ...parallelFields,
    ...databasesFields,
  }),
  secrets: ["url"],
  ports: postgresPorts,
  create(config, context) {
    // A throw inside becomes a rejection, as everywhere else.
    return Promise.resolve().then(() => {
      const connection = parseConnectionUrl(context.secrets.url ?? "");
      const { clients, lockTimeoutSeconds, databases, jobs, scratch } = config;
      const common = { clients, lockTimeoutSeconds, connection, jobs, scratch };
      if (databases !== "all" && config.excludeDatabases !== undefined) {
        throw new ProviderError(
          "CONFIG",
          "excludeDatabases leaves out some of all databases, and the job does not back up all.",
          {
            fix: "Say databases: all, or leave excludeDatabases out.",
          },
        );
      }
      if (databases === undefined) return new PostgresDatabaseProvider({ ...common, selection: config });
      if (config.include ?? config.exclude ?? config.excludeData) {
        throw new ProviderError(
          "CONFIG",
          "include, exclude and excludeData choose inside of one database, and the job names several.",
          {
            fix: "Leave out databases, or give the database with a choice a job of its own.",
          },
        );
      }
      return new PostgresDatabaseProvider({
        ...common,
        databases: { names: databases, except: config.excludeDatabases ?? [] },
      });
    });
  },
  verify: (artifact, bytes, config) => verifyPostgresArtifact(artifact, bytes, config),
  countRows: (artifact, bytes, config) => countPostgresRows(artifact, bytes, config),
});
