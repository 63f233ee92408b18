import { createHash } from "node:crypto";
import { LockHeldError, ProviderError } from "../../../errors.ts";
import type { ControlConnection } from "../connect/control-connection.ts";

/** A session that holds a lock, as far as the role may see it. */
interface Holder {
  /** Null for a prepared transaction, which has no session. */
  readonly pid: number | null;
  readonly role: string | null;
  readonly application: string | null;
  readonly address: string | null;
  readonly since: Date | null;
  /** Whether the role and the application's name are those of this connection. */
  readonly isLikeUs: boolean | null;
}

/**
 * Takes the session's advisory lock of that name. It belongs to the database, and works on a standby, but a standby and its primary
 * do not see each other's. Every role that may connect can take it too, so the error depends on who holds it.
 *
 * @throws LockHeldError where another run has it
 * @throws ProviderError `CONFLICT` where the holder is evidently no run: another role or another application
 */
export async function takeLock(control: ControlConnection, name: string): Promise<void> {
  const key = lockKey(name);
  const { taken } = await control.one<{ taken: boolean }>("SELECT pg_try_advisory_lock($1::bigint) AS taken", [key]);
  if (taken) return;
  const holder = await holderOf(control, key);
  // It may have ended since.
  if (holder === undefined) throw new LockHeldError(name);
  if (holder.isLikeUs !== false) throw new LockHeldError(name, describe(holder));
  const problem = `No run of ${name} can begin: its lock is held by a session that is no run of it, ${describe(holder)}.`;
  throw new ProviderError("CONFLICT", problem, { fix: howToEnd(control, holder) });
}

/**
 * Names what has the session's advisory locks: a server from its start to its end, and a database. A standby and its primary differ,
 * and so do a server and its copy. Undefined where the server does not say.
 *
 * To be called outside of a transaction, which a refusal would end.
 */
export async function lockedIn(control: ControlConnection): Promise<string | undefined> {
  try {
    const { name } = await control.one<{ name: string }>(
      "SELECT extract(epoch FROM pg_postmaster_start_time())::text || ' ' || current_database() AS name",
    );
    return name;
  } catch {
    // Some services refuse it. A connection that has broken shows in the next query.
    return undefined;
  }
}

/** The lock's name as the 64 bits that PostgreSQL's advisory locks have. */
function lockKey(name: string): string {
  return createHash("sha256").update(`provision:${name}`).digest().readBigInt64BE(0).toString();
}

/** The lock's holder; of several that share it, one that is no run. */
async function holderOf(control: ControlConnection, key: string): Promise<Holder | undefined> {
  const [holder] = await control.query<Holder>(
    `SELECT l.pid, rolname AS role, application_name AS application, host(client_addr) AS address, backend_start AS since,
       CASE WHEN l.pid IS NULL THEN false ELSE application_name = current_setting('application_name') AND rolname = session_user END AS "isLikeUs"
     FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid LEFT JOIN pg_roles AS r ON r.oid = usesysid
     WHERE locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted
       AND classid::bigint = ($1::bigint >> 32) & 4294967295 AND objid::bigint = $1::bigint & 4294967295 AND objsubid = 1
     ORDER BY "isLikeUs" LIMIT 1`,
    [key],
  );
  return holder;
}

/** Names as strings of JSON: they may hold anything. */
function describe({ pid, role, application, address, since }: Holder): string {
  if (pid === null) return "a prepared transaction";
  return [
    `process ${pid}`,
    ...(role === null ? [] : [`role ${JSON.stringify(role)}`]),
    ...(application === null ? [] : [`application_name ${JSON.stringify(application)}`]),
    ...(address === null ? [] : [`from ${address}`]),
    ...(since === null ? [] : [`connected since ${since.toISOString()}`]),
  ].join(", ");
}

function howToEnd({ database, quote }: ControlConnection, { pid, role }: Holder): string {
  if (pid === null) return "Find it in pg_prepared_xacts, and end it there: ROLLBACK PREPARED '…'.";
  const from = role === null ? "that role" : quote(role);
  return (
    `End that session, as a superuser: SELECT pg_terminate_backend(${pid}). Every role that may connect to a database can take its locks: to keep ` +
    `that role away, REVOKE CONNECT ON DATABASE ${quote(database)} FROM PUBLIC, ${from}.`
  );
}
