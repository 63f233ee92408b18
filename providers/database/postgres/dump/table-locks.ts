import { ProviderError } from "../../../errors.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import { lockRoom, locksOfDump } from "./lock-room.ts";
import { inScope, type Scope, scopeValues } from "../scope/scope.ts";

/** The tables in scope that the role may read, by their qualified names, quoted where SQL needs it. */
export async function readableTables(control: ControlConnection, scope: Scope): Promise<string[]> {
  const rows = await control.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema$)' AND has_table_privilege(c.oid, 'SELECT')
       AND ${inScope("nspname", "relname")} ORDER BY name`,
    scopeValues(scope),
  );
  return rows.map(({ name }) => name);
}

/**
 * Whether the server has room for this session's locks beside pg_dump's own of the same tables, and the locks of other sessions,
 * which would fail without room, too.
 *
 * @param jobs pg_dump's workers
 */
export async function mayLock(control: ControlConnection, names: readonly string[], jobs: number): Promise<boolean> {
  const room = await lockRoom(control);
  return names.length + locksOfDump(room, jobs) + room.held <= room.room;
}

/**
 * Keeps tables as they are until the transaction ends: from here on none is dropped, renamed, truncated or rewritten. Sessions
 * that only read or write rows do not have to wait.
 *
 * A table may have been truncated or rewritten between the snapshot and this lock. The snapshot sees it as empty, without an error,
 * and pg_dump would write just that.
 *
 * @param names as {@link readableTables} gives them, of the transaction's snapshot
 * @param timeoutSeconds how long to wait for a session with an exclusive lock
 * @returns whether all are as the snapshot has them; if not, the transaction is of no use
 * @throws ProviderError `TRANSIENT` where the wait ended without the lock; `OutOfLocksError`
 */
export async function lockTables(
  control: ControlConnection,
  names: readonly string[],
  timeoutSeconds: number,
): Promise<boolean> {
  if (names.length === 0) return true;
  await control.query(`SET LOCAL lock_timeout = '${timeoutSeconds}s'`);
  try {
    await control.query(`LOCK TABLE ${names.map((name) => `ONLY ${name}`).join(", ")} IN ACCESS SHARE MODE`);
  } catch (error) {
    if (error instanceof ProviderError && error.code === "NOT_FOUND") return false;
    throw error;
  }
  await control.query("SET LOCAL lock_timeout = 0");
  return areUnchanged(control, names);
}

/**
 * Fails where a table is no longer as the snapshot has it. Instead of {@link lockTables} where there is no room for its locks: called
 * while pg_dump holds its own, it proves the dump right, but cannot prevent a change.
 *
 * @throws ProviderError `TRANSIENT`
 */
export async function refuseChanged(control: ControlConnection, names: readonly string[]): Promise<void> {
  if (await areUnchanged(control, names)) return;
  const problem =
    "A table was truncated, rewritten, renamed or dropped after the snapshot, which no longer has its rows.";
  throw new ProviderError("TRANSIENT", problem, {
    fix:
      "Run the backup again. The server has no room to lock all tables for the whole backup: to have them locked, raise " +
      `max_locks_per_transaction until it has room for ${2 * names.length} more locks (see \`provision doctor\`).`,
  });
}

async function areUnchanged(control: ControlConnection, names: readonly string[]): Promise<boolean> {
  // What the query reads is the snapshot's; what its functions say is of this moment.
  const changed = await control.query(
    `SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE format('%I.%I', nspname, relname) = ANY($1::text[]) AND (relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
       OR to_regclass(format('%I.%I', nspname, relname))::oid IS DISTINCT FROM c.oid) LIMIT 1`,
    [names],
  );
  return changed.length === 0;
}
