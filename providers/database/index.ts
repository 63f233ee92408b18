import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf, createFrom } from "../family.ts";
import { ProviderError } from "../errors.ts";
import type { SecretRef } from "../secret-ref.ts";
import type { DatabaseProvider, Reader, RestoreArtifact, TableRows } from "./database.ts";
import { serverFields } from "./postgres/connect/configured.ts";
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
  return createFrom(databaseProviders, config, context);
}

/**
 * What is known of a backup's kind of database.
 *
 * @param kind as its manifest says: perhaps one that a later version of this program knows
 * @throws ProviderError `CONFIG` where this version does not know it.
 */
export function databaseKind(kind: string) {
  if (Object.hasOwn(databaseProviders, kind)) return databaseProviders[kind as keyof typeof databaseProviders];
  const known = Object.keys(databaseProviders).join(", ");
  throw new ProviderError(
    "CONFIG",
    `This version of Provision knows no database of kind ${JSON.stringify(kind)}, only ${known}.`,
    {
      fix: "Use the version of Provision that made the backup, or a newer one.",
    },
  );
}

/** Why a job with a database like this must encrypt its backups; see `DatabaseDefinition.needsEncryption`. */
export function needsEncryption(config: DatabaseConfig): string | undefined {
  return databaseProviders[config.kind].needsEncryption?.(config as never);
}

/** What a configuration may say of the server that drills restore into, beside its URL. */
export const drillServerFields = serverFields;

/** The server that drills restore into, as a job names it. */
type DrillServer = { readonly target: SecretRef } & {
  readonly [Field in keyof typeof drillServerFields]?: z.output<(typeof drillServerFields)[Field]>;
};

/** The configuration of the server that drills of a database restore into. */
export function drillConfig(source: DatabaseConfig, server: DrillServer): DatabaseConfig {
  const { clients, scratch }: Reader = source;
  const kind = databaseProviders[source.kind].drillKind ?? source.kind;
  const fields = Object.keys(drillServerFields) as (keyof typeof drillServerFields)[];
  const given = [["clients", clients], ["scratch", scratch], ...fields.map((field) => [field, server[field]])];
  return DatabaseConfig.parse({
    kind,
    url: server.target,
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  });
}

/** Reads an artifact of a database's kind to its end; see {@link DatabaseDefinition.verify}. */
export function verifyArtifact(
  config: Reader,
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
): Promise<void> {
  return databaseKind(config.kind).verify(artifact, bytes, config);
}

/** Counts the rows that an artifact of a database's kind holds; see {@link DatabaseDefinition.countRows}. */
export function countArtifactRows(
  config: Reader,
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
): Promise<TableRows[]> {
  return databaseKind(config.kind).countRows(artifact, bytes, config);
}
