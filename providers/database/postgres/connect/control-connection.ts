import { Socket } from "node:net";
import type { Client, ClientConfig, QueryResult } from "pg";
import { abortedError, ProviderError } from "../../../errors.ts";
import { majorVersion } from "../programs/clients.ts";
import type { Connection, ConnectionHost } from "./connection-url.ts";
import { carryRawBytes, parameterOf } from "./raw-connection.ts";
import { serverError } from "../messages/server-errors.ts";
import { readFile } from "node:fs/promises";
import { checkServerIdentity, type ConnectionOptions, getCACertificates } from "node:tls";
import { RDS_ROOTS, rdsRoots } from "./rds.ts";

/** One way to protect a connection: false for none. */
type Tls = ConnectionOptions | false;

/** What each sslmode allows, in the order in which libpq tries it. */
async function tlsWays(connection: Connection, host: string): Promise<Tls[]> {
  // TLS is not spoken on a unix socket.
  if (host.startsWith("/")) return [false];
  const mode = connection.sslMode ?? "prefer";
  if (mode === "disable") return [false];
  const root = connection.sslRootCertificate;
  const common: ConnectionOptions = {};
  if (connection.sslCertificate !== undefined && connection.sslKey !== undefined) {
    common.cert = await readSetting("sslcert", connection.sslCertificate);
    common.key = await readSetting("sslkey", connection.sslKey);
  }
  const unverified: Tls = { ...common, rejectUnauthorized: false };
  if (mode === "prefer") return [unverified, false];
  if (mode === "allow") return [false, unverified];
  if (mode === "require" && root === undefined) return [unverified];
  const ca = await authorities(root ?? "");
  const verified = { ...common, ca, rejectUnauthorized: true };
  // As in libpq, require with a root certificate checks the chain, and only verify-full the name too.
  const nameChecked = mode === "verify-full";
  return [
    {
      ...verified,
      checkServerIdentity: (_name, certificate) => (nameChecked ? checkServerIdentity(host, certificate) : undefined),
    },
  ];
}

async function authorities(root: string): Promise<string | string[]> {
  if (root === "system") return getCACertificates("system");
  return root === RDS_ROOTS ? rdsRoots() : readSetting("sslrootcert", root);
}

async function readSetting(name: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new ProviderError("CONFIG", `${name} ${file} cannot be read: ${code}.`, {
      fix: "Put the file there and let the runner's user read it, or correct the path.",
    });
  }
}

/** No server can be reached, or none lets this connection in. */
export class ConnectError extends ProviderError {
  override readonly name = "ConnectError";
}

/**
 * Settings that a role, a database or a server may have of its own, and the values that this program's SQL is written for. Some are
 * of newer servers. A project of Supabase limits statements to two minutes, and a backup takes longer.
 */
const SETTINGS = `('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('bytea_output', 'hex'),
  ('extra_float_digits', '1'), ('lc_messages', 'C'), ('array_nulls', 'on'), ('quote_all_identifiers', 'off'), ('row_security', 'on'),
  ('standard_conforming_strings', 'on'), ('exit_on_error', 'off'), ('createrole_self_grant', ''), ('statement_timeout', '0'),
  ('lock_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),
  ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off')`;

/**
 * A query that gives each of the {@link SETTINGS} its value, and a row with `name` and `value` of each that had another. Only a
 * superuser may set `lc_messages`.
 */
const CHANGE_SETTINGS = `SELECT name, set_config(name, value, false) AS value FROM (
    SELECT name, value, current_setting(name, true) AS was FROM (VALUES ${SETTINGS}) AS settings (name, value)) AS compared
  WHERE was <> value AND (name <> 'lc_messages' OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))`;

/**
 * Goes before anything else, so that each name in a query is PostgreSQL's own: whoever may create a function or operator in `public` could
 * otherwise have it called by this role (CVE-2018-1058). A standby refuses the transactions of a role that is serializable by default.
 */
const OWN_NAMES = "BEGIN ISOLATION LEVEL READ COMMITTED; SET search_path = pg_catalog, pg_temp";

/** The beginning of a script: what each connection of this process begins with. It gives no row. */
export const BEGIN_SESSION = `SET client_encoding = 'UTF8'; ${OWN_NAMES}; SELECT name FROM (${CHANGE_SETTINGS}) AS changed WHERE value IS NULL; COMMIT`;

/** A connection of this process itself, beside those of PostgreSQL's programs. Every error is a `ProviderError`. */
export interface ControlConnection {
  /** The one of the URL's hosts that answered and has the session attributes that the URL asks for. */
  readonly host: ConnectionHost;
  /** The database's name. */
  readonly database: string;
  /** For instance `17.4`. */
  readonly serverVersion: string;
  readonly serverMajor: number;
  /** True on a hot standby, which nothing can be written to. */
  readonly inRecovery: boolean;
  /** Settings that the role, the database or the server has otherwise, and their values in this session. */
  readonly overridden: Readonly<Record<string, string>>;
  /** Whether this connection uses TLS. */
  readonly encrypted: boolean;
  /** Why the connection has broken; undefined while it stands. */
  readonly broken: ProviderError | undefined;
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** The first row of a query that always gives one. */
  one<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row>;
  /** An identifier as SQL has it, in quotation marks. */
  readonly quote: (identifier: string) => string;
  /** May be called more than once. */
  close(): Promise<void>;
}

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Another database than the URL's. */
  readonly database?: string | undefined;
  /** Only this one of the URL's hosts. */
  readonly host?: ConnectionHost;
  /** Queries read rows, whose values must not be in an error. Default: they read the catalogue. */
  readonly readsRows?: boolean;
}

/** Milliseconds that a server may take to end a session. */
const END_PATIENCE_MS = 2000;

/** Milliseconds after which a silent connection shows that it is alive, so that no firewall forgets it. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Connects to the first host that answers and is what `target_session_attrs` asks for, with the protection that libpq's
 * `sslmode` means (the `pg` package gives those words a meaning of its own).
 */
export async function connect(
  connection: Connection,
  signal: AbortSignal,
  options: ConnectOptions = {},
): Promise<ControlConnection> {
  const failures: ProviderError[] = [];
  const hosts = options.host === undefined ? connection.hosts : [options.host];
  // prefer-standby tries all hosts for a standby first, and then takes any.
  const wanted = connection.targetSessionAttributes;
  for (const attributes of wanted === "prefer-standby" ? (["standby", "any"] as const) : [wanted]) {
    for (const host of hosts) {
      try {
        const control = await connectTo(connection, host, options, signal);
        if (fits(control, attributes)) return control;
        await control.close();
        failures.push(new ProviderError("TRANSIENT", `${place(host)} is not ${attributes}.`));
      } catch (error) {
        if (signal.aborted) throw abortedError(signal);
        const doing = `Cannot connect to ${place(host)}`;
        const failure = serverError(error, doing, secretsOf(connection), ConnectError);
        failures.push(failure);
        // As in libpq, a server that refuses the credentials is the answer: the next host would refuse them too.
        if (failure.code === "AUTH" || failure.code === "NOT_FOUND") throw failure;
      }
    }
  }
  const [first] = failures;
  if (first !== undefined && failures.length === 1) throw first;
  throw new ConnectError(
    failures.find((failure) => failure.code !== "TRANSIENT")?.code ?? "TRANSIENT",
    `None of the hosts can be used: ${failures.map((failure) => failure.message).join("; ")}`,
    { fix: first?.fix },
  );
}

/** Connects for one piece of work; see {@link connect}. */
export async function withConnection<Result>(
  connection: Connection,
  signal: AbortSignal,
  work: (control: ControlConnection) => Promise<Result>,
  options?: ConnectOptions,
): Promise<Result> {
  const control = await connect(connection, signal, options);
  try {
    return await work(control);
  } finally {
    await control.close();
  }
}

/** What must never stand in an error or a log line. */
export function secretsOf({ password = "", user, database, hosts }: Connection): string[] {
  const names = [user, database, ...hosts.map(({ host }) => host)];
  // Messages must show names, so a password that is part of one cannot be hidden; nor can one of few letters, part of many words.
  return password.length < 4 || names.some((name) => name.includes(password)) ? [] : [password];
}

/** A host as people write it. */
export function place({ host, port }: ConnectionHost): string {
  return host.includes(":") && !host.startsWith("/") ? `[${host}]:${port}` : `${host}:${port}`;
}

async function connectTo(
  connection: Connection,
  host: ConnectionHost,
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<ControlConnection> {
  const ways = await tlsWays(connection, host.host);
  for (const [index, tls] of ways.entries()) {
    try {
      return await open(connection, host, options, tls, signal);
    } catch (error) {
      if (signal.aborted || index === ways.length - 1) throw error;
    }
  }
  throw new ProviderError("INTERNAL", "There is no way to connect.");
}

async function open(
  connection: Connection,
  host: ConnectionHost,
  { database = connection.database, readsRows }: ConnectOptions,
  tls: Tls,
  signal: AbortSignal,
): Promise<ControlConnection> {
  signal.throwIfAborted();
  const { Client } = await import("pg");
  const secrets = secretsOf(connection);
  const socket = new Socket();
  const client: Client = new Client({ ...clientConfig(connection, host, tls), database, stream: () => socket });
  carryRawBytes(client);
  // Without a listener, a connection that breaks while nothing is asked of it would end this process.
  let broken: ProviderError | undefined;
  client.on("error", (error) => {
    broken ??= serverError(error, `The connection to ${place(host)} has broken`, secrets);
  });
  const abort = (): void => {
    socket.destroy();
  };
  signal.addEventListener("abort", abort, { once: true });
  const ask = async <Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> => {
    try {
      // Without values the simple protocol is used, which takes several statements.
      const { rows } = await (values.length === 0
        ? client.query<Row>(sql)
        : client.query<Row>(sql, values.map(parameterOf)));
      return rows;
    } catch (error) {
      if (signal.aborted) throw abortedError(signal);
      // Once the connection is broken, pg only reports that it cannot be used: the reason came before.
      if (broken !== undefined && (error as { severity?: string }).severity === undefined) throw broken;
      throw serverError(error, `The database ${database} refused a query`, secrets, undefined, readsRows);
    }
  };
  const one = async <Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row> => {
    const [row] = await ask<Row>(sql, values);
    if (row === undefined) throw new ProviderError("INTERNAL", `A query gave no row: ${sql}`);
    return row;
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    signal.removeEventListener("abort", abort);
    return (closed ??= end(client, socket));
  };
  try {
    await client.connect();
    return {
      host,
      ...(await beginSession(host, client)),
      encrypted: tls !== false,
      get broken() {
        return broken;
      },
      query: ask,
      one,
      quote: (identifier) => client.escapeIdentifier(identifier),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function clientConfig(connection: Connection, host: ConnectionHost, tls: Tls): ClientConfig {
  return {
    host: host.host,
    port: host.port,
    user: connection.user,
    // A function, because an absent password would be looked for in the environment and in somebody's home folder.
    password: () => connection.token?.(host) ?? connection.password ?? noPassword(connection, host),
    ssl: tls,
    application_name: "provision",
    connectionTimeoutMillis: connection.connectTimeoutSeconds * 1000,
    enableChannelBinding: tls !== false && connection.channelBinding !== "disable",
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    ...(connection.options !== undefined && { options: connection.options }),
  };
}

/** Makes the session what this program's SQL is written for, in one round trip, and asks the server what it is. */
async function beginSession(
  host: ConnectionHost,
  client: Client,
): Promise<Pick<ControlConnection, "serverVersion" | "serverMajor" | "database" | "inRecovery" | "overridden">> {
  // A server of the encoding SQL_ASCII converts nothing, and refuses to send what is not of the client's encoding: names, too.
  const raw =
    "SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'";
  const facts =
    "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS \"inRecovery\", current_database() AS database";
  const results = await client.query([OWN_NAMES, CHANGE_SETTINGS, raw, facts, "COMMIT"].join("; "));
  // Each statement has a result of its own.
  const rows = (results as unknown as QueryResult[]).map((each): unknown => each.rows);
  const [{ version, ...rest }] = rows[4] as [{ version: string; inRecovery: boolean; database: string }];
  const [serverVersion = ""] = version.split(" ");
  if (!/^\d/.test(serverVersion)) {
    const problem = `${place(host)} reports the version "${serverVersion}", which is not a PostgreSQL version.`;
    throw new ProviderError("CONFIG", problem, {
      fix: "Name a PostgreSQL server in the connection URL; its SHOW server_version begins with a number.",
    });
  }
  const changed = rows[2] as { name: string; value: string }[];
  const overridden = Object.fromEntries(changed.map(({ name, value }) => [name, value]));
  return { serverVersion, serverMajor: majorVersion(serverVersion), ...rest, overridden };
}

/** The server asks for a password only where it wants one. */
function noPassword({ user }: Connection, host: ConnectionHost): never {
  const problem = `${place(host)} requires a password for the role ${user}, and the connection URL has none.`;
  throw new ProviderError("AUTH", problem, {
    fix: "Put it into the connection URL, percent-encoded: postgresql://user:password@host/database.",
  });
}

/** Ends the session, but does not wait for a server that no longer answers. */
async function end(client: Client, socket: Socket): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), END_PATIENCE_MS);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
  socket.destroy();
}

function fits(control: ControlConnection, attributes: Connection["targetSessionAttributes"]): boolean {
  switch (attributes) {
    case "any":
    case "prefer-standby":
      return true;
    case "primary":
      return !control.inRecovery;
    case "standby":
      return control.inRecovery;
    case "read-write":
    case "read-only": {
      const writable = !control.inRecovery && !("default_transaction_read_only" in control.overridden);
      return writable === (attributes === "read-write");
    }
  }
}
