import { Socket } from "node:net";
import type { Client, ClientConfig } from "pg";
import { abortedError, ProviderError } from "../../../errors.ts";
import { majorVersion } from "../programs/clients.ts";
import type { Connection, ConnectionHost } from "./connection-url.ts";
import { carryRawBytes, parameterOf } from "./raw-connection.ts";
import { serverError } from "../messages/server-errors.ts";
import { type Tls, tlsWays } from "./tls.ts";

/** No server can be reached, or none lets this connection in. */
export class ConnectError extends ProviderError {
  override readonly name = "ConnectError";
}

/**
 * A query that switches the session's timeouts off, and gives no row. A project of Supabase limits statements to two minutes, and
 * a backup takes longer. It reads pg_settings, because older servers lack some of the timeouts.
 */
export const NO_TIMEOUTS = `SELECT name FROM pg_settings
  WHERE CASE WHEN name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
    'transaction_timeout') THEN set_config(name, '0', false) IS NULL ELSE false END`;

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
  readonly database?: string;
  /** Only this one of the URL's hosts. */
  readonly host?: ConnectionHost;
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
        const control = await connectTo(connection, host, options.database ?? connection.database, signal);
        if (await fits(control, attributes)) return control;
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
  database: string,
  signal: AbortSignal,
): Promise<ControlConnection> {
  const ways = await tlsWays(connection, host.host);
  for (const [index, tls] of ways.entries()) {
    try {
      return await open(connection, host, database, tls, signal);
    } catch (error) {
      if (signal.aborted || index === ways.length - 1) throw error;
    }
  }
  throw new ProviderError("INTERNAL", "There is no way to connect.");
}

async function open(
  connection: Connection,
  host: ConnectionHost,
  database: string,
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
      throw serverError(error, `The database ${database} refused a query`, secrets);
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
      ...(await serverFacts(host, { query: ask, one })),
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

/** What the server says of itself, right after the connection was made. */
async function serverFacts(
  host: ConnectionHost,
  { query, one }: Pick<ControlConnection, "query" | "one">,
): Promise<Pick<ControlConnection, "serverVersion" | "serverMajor" | "database" | "inRecovery">> {
  const server = await one<{ version: string; recovery: boolean; database: string | null }>(
    "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS recovery, " +
      "CASE WHEN current_setting('server_encoding') <> 'SQL_ASCII' THEN current_database() END AS database",
  );
  let { database } = server;
  if (database === null) {
    // Such a server converts nothing, and refuses to send what is not of the client's encoding: names, too.
    await query("SET client_encoding = 'SQL_ASCII'");
    ({ database } = await one<{ database: string }>("SELECT current_database() AS database"));
  }
  const [serverVersion = ""] = server.version.split(" ");
  if (!/^\d/.test(serverVersion)) {
    const problem = `${place(host)} reports the version "${serverVersion}", which is not a PostgreSQL version.`;
    throw new ProviderError("CONFIG", problem, {
      fix: "Name a PostgreSQL server in the connection URL; its SHOW server_version begins with a number.",
    });
  }
  return { serverVersion, serverMajor: majorVersion(serverVersion), database, inRecovery: server.recovery };
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

async function fits(control: ControlConnection, attributes: Connection["targetSessionAttributes"]): Promise<boolean> {
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
      const { writable } = await control.one<{ writable: boolean }>(
        "SELECT current_setting('default_transaction_read_only') = 'off' AND NOT pg_is_in_recovery() AS writable",
      );
      return writable === (attributes === "read-write");
    }
  }
}
