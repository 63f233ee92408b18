import { z } from "zod";
import { ProviderError } from "../../../errors.ts";

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
export function isServerSecret(value: string): boolean {
  return value.trimStart().startsWith("{");
}

/**
 * The connection URL that a secret's parts make.
 *
 * @param server where the server is, for a secret without a host: `host:port/database`
 * @throws {ProviderError} `CONFIG`; the message never holds a part of the secret but field names and the engine
 */
export function serverSecretUrl(value: string, server: string | undefined): string {
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
