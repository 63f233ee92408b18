import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf, createFrom } from "../family.ts";
import { ProviderError } from "../errors.ts";
import type { SecretRef } from "../fields/secret-ref.ts";
import type { DatabaseProvider, Reader, RestoreArtifact, ScratchOptions, TableRows } from "./database.ts";
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
 * @param kind as its manifest says: perhaps one that a later version of Provision knows
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

/** The server that drills restore into, as a job names it; without a target there is none. */
type DrillServer = { readonly target?: SecretRef | undefined } & {
  readonly [Field in keyof typeof drillServerFields]?: z.output<(typeof drillServerFields)[Field]>;
};

/** The configuration of the server that drills of a database restore into; undefined where the job names none. */
export function drillConfig(source: DatabaseConfig, server: DrillServer): DatabaseConfig | undefined {
  if (server.target === undefined) return undefined;
  const fields = Object.keys(drillServerFields) as (keyof typeof drillServerFields)[];
  return drillDatabase(source, {
    url: server.target,
    ...Object.fromEntries(fields.map((field) => [field, server[field]])),
  });
}

/** A database to restore a drill of another one into, and what ends with it. */
export interface DrillTarget {
  readonly database: DatabaseProvider;
  /** The server, for people. */
  readonly server: string;
  /** Ends a server that was started for it. May fail as other providers do. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a server on this machine for drills of a job that names none.
 *
 * @throws ProviderError `CONFIG` where its kind, or this machine, has none.
 */
export async function startDrillServer(
  source: DatabaseConfig,
  how: Pick<ScratchOptions, "acceptSharedUser">,
  signal: AbortSignal,
): Promise<DrillTarget> {
  const kind = databaseKind(drillKind(source));
  if (kind.startThrowaway === undefined) {
    throw new ProviderError("CONFIG", `Drills of the kind ${source.kind} need a server.`, {
      fix: "Add drill: { target: { secret: drillServerUrl } } to the job.",
    });
  }
  const { clients, scratch }: Reader = source;
  const server = await kind.startThrowaway({ clients, scratch, ...how }, signal);
  try {
    // A reference has to stand there, and is not followed: the secret comes beside it.
    const config = drillDatabase(source, { url: { env: "DRILL_SERVER" } });
    const database = await createDatabase(config, { secrets: { url: server.url } });
    return { database: forDrills(database, { own: true }), server: server.description, close: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A database whose scratch databases are made in this way. */
export function forDrills(database: DatabaseProvider, how: Omit<ScratchOptions, "facts" | "signal">): DatabaseProvider {
  return { ...database, createScratch: (options) => database.createScratch({ ...options, ...how }) };
}

function drillKind({ kind }: DatabaseConfig): string {
  return databaseProviders[kind].drillKind ?? kind;
}

/** A database of the kind that drills restore into, read with the programs of the job's own. */
function drillDatabase(source: DatabaseConfig, server: object): DatabaseConfig {
  const { clients, scratch }: Reader = source;
  const given = Object.entries({ kind: drillKind(source), clients, scratch, ...server });
  return DatabaseConfig.parse(Object.fromEntries(given.filter(([, value]) => value !== undefined)));
}

/** Reads an artifact of a database's kind to its end; see {@link DatabaseDefinition.verify}. */
export function verifyArtifact(
  config: Reader,
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
  signal: AbortSignal,
): Promise<void> {
  return databaseKind(config.kind).verify(artifact, bytes, config, signal);
}

/** Counts the rows that an artifact of a database's kind holds; see {@link DatabaseDefinition.countRows}. */
export function countArtifactRows(
  config: Reader,
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
  signal: AbortSignal,
): Promise<TableRows[]> {
  return databaseKind(config.kind).countRows(artifact, bytes, config, signal);
}
