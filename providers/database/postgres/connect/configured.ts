import { z } from "zod";
import { ProviderError } from "../../../errors.ts";
import { type Connection, parseConnectionUrl } from "./connection-url.ts";
import { Auth, authFacts, RDS_ROOTS, rdsToken } from "./rds.ts";

/** What is used of a secret as RDS and its rotation write it. One that RDS manages has only the first two. */
const ServerSecret = z.object({
  username: z.string().min(1),
  password: z.string().optional(),
  host: z.string().min(1).optional(),
  port: z.union([z.int(), z.string().regex(/^\d+$/)]).optional(),
  dbname: z.string().min(1).optional(),
  engine: z.string().optional(),
});

/** Whether a secret's value is JSON with the parts of a connection, and not a connection URL. */
function isServerSecret(value: string): boolean {
  return value.trimStart().startsWith("{");
}

/**
 * The connection URL that a secret's parts make.
 *
 * @param server where the server is, for a secret without a host: `host:port/database`
 * @throws {ProviderError} `CONFIG`; the message never holds a part of the secret but field names and the engine
 */
function serverSecretUrl(value: string, server: string | undefined): string {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    // The parser's own message would quote the secret.
    throw invalid(
      "begins with { but is not JSON",
      'Write a connection URL, or JSON like {"username": …, "password": …}.',
    );
  }
  const { data, error } = ServerSecret.safeParse(json);
  if (data === undefined) {
    const fields = [...new Set(error.issues.map(({ path }) => String(path[0])))].join(", ");
    throw invalid(`lacks, or has in another form: ${fields}`, "RDS writes username, password, host, port and dbname.");
  }
  const { username, password, host, port = 5432, dbname, engine } = data;
  if (engine !== undefined && !engine.includes("postgres")) {
    throw invalid("is of a database that is not PostgreSQL", "Name the secret of a PostgreSQL database.");
  }
  const user = `${encodeURIComponent(username)}${password === undefined ? "" : `:${encodeURIComponent(password)}`}`;
  if (host === undefined) {
    if (server !== undefined) return `postgresql://${user}@${server}`;
    throw invalid("has no host, as one that RDS manages", "Set server on the database: host:5432/database.");
  }
  if (dbname !== undefined) {
    return `postgresql://${user}@${encodeURIComponent(host)}:${port}/${encodeURIComponent(dbname)}`;
  }
  throw invalid("has no dbname, so nothing says which database is meant", "Add dbname to the secret.");
}

function invalid(what: string, fix: string): ProviderError {
  return new ProviderError("CONFIG", `The database's secret ${what}.`, { fix });
}

/** The configuration fields that say how to connect to any PostgreSQL server, beside its URL. */
export const serverFields = {
  auth: Auth.optional().describe(
    "How the role proves who it is. `rds-iam`: with a token of Amazon RDS that is made for each new connection, so the URL has no " +
      "password. On AWS write `{ kind: rds-iam, resourceId: db-…, user: … }`, by which the task's role may connect as that one user. " +
      "Default: with the password in the URL.",
  ),
  rootCertificate: z
    .string()
    .refine((file) => file.startsWith("/") || file === "system" || file === RDS_ROOTS, {
      error: "expected the absolute path of a file, rds or system",
    })
    .optional()
    .describe(
      "Authorities that the server's certificate is verified with in full (sslmode=verify-full): `rds` for Amazon's of RDS, which " +
        "Provision brings; `system` for the operating system's; or the absolute path of a file in PEM form on the runner's machine. " +
        "An sslrootcert in the URL counts before this. Default with `auth`, or with a secret as RDS writes it: rds.",
    )
    .meta({ examples: [RDS_ROOTS] }),
  server: z
    .string()
    .regex(/^[^\s@]+\/[^\s/@]+$/, { error: "expected host:port/database, without user and password" })
    .optional()
    .describe(
      "Where the server is, for a secret that holds only `username` and `password`, as one that RDS manages: " +
        "host:5432/database. Default: as the secret says.",
    )
    .meta({ examples: ["app.abcdefghijkl.eu-central-1.rds.amazonaws.com:5432/app"] }),
};

interface ServerConfig {
  readonly auth?: Auth | undefined;
  readonly rootCertificate?: string | undefined;
  readonly server?: string | undefined;
}

/**
 * The connection that a configuration describes.
 *
 * @param secret a connection URL, or JSON as RDS writes it
 * @throws {ProviderError} `CONFIG` where the two do not fit together
 */
export function configuredConnection(secret: string, { auth, rootCertificate, server }: ServerConfig): Connection {
  const ofRds = isServerSecret(secret);
  const url = parseConnectionUrl(ofRds ? serverSecretUrl(secret, server) : secret);
  const root = url.sslRootCertificate ?? rootCertificate ?? (ofRds || auth !== undefined ? RDS_ROOTS : undefined);
  const connection = { ...url, sslRootCertificate: root };
  const verified = auth !== undefined || (root !== undefined && url.sslRootCertificate === undefined);
  if (verified && url.sslMode !== undefined && url.sslMode !== "verify-full") {
    const why = auth === undefined ? "rootCertificate" : "auth: rds-iam";
    throw new ProviderError(
      "CONFIG",
      `${why} requires sslmode=verify-full, and the connection URL has ${url.sslMode}.`,
      {
        fix: "Remove sslmode from the connection URL: verify-full is then the default.",
      },
    );
  }
  const complete: Connection = verified ? { ...connection, sslMode: "verify-full" } : connection;
  return auth === undefined ? complete : withTokens(complete, auth);
}

function withTokens(connection: Connection, auth: Auth): Connection {
  const { user } = authFacts(auth);
  if (connection.password !== undefined) {
    throw new ProviderError("CONFIG", "auth: rds-iam connects with tokens, and the connection URL has a password.", {
      fix:
        "Remove the password from the connection URL, or remove auth to use it. To restore into a server that asks for this password, " +
        "add --no-auth.",
    });
  }
  if (user !== undefined && user !== connection.user) {
    const problem = `auth.user is ${user}, and the connection URL has the user ${connection.user}.`;
    throw new ProviderError("CONFIG", problem, {
      fix: "Write the same user in both: the task's role may connect as that one only.",
    });
  }
  if (connection.hosts.some(({ host }) => host.startsWith("/"))) {
    throw new ProviderError(
      "CONFIG",
      "auth: rds-iam requires a host's name, and the connection URL has a unix socket.",
      {
        fix: "Write the endpoint of the RDS database into the connection URL.",
      },
    );
  }
  return { ...connection, token: (host) => rdsToken(connection, auth, host) };
}
