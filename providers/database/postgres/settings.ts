import { z } from "zod";
import { SecretRef } from "../../fields/secret-ref.ts";
import { serverFields } from "./connect/configured.ts";
import type { Connection } from "./connect/connection-url.ts";
import { type Selection, selectionFields } from "./scope/selection.ts";

/** Which of a server's databases are backed up together. */
export interface Databases {
  readonly names: "all" | readonly string[];
  readonly except: readonly string[];
}

/** What the parts of a PostgreSQL provider need to know. */
export interface PostgresSettings {
  readonly connection: Connection;
  /** Folder of the client programs, where the configuration names one. */
  readonly clients: string | undefined;
  /** How long pg_dump waits for a locked table, in seconds. */
  readonly lockTimeoutSeconds: number;
  /** Parallel workers of pg_dump. Default: 1, whose output is streamed. */
  readonly jobs?: number | undefined;
  /** Folder for the files of a parallel dump. Default: the system's for temporary files. */
  readonly scratch?: string | undefined;
  /** What of the database is backed up. Default: all of it. */
  readonly selection?: Selection;
  /** Several of the server's databases in one backup. Default: the connection's. */
  readonly databases?: Databases;
}

/** The configuration fields of every kind of database that is a PostgreSQL. */
export const postgresFields = {
  url: SecretRef.describe(
    "Connection URL, as libpq takes it: postgresql://user:password@host:5432/database?sslmode=verify-full.",
  ),
  clients: z
    .string()
    .startsWith("/", { error: "expected the absolute path of a folder" })
    .optional()
    .describe(
      "Folder with the client programs pg_dump, pg_dumpall and pg_restore. Default: the oldest of those installed that is not " +
        "older than the server.",
    )
    .meta({ examples: ["/usr/lib/postgresql/17/bin"] }),
  lockTimeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .describe("Seconds that pg_dump waits for a table that another session has locked exclusively. Default 300."),
  ...selectionFields,
};

/** The configuration fields of dumps that several workers make. */
const parallelFields = {
  jobs: z
    .int()
    .min(1)
    .max(32)
    .optional()
    .describe(
      "Parallel workers of pg_dump, 1 to 32. Default 1, whose output is streamed. More write a compressed dump into `scratch` first, " +
        "and need that room again to read the backup back; each takes a connection. Worthwhile where the server and this machine " +
        "have idle cores, and no single table makes up most of the database.",
    )
    .meta({ examples: [4] }),
  scratch: z
    .string()
    .startsWith("/", { error: "expected the absolute path of a folder" })
    .optional()
    .describe(
      "Existing folder for the files of a dump by several workers. Default: the system's folder for temporary files (TMPDIR), " +
        "which on many systems is in memory.",
    )
    .meta({ examples: ["/var/tmp"] }),
};

/** The configuration fields of {@link Databases}. */
const databasesFields = {
  databases: z
    .union([z.literal("all"), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe(
      "Several databases of the server in one backup: `all`, or their names. Each is consistent in itself, and one is " +
        "open at a time. Default: the database in the connection URL.",
    )
    .meta({ examples: ["all"] }),
  excludeDatabases: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("With `databases: all`: databases that are not backed up. Default: none.")
    .meta({ examples: [["scratch"]] }),
};

/** PostgreSQL's default port. The URL may have another, but it is a secret. */
export const postgresPorts = () => [5432];

/** The configuration of a PostgreSQL server's database, or of several. */
export const postgresSchema = z.strictObject({
  kind: z.literal("postgres").describe("Any PostgreSQL server."),
  ...postgresFields,
  ...serverFields,
  ...parallelFields,
  ...databasesFields,
});

/** The configuration of a PostgreSQL server's database, or of several. */
export type PostgresConfig = z.output<typeof postgresSchema>;
