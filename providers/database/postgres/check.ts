import { compareClock } from "../../clock.ts";
import { toProviderError } from "../../errors.ts";
import type { Check } from "../database.ts";
import { clientsFor, refuseUnrestorable } from "./dump/backup.ts";
import { archiveRisk, findPrograms } from "./programs/clients.ts";
import { connect, type ControlConnection, place, withConnection } from "./connect/control-connection.ts";
import { refuseHiddenRows } from "./dump/hidden-rows.ts";
import { takeLock } from "./dump/job-lock.ts";
import { chooseDatabases } from "./dump/several.ts";
import { lockRoom, locksOfDump, locksPerTransaction } from "./dump/lock-room.ts";
import { inScope, type Scope, scopeValues, someOf } from "./scope/scope.ts";
import { resolveSelection } from "./scope/selection.ts";
import type { PostgresSettings } from "./settings.ts";

/**
 * Checks everything that a backup of this database needs.
 *
 * @param scopeOf finds what the backup leaves out; nothing of that needs to be readable
 */
export async function* checkPostgres(
  settings: PostgresSettings,
  signal: AbortSignal,
  lock: string | undefined,
  scopeOf: (control: ControlConnection) => Promise<Scope> = (each) => resolveSelection(each, settings.selection ?? {}),
): AsyncGenerator<Check> {
  let control: ControlConnection;
  try {
    control = await connect(settings.connection, signal);
  } catch (error) {
    yield failed("connection", error);
    yield await installedClients(settings.clients);
    return;
  }
  try {
    yield { name: "connection", ok: true, detail: `PostgreSQL ${control.serverVersion} on ${place(control.host)}` };
    const checks: Record<
      string,
      (control: ControlConnection, settings: PostgresSettings) => Promise<Omit<Check, "name">>
    > = {
      clients: async () => checkClients(control, settings, await scopeOf(control), signal),
      TLS: checkTls,
      privileges: async () => checkPrivileges(control, await scopeOf(control)),
      "row level security": async () => checkRowSecurity(control, await scopeOf(control)),
      standby: checkStandby,
      clock: checkClock,
      size: checkSize,
      locks: checkLocks,
      sessions: async () => checkSessions(control, settings, await namesOf(control, settings, signal)),
      ...(lock !== undefined && { lock: () => checkLock(control, settings, lock, signal) }),
    };
    for (const [name, check] of Object.entries(checks)) {
      try {
        yield { name, ...(await check(control, settings)) };
      } catch (error) {
        yield failed(name, error);
      }
    }
  } finally {
    await control.close();
  }
}

function failed(name: string, error: unknown): Check {
  const { message, fix } = toProviderError(error);
  return { name, ok: false, detail: message, ...(fix !== undefined && { fix }) };
}

/** Without a server there is no version to fit; which clients are installed is worth knowing all the same. */
async function installedClients(only: string | undefined): Promise<Check> {
  const found = await findPrograms("pg_dump", only);
  if (found.length > 0) {
    const list = found.map(({ version, directory }) => `${version} in ${directory}`).join(", ");
    return { name: "clients", ok: true, detail: `pg_dump ${list}` };
  }
  return {
    name: "clients",
    ok: false,
    detail: only === undefined ? "pg_dump is not installed" : `no pg_dump in ${only}`,
    fix: "Install the client programs of PostgreSQL, of the server's version or newer.",
  };
}

async function checkClients(
  control: ControlConnection,
  settings: PostgresSettings,
  scope: Scope,
  signal: AbortSignal,
): Promise<Omit<Check, "name">> {
  const clients = await clientsFor(control, settings.clients);
  const { version, directory } = clients;
  await refuseUnrestorable({ settings, control, clients }, scope, signal);
  const found = `pg_dump ${version} in ${directory}`;
  const risk = archiveRisk(version, control.serverVersion);
  return risk === undefined
    ? { ok: true, detail: found }
    : { ok: true, detail: `${found}: ${risk.detail}`, fix: risk.fix };
}

function checkTls(control: ControlConnection, { connection }: PostgresSettings): Promise<Omit<Check, "name">> {
  const { host } = control.host;
  if (control.encrypted) {
    const verified = connection.sslMode === "verify-full";
    const detail = verified
      ? "encrypted, and the server is verified"
      : "encrypted, but the server's name is not verified";
    const fix = "Add sslmode=verify-full and sslrootcert=… to the connection URL.";
    return Promise.resolve({ ok: true, detail, ...(!verified && { fix }) });
  }
  const local = host.startsWith("/") || /^(localhost|127\.|::1$)/.test(host);
  return Promise.resolve(
    local
      ? { ok: true, detail: "not encrypted, and stays on this machine" }
      : {
          ok: false,
          detail: `the connection to ${host} is not encrypted`,
          fix: "Turn TLS on in the server (ssl = on), and add sslmode=verify-full and sslrootcert=… to the connection URL.",
        },
  );
}

/** All that pg_dump reads and this role may not. */
const UNREADABLE = `
  SELECT format('schema %I', nspname) AS name FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname <> ALL($1::text[]) AND NOT has_schema_privilege(oid, 'USAGE')
  UNION ALL SELECT format('table %s', c.oid::regclass) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND c.oid >= 16384 AND relpersistence <> 't' AND NOT has_table_privilege(c.oid, 'SELECT')
      AND ${inScope("nspname", "relname")}
  UNION ALL SELECT format('sequence %s', c.oid::regclass) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE c.oid >= 16384 AND CASE relkind WHEN 'S' THEN relpersistence <> 't' AND NOT has_sequence_privilege(c.oid, 'SELECT') ELSE false END
      AND ${inScope("nspname", "relname")}
  UNION ALL SELECT format('large object %s', oid) FROM pg_largeobject_metadata
    WHERE current_setting('lo_compat_privileges') = 'off'
      AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND NOT pg_has_role(lomowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM aclexplode(lomacl) WHERE privilege_type = 'SELECT'
        AND CASE grantee WHEN 0 THEN true ELSE pg_has_role(grantee, 'USAGE') END)`;

async function checkPrivileges(control: ControlConnection, scope: Scope): Promise<Omit<Check, "name">> {
  const rows = await control.query<{ name: string }>(UNREADABLE, scopeValues(scope));
  if (rows.length === 0) return { ok: true, detail: "the role may read everything" };
  return {
    ok: false,
    detail: `the role may not read ${someOf(rows)}`,
    fix: "GRANT pg_read_all_data TO the role (PostgreSQL 14 and newer), and SELECT on large objects, or connect as their owner.",
  };
}

async function checkRowSecurity(control: ControlConnection, scope: Scope): Promise<Omit<Check, "name">> {
  await refuseHiddenRows(control, scope);
  return { ok: true, detail: "no row is hidden from the role" };
}

async function checkStandby(control: ControlConnection): Promise<Omit<Check, "name">> {
  if (!control.inRecovery) return { ok: true, detail: "this is a primary server" };
  const { feedback, delay } = await control.one<{ feedback: string; delay: string }>(
    "SELECT current_setting('hot_standby_feedback') AS feedback, current_setting('max_standby_streaming_delay') AS delay",
  );
  if (feedback === "on" || delay === "-1") return { ok: true, detail: "a standby that lets long queries finish" };
  return {
    ok: true,
    detail: `a standby that may cancel a dump which holds replication up for longer than ${delay}`,
    fix: "Set hot_standby_feedback = on or max_standby_streaming_delay = -1 on the standby.",
  };
}

async function checkClock(control: ControlConnection): Promise<Omit<Check, "name">> {
  const asked = Date.now();
  const { time } = await control.one<{ time: Date }>("SELECT clock_timestamp() AS time");
  return { ok: true, ...compareClock("the server's clock", time, asked, Date.now()) };
}

async function checkSize(control: ControlConnection): Promise<Omit<Check, "name">> {
  const { detail } = await control.one<{ detail: string }>(
    "SELECT pg_size_pretty(pg_database_size(current_database())) AS detail",
  );
  return { ok: true, detail };
}

async function checkLocks(control: ControlConnection, { jobs = 1 }: PostgresSettings): Promise<Omit<Check, "name">> {
  const room = await lockRoom(control);
  const wanted = room.relations + locksOfDump(room, jobs);
  const detail = `${room.relations} tables and sequences, and room for ${room.room} locks`;
  if (wanted <= room.room) return { ok: true, detail };
  return {
    ok: true,
    detail: `${detail}: a run cannot lock all tables, and fails if one is truncated or altered just as it begins`,
    fix: `To have them locked, ALTER SYSTEM SET max_locks_per_transaction = ${locksPerTransaction(room, wanted)}, and restart the server.`,
  };
}

/**
 * Sessions that are free for a run as this role: of the server, of the role, and of the database with fewest, where the lock of a run of
 * several takes one of the first alone. A superuser has no limit of its own, and this session is over by then.
 */
const FREE_SESSIONS = `
  WITH used AS (SELECT * FROM pg_stat_activity WHERE pid <> pg_backend_pid())
  SELECT least(current_setting('max_connections')::int - (SELECT count(*) FROM used WHERE backend_type = 'client backend') - CASE WHEN rolsuper
      THEN 0 ELSE current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0) END,
    CASE WHEN rolconnlimit >= 0 AND NOT rolsuper THEN rolconnlimit - (SELECT count(*) FROM used WHERE usesysid = r.oid) END,
    (SELECT min(datconnlimit - (SELECT count(*) FROM used WHERE datid = d.oid) + (datname <> ($1::text[])[1])::int) FROM pg_database AS d
      WHERE datname = ANY($1::text[]) AND datconnlimit >= 0 AND NOT rolsuper))::int AS free
  FROM pg_roles AS r WHERE rolname = session_user`;

/** The databases that a run dumps, in its order. */
async function namesOf(
  { database }: ControlConnection,
  settings: PostgresSettings,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { databases } = settings;
  return databases === undefined ? [database] : chooseDatabases(settings, databases, signal);
}

async function checkSessions(
  control: ControlConnection,
  { databases, jobs = 1 }: PostgresSettings,
  names: readonly string[],
): Promise<Omit<Check, "name">> {
  // That of the snapshot, pg_dump's own and its workers', and for several databases that of the lock.
  const wanted = 2 + (jobs > 1 ? jobs : 0) + (databases === undefined ? 0 : 1);
  const { free } = await control.one<{ free: number }>(FREE_SESSIONS, [names]);
  const detail = `a run takes ${wanted} sessions of the server, and ${free} are free`;
  if (wanted <= free) return { ok: true, detail };
  const fix =
    "Raise max_connections or the role's or database's CONNECTION LIMIT, close other sessions, or take fewer `jobs`.";
  return { ok: false, detail, fix };
}

async function checkLock(
  control: ControlConnection,
  settings: PostgresSettings,
  lock: string,
  signal: AbortSignal,
): Promise<Omit<Check, "name">> {
  // Where a run takes it. The end of the connection gives it back.
  const [database] = await namesOf(control, settings, signal);
  await withConnection(settings.connection, signal, (each) => takeLock(each, lock), { database });
  return { ok: true, detail: `no other run of ${lock} holds the lock` };
}
