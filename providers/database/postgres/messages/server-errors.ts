import { type ErrorCode, ProviderError } from "../../../errors.ts";
import { describeState, knownMessage, namesNoValue, WITHHELD } from "./known-messages.ts";
import type { ProgramReport } from "./program-messages.ts";

/** What a message or an SQLSTATE means for the caller; the first that fits counts. */
interface Meaning {
  /** SQLSTATEs, or beginnings of them, and codes of Node.js. */
  readonly states: readonly string[];
  /** The same in what PostgreSQL's programs write under LC_ALL=C. */
  readonly pattern: RegExp;
  /** Default: what the caller takes for unknown. */
  readonly code?: ErrorCode;
  readonly fix?: string;
  /** Default: {@link ProviderError} itself. */
  readonly make?: typeof ProviderError;
}

/** The server has no room for another lock. */
export class OutOfLocksError extends ProviderError {
  override readonly name = "OutOfLocksError";
}

/** A database cannot be renamed or dropped, because it has other sessions. */
export class DatabaseInUseError extends ProviderError {
  override readonly name = "DatabaseInUseError";
}

/** A standby ended a session because of a change on its primary. */
export class RecoveryConflictError extends ProviderError {
  override readonly name = "RecoveryConflictError";
}

/** A definition or a row does not fit a constraint, as where text is ordered otherwise than in the database that it comes from. */
export class UnfitOrderError extends ProviderError {
  override readonly name = "UnfitOrderError";
}

const TLS_CODES = [
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_",
  "ERR_TLS_",
];

const IN_THE_LOG = "The server's log has the whole message, with the value.";

const VIOLATED =
  "Rows of the backup violate its own definitions: the target orders text by another locale or provider than the source; or a constraint " +
  "or its function was changed after the rows were written, or reads rows that are restored later. Restore into a database with the " +
  `source's locale; or correct the rows or the definition there, and back up again. ${IN_THE_LOG}`;

const MEANINGS: readonly Meaning[] = [
  {
    states: ["28P01"],
    pattern: /password authentication failed|no password supplied/,
    code: "AUTH",
    fix: "Check the user and the password in the connection URL; special characters in it must be percent-encoded.",
  },
  {
    // RDS itself, and its proxy, of a token.
    states: [],
    pattern: /PAM authentication failed|IAM authentication failed/,
    code: "AUTH",
    fix:
      "Check that IAM authentication is enabled on the database, that its role was granted rds_iam, that the runner's AWS identity is " +
      "allowed rds-db:connect on exactly this database and user, that the connection URL has the server's own endpoint, and that " +
      "this machine's clock is right: a token is of one endpoint, region and user, and RDS takes it for 15 minutes.",
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
      "Only a member of the owner may give objects to it: GRANT the owner TO the role that restores, or restore without " +
      "owners and privileges.",
  },
  {
    states: ["42501"],
    pattern: /must be (owner|superuser|member)|must have privileges/,
    code: "AUTH",
    fix: "Connect as the object's owner, as a member of that role or as a superuser; or give the role the missing privilege.",
  },
  {
    states: [],
    pattern: /permission denied/,
    code: "AUTH",
    fix: "Give the role the missing privilege. To read everything: GRANT pg_read_all_data TO …, and BYPASSRLS.",
  },
  {
    states: [],
    pattern: /conflict with recovery/,
    code: "TRANSIENT",
    make: RecoveryConflictError,
    fix:
      "The standby ended the dump, because it could not delay changes of the primary server any longer. On the standby set " +
      "hot_standby_feedback = on, or raise max_standby_streaming_delay (-1 waits without end); or back up the primary.",
  },
  // Before what says LOCK TABLE: that is the statement for which there is no room.
  {
    states: ["53200"],
    pattern: /max_locks_per_transaction|out of shared memory/,
    code: "CONFIG",
    make: OutOfLocksError,
    fix:
      "The database has more objects than one transaction can lock on this server: raise max_locks_per_transaction, or " +
      "restore with several jobs, which does not use a single transaction.",
  },
  {
    states: [],
    pattern: /LOCK TABLE|canceling statement due to lock timeout/,
    code: "TRANSIENT",
    fix: "Another session holds an exclusive lock on a table (pg_locks shows which). Run again later, or raise lockTimeoutSeconds.",
  },
  {
    states: [],
    // A worker of pg_dump, which does not say why.
    pattern: /could not obtain lock on relation/,
    code: "TRANSIENT",
    fix:
      "Another session waits for an exclusive lock on the table: run again. Or the server has no room for the workers' locks: dump with one job, " +
      "or raise max_locks_per_transaction (`provision doctor` says how far).",
  },
  {
    states: [],
    pattern: /server does not support SSL/,
    code: "CONFIG",
    fix: "Turn TLS on in the server (ssl = on); or connect without it: with sslmode=disable in the connection URL, of kind supabase without `rootCertificate`.",
  },
  {
    states: TLS_CODES,
    pattern: /certificate verify failed|does not match host name|root certificate file|SSL error/,
    code: "CONFIG",
    fix:
      "The server's TLS certificate cannot be verified: check that sslrootcert or `rootCertificate` names the file of the authority that signed it, " +
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
    pattern: /tablespace ".*" does not exist|could not set default_tablespace/i,
    code: "CONFIG",
    fix: "Create the tablespace on the server first, or restore without tablespaces (`--no-tablespaces`).",
  },
  {
    states: [],
    pattern: /unrecognized configuration parameter/,
    code: "CONFIG",
    fix: "The archive is of a newer PostgreSQL than the server: restore into a server that is at least as new.",
  },
  {
    states: ["42704"],
    pattern: /(?!)/,
    code: "CONFIG",
    fix:
      "The server lacks something that a definition or a row's value names: create it first. A restore creates the backup's roles with " +
      "`--create-roles`, and needs no owners with `--no-owner`.",
  },
  {
    states: [],
    pattern: /out of memory|Cannot allocate memory/,
    code: "TRANSIENT",
    fix: "Give the machine or the task more memory, or run when there is less to do, and try again.",
  },
  {
    states: ["55006"],
    pattern: /is being accessed by other users/,
    code: "CONFLICT",
    make: DatabaseInUseError,
    fix: "Close the other sessions of that database (pg_stat_activity lists them).",
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
    states: ["22021", "22P05"],
    pattern: /invalid byte sequence for encoding|has no equivalent in encoding/,
    fix:
      "A name or value in the object named above is not valid in the database's encoding (SHOW server_encoding). Correct a name by " +
      "ALTER … RENAME, a value by UPDATE; convert_from(convert_to(…), 'LATIN1') reads it as another encoding.",
  },
  {
    states: ["23505"],
    pattern: /duplicate key value violates/,
    code: "CONFLICT",
    fix: `Two rows have the same key, or the target has had one of them before. ${IN_THE_LOG}`,
  },
  {
    states: ["23514", "42P17"],
    pattern:
      /violates (?:check|partition) constraint|no partition of relation|empty range bound|would overlap partition/,
    make: UnfitOrderError,
    fix: VIOLATED,
  },
  {
    states: ["23"],
    pattern: /violates (foreign key|not-null|exclusion) constraint|could not create (unique|exclusion)/,
    fix: VIOLATED,
  },
  {
    states: ["22", "P0"],
    pattern: /invalid input (syntax|value)|out of range|value too long/,
    fix: `A value in the backup does not fit its column's type there, or a function refused it. ${IN_THE_LOG}`,
  },
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

/** The fields of an error of the `pg` package; one of a socket has a code of Node.js. */
interface PgError {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  /** Only errors of the server have one. */
  readonly severity?: string;
  /** The functions that it arose in, and a value perhaps. */
  readonly where?: string;
  /** In the statement, where that itself is wrong. */
  readonly position?: string;
  readonly table?: string;
  readonly constraint?: string;
}

/**
 * The error of the `pg` package or of a socket as a `ProviderError`, without the secrets and without any value of a row.
 *
 * @param Connecting the class of the error where nothing has been asked yet, so that no message can have a value
 * @param ofRows whether the statement reads rows
 */
export function serverError(
  error: unknown,
  doing: string,
  secrets: readonly string[],
  Connecting?: typeof ProviderError,
  ofRows = false,
): ProviderError {
  if (error instanceof ProviderError) return error;
  const { code: state = "", message = String(error), hint, severity, where, position } = error as PgError;
  const ofServer = severity !== undefined;
  // What the server has against a statement itself has a position in it.
  const mayName = ofRows && position === undefined;
  const whole = !ofServer || (where === undefined && !mayName && (Connecting !== undefined || namesNoValue(state)));
  const shown = whole ? message : shownOf(error as PgError, mayName);
  const found =
    MEANINGS.find(({ pattern, states }) => states.length === 0 && pattern.test(shown)) ??
    MEANINGS.find(({ states }) => states.some((each) => state.startsWith(each))) ??
    MEANINGS.find(({ pattern }) => pattern.test(shown));
  // An error for several addresses of one host has no message of its own.
  const reason = shown === "" && error instanceof AggregateError ? error.errors.map(String).join("; ") : shown;
  const code = found?.code ?? (!ofServer && /SSL|timeout|terminated|closed/i.test(shown) ? "TRANSIENT" : "INTERNAL");
  const fix = found?.fix ?? (whole ? hint : shown.includes(WITHHELD) ? IN_THE_LOG : undefined);
  const Kind = Connecting ?? found?.make ?? ProviderError;
  return new Kind(code, `${doing}: ${redact(reason, secrets)}`, { fix });
}

/** A server's error in which values may be, reduced to what is none. */
function shownOf({ message = "", code = "", where, table, constraint }: PgError, ofRows: boolean): string {
  const known = where === undefined ? knownMessage(message, ofRows) : undefined;
  const names = where === undefined && code.startsWith("23") ? { table, constraint } : {};
  const places = Object.entries(names).flatMap(([kind, name]) => (name === undefined ? [] : [`${kind} ${name}`]));
  const text = known?.state === code ? known.text : WITHHELD;
  return `${text} (${describeState(code)})${places.length === 0 ? "" : `; ${places.join(", ")}`}`;
}

/** What a PostgreSQL program wrote before it failed, as a `ProviderError`; `otherwise` is the code of what is not known. */
export function programError(message: string, report: ProgramReport, otherwise: ErrorCode): ProviderError {
  const { text, state } = report;
  // That something is not there programs say also of what is damaged.
  const found =
    MEANINGS.find(({ pattern }) => pattern.test(text)) ??
    MEANINGS.find(
      ({ states, code }) => code !== "NOT_FOUND" && states.some((each) => state?.startsWith(each) === true),
    );
  const fix = found?.fix ?? (text.includes(WITHHELD) ? IN_THE_LOG : undefined);
  const Kind = found?.make ?? ProviderError;
  return new Kind(found?.code ?? otherwise, text === "" ? `${message}.` : `${message}: ${text}`, { fix });
}

/** The text without the secrets, however a URL may have written them. */
export function redact(text: string, secrets: readonly string[]): string {
  const spellings = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]);
  return spellings.filter((each) => each !== "").reduce((clean, each) => clean.replaceAll(each, "***"), text);
}
