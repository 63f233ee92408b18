import { z } from "zod";
import { SecretRef } from "../../secret-ref.ts";
import type { Connection } from "./connection-url.ts";
import type { Databases } from "./several.ts";
import { type Selection, selectionFields } from "./selection.ts";

/** What the parts of a PostgreSQL provider need to know. */
export interface PostgresSettings {
  readonly connection: Connection;
  /** Folder of the client programs, where the configuration names one. */
  readonly clients: string | undefined;
  /** How long pg_dump waits for a locked table, in seconds. */
  readonly lockTimeoutSeconds: number;
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
    .describe("Seconds that pg_dump waits for a table that somebody has locked exclusively. Default 300."),
  ...selectionFields,
};

/** The port on which a PostgreSQL listens if nobody says otherwise: the URL that may say so is a secret. */
export const postgresPorts = () => [5432];
