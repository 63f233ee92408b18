import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf } from "../family.ts";
import type { DatabaseProvider, Programs, RestoreArtifact, TableRows } from "./database.ts";
import { postgres } from "./postgres.ts";
import { supabase } from "./supabase.ts";

/** Every kind of database, by the name that a configuration uses. To add one: write its file, name it here. */
export const databaseProviders = { postgres, supabase };

/** The configuration of any database. */
export const DatabaseConfig = configOf(databaseProviders);

/** The configuration of any database; see the schema of the same name. */
export type DatabaseConfig = z.output<typeof DatabaseConfig>;

/** Makes the database that a configuration describes. */
export function createDatabase(config: DatabaseConfig, context: ProviderContext): Promise<DatabaseProvider> {
  // The kind says which definition it is, which the type checker cannot follow.
  return databaseProviders[config.kind].create(config as never, context);
}

/** Reads an artifact of a database's kind to its end; see {@link DatabaseDefinition.verify}. */
export function verifyArtifact(
  config: Pick<DatabaseConfig, "kind"> & Programs,
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
): Promise<void> {
  return databaseProviders[config.kind].verify(artifact, bytes, config);
}

/** Counts the rows that an artifact of a database's kind holds; see {@link DatabaseDefinition.countRows}. */
export function countArtifactRows(
  config: Pick<DatabaseConfig, "kind"> & Programs,
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
): Promise<TableRows[]> {
  return databaseProviders[config.kind].countRows(artifact, bytes, config);
}
