import { existsSync } from "node:fs";
import { ProviderError } from "../../../errors.ts";
import type { Connection, ConnectionHost } from "../connect/connection-url.ts";
import { type ControlConnection, secretsOf } from "../connect/control-connection.ts";
import { RDS_ROOTS, rdsRootsFile } from "../connect/rds.ts";
import type { ProgramDirectory } from "./clients.ts";
import type { Program } from "./program.ts";

const NOWHERE = "/nonexistent";

/** Where Linux distributions keep all trusted authorities in one file. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
  "/etc/ssl/ca-bundle.pem",
];

/** What each program needs that connects to the host of a connection. */
export function connecting(
  connection: Connection,
  { host, overridden }: Pick<ControlConnection, "host" | "overridden">,
  clients: ProgramDirectory,
  applicationName?: string,
): Pick<Program, "clients" | "env" | "fresh" | "secrets"> {
  const { token, sslRootCertificate } = connection;
  const trustsRds = sslRootCertificate === RDS_ROOTS;
  const fresh = async (): Promise<Record<string, string>> => ({
    ...(token !== undefined && { PGPASSWORD: await token(host) }),
    ...(trustsRds && { PGSSLROOTCERT: await rdsRootsFile() }),
  });
  // What programs do not set themselves, and fail or restore something else with. Only where it must be: not every pooler takes options.
  const readOnly = connection.targetSessionAttributes === "read-only" ? [] : ["default_transaction_read_only"];
  const needed = ["array_nulls", "default_transaction_isolation", "idle_session_timeout", ...readOnly]
    .filter((name) => name in overridden)
    .map((name) => `-c ${name}=${overridden[name]?.replaceAll(" ", String.raw`\ `)}`);
  const options = [...(connection.options === undefined ? [] : [connection.options]), ...needed].join(" ");
  return {
    clients,
    env: {
      ...libpqEnvironment(connection, host, clients, applicationName),
      ...(options !== "" && { PGOPTIONS: options }),
    },
    ...((token !== undefined || trustsRds) && { fresh }),
    secrets: secretsOf(connection),
  };
}

/**
 * The whole environment of a PostgreSQL program: what it needs to connect to one host, and nothing of this process's own
 * environment but PATH. It is the only way by which the password reaches the program.
 */
function libpqEnvironment(
  connection: Connection,
  { host, port }: ConnectionHost,
  clients: ProgramDirectory,
  applicationName = "provision",
): Record<string, string> {
  const optional = {
    PGPASSWORD: connection.password,
    PGSSLMODE: connection.sslMode,
    PGSSLKEY: connection.sslKey,
  };
  return {
    PATH: process.env.PATH ?? "",
    LC_ALL: "C",
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: connection.user,
    PGDATABASE: connection.database,
    PGAPPNAME: applicationName,
    PGCHANNELBINDING: connection.channelBinding,
    PGTARGETSESSIONATTRS: connection.targetSessionAttributes,
    PGCONNECT_TIMEOUT: String(connection.connectTimeoutSeconds),
    // A server or pooler that does not know GSSAPI encryption may drop the connection when asked for it.
    PGGSSENCMODE: "disable",
    // What libpq would find in somebody's home folder must not change what a scheduled run does.
    PGPASSFILE: NOWHERE,
    PGSERVICEFILE: NOWHERE,
    PGSSLROOTCERT: rootCertificate(connection.sslRootCertificate, clients) ?? NOWHERE,
    PGSSLCERT: connection.sslCertificate ?? NOWHERE,
    ...Object.fromEntries(
      Object.entries(optional).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
  };
}

/** libpq knows `system` from version 16 on; an older one gets the operating system's file itself. */
function rootCertificate(setting: string | undefined, clients: ProgramDirectory): string | undefined {
  if (setting !== "system" || clients.major >= 16) return setting;
  const bundle = SYSTEM_BUNDLES.find((file) => existsSync(file));
  if (bundle !== undefined) return bundle;
  const problem = `PostgreSQL ${clients.version}'s programs do not know sslrootcert=system, and this machine has no file of trusted authorities.`;
  throw new ProviderError("CONFIG", problem, {
    fix: "Install the package ca-certificates, or name a file in sslrootcert.",
  });
}

/** A database's name as a connection string: a plain name that looks like one would be taken for it. */
export function databaseString(database: string): string {
  return `dbname='${database.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
