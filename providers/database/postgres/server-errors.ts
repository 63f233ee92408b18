import { type ErrorCode, ProviderError } from "../../errors.ts";

/** What a message or an SQLSTATE means for the caller; the first that fits counts. */
interface Meaning {
  /** SQLSTATEs, or beginnings of them, and codes of Node.js. */
  readonly states: readonly string[];
  /** The same in what PostgreSQL's programs write under LC_ALL=C. */
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly fix?: string;
}

const tlsCodes = [
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_",
  "ERR_TLS_",
];

const meanings: readonly Meaning[] = [
  {
    states: ["28P01"],
    pattern: /password authentication failed|no password supplied/,
    code: "AUTH",
    fix: "Check the user and the password in the connection URL; special characters in it must be percent-encoded.",
  },
  {
    states: ["28"],
    pattern: /no pg_hba\.conf entry|FATAL: +role "|is not permitted to log in/,
    code: "AUTH",
    fix: "Check the user in the connection URL, and that the server's pg_hba.conf lets it in from this machine.",
  },
  {
    states: ["3D000"],
    pattern: /FATAL: +database ".*" does not exist/,
    code: "NOT_FOUND",
    fix: "Check the database's name in the connection URL, or create the database.",
  },
  {
    states: [],
    pattern: /row-level security/,
    code: "AUTH",
    fix:
      "Row level security hides rows from this role, and a backup without them would be incomplete. Connect as a role " +
      "with BYPASSRLS (ALTER ROLE … BYPASSRLS) or as a superuser.",
  },
  {
    states: [],
    pattern: /must be able to SET ROLE|must be member of role/,
    code: "AUTH",
    fix:
      "Only a member of the owner may make it the owner of something: GRANT the owner TO the role that restores, or restore without " +
      "owners and privileges.",
  },
  {
    states: ["42501"],
    pattern: /permission denied|must be (owner|superuser|member)|must have privileges/,
    code: "AUTH",
    fix: "Give the role the missing privilege. To read everything: GRANT pg_read_all_data TO …, and BYPASSRLS.",
  },
  {
    states: [],
    pattern: /conflict with recovery/,
    code: "TRANSIENT",
    fix:
      "The standby ended the dump, because what the primary server changed could not wait for it. On the standby set " +
      "hot_standby_feedback = on, or raise max_standby_streaming_delay (-1 waits without end); or back up the primary.",
  },
  {
    states: [],
    pattern: /LOCK TABLE|canceling statement due to lock timeout/,
    code: "TRANSIENT",
    fix: "Somebody holds an exclusive lock on a table (pg_locks shows who). Run again later, or raise lockTimeoutSeconds.",
  },
  {
    states: [],
    pattern: /server does not support SSL/,
    code: "CONFIG",
    fix: "Turn TLS on in the server (ssl = on), or change sslmode in the connection URL.",
  },
  {
    states: tlsCodes,
    pattern: /certificate verify failed|does not match host name|root certificate file|SSL error/,
    code: "CONFIG",
    fix:
      "The server's TLS certificate is not proven: check that sslrootcert names the file of the authority that signed it, " +
      "and that the host's name in the URL is the one in the certificate.",
  },
  {
    states: [],
    pattern: /server version mismatch|unsupported version \(/,
    code: "CONFIG",
    fix: "Install newer PostgreSQL client programs, or name their folder in `clients`.",
  },
  {
    states: [],
    pattern: /tablespace ".*" does not exist/i,
    code: "CONFIG",
    fix: "Create the tablespace on the server first, or restore without tablespaces (`--no-tablespaces`).",
  },
  {
    states: ["42704"],
    pattern: /unrecognized configuration parameter/,
    code: "CONFIG",
    fix: "The archive is of a newer PostgreSQL than the server: restore into a server that is at least as new.",
  },
  {
    states: [],
    pattern: /ERROR: +role "/,
    code: "CONFIG",
    fix: "Create the role on the server first, or let the restore create the backup's roles.",
  },
  {
    states: ["53200"],
    pattern: /max_locks_per_transaction|out of shared memory/,
    code: "CONFIG",
    fix:
      "The database has more objects than one transaction can lock on this server: raise max_locks_per_transaction, or " +
      "restore with several jobs, which does not use a single transaction.",
  },
  {
    states: [],
    pattern: /out of memory|Cannot allocate memory/,
    code: "TRANSIENT",
    fix: "Give the machine or the task more memory, or run when there is less to do, and try again.",
  },
  { states: ["53100"], pattern: /No space left on device/, code: "QUOTA", fix: "Make room on the server's disk." },
  {
    states: ["ENOTFOUND"],
    pattern: /could not translate host name/,
    code: "CONFIG",
    fix: "Check the host's name in the connection URL, and that this machine can resolve it.",
  },
  // What is not there; not by a message, as programs say that also of what is damaged.
  { states: ["42P01", "3F000"], pattern: /(?!)/, code: "NOT_FOUND" },
  { states: ["42P07", "42710", "42723", "42P06"], pattern: /already exists/, code: "CONFLICT" },
  {
    states: ["53300"],
    pattern: /too many clients|remaining connection slots/,
    code: "TRANSIENT",
    fix: "The server takes no more connections: raise max_connections or the pool's size, or run when there are fewer.",
  },
  {
    states: [
      "08",
      "57P",
      "40",
      "55P03",
      "57014",
      "ECONN",
      "ETIMEDOUT",
      "EHOST",
      "ENET",
      "EPIPE",
      "EAI_AGAIN",
      "EADDR",
      "ENOENT",
    ],
    pattern: /connection to server|server closed the connection|terminating connection|deadlock detected|SSL SYSCALL/,
    code: "TRANSIENT",
    fix: "Check that the server runs and can be reached from this machine.",
  },
  {
    states: [],
    pattern:
      /could not read from input file|end of file|input file (is too short|does not appear)|not appear to be a valid archive|corrupt|unrecognized data block type|could not find block|bogus|unexpected section|not a valid/,
    code: "INTEGRITY",
  },
];

/** The error of the `pg` package or of a socket as a `ProviderError`, without the secrets. */
export function serverError(error: unknown, doing: string, secrets: readonly string[]): ProviderError {
  if (error instanceof ProviderError) return error;
  const {
    code: state = "",
    message = String(error),
    hint,
  } = error as { code?: string; message?: string; hint?: string };
  const found =
    meanings.find(({ pattern, states }) => states.length === 0 && pattern.test(message)) ??
    meanings.find(({ states }) => states.some((each) => state.startsWith(each))) ??
    meanings.find(({ pattern }) => pattern.test(message));
  // An error for several addresses of one host has no message of its own.
  const reason = message === "" && error instanceof AggregateError ? error.errors.map(String).join("; ") : message;
  const code = found?.code ?? (/SSL|timeout|terminated|closed/i.test(message) ? "TRANSIENT" : "INTERNAL");
  const fix = found?.fix ?? hint;
  return new ProviderError(code, `${doing}: ${redact(reason, secrets)}`, fix === undefined ? {} : { fix });
}

/** What a PostgreSQL program wrote before it failed, as a `ProviderError`; `otherwise` is the code of what is not known. */
export function programError(message: string, stderr: string, otherwise: ErrorCode): ProviderError {
  const found = meanings.find(({ pattern }) => pattern.test(stderr));
  const text = stderr.trim() === "" ? `${message}.` : `${message}: ${stderr.trim()}`;
  return new ProviderError(found?.code ?? otherwise, text, found?.fix === undefined ? {} : { fix: found.fix });
}

/** The text without the secrets, however a URL may have written them. */
export function redact(text: string, secrets: readonly string[]): string {
  const spellings = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]);
  return spellings.filter((each) => each !== "").reduce((clean, each) => clean.replaceAll(each, "***"), text);
}
