import type { ProviderError } from "../../../errors.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import { OutOfLocksError } from "../messages/server-errors.ts";

/** How many locks a server has room for, and how many a dump takes. */
export interface LockRoom {
  /** Tables and sequences of the database, each of which pg_dump locks. */
  readonly relations: number;
  /** Locks that any session holds now. */
  readonly held: number;
  /** Locks for which the server guarantees room; it has a little more. */
  readonly room: number;
  readonly perTransaction: number;
  readonly connections: number;
  readonly prepared: number;
}

/** See https://www.postgresql.org/docs/current/runtime-config-locks.html#GUC-MAX-LOCKS-PER-TRANSACTION. */
export async function lockRoom(control: ControlConnection): Promise<LockRoom> {
  const row = await control.one<Omit<LockRoom, "room">>(
    `SELECT (SELECT count(*)::int FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
         WHERE relkind IN ('r', 'p', 'S') AND nspname !~ '^(pg_|information_schema$)') AS relations,
       (SELECT count(*)::int FROM pg_locks) AS held,
       current_setting('max_locks_per_transaction')::int AS "perTransaction", current_setting('max_connections')::int AS connections,
       current_setting('max_prepared_transactions')::int AS prepared`,
  );
  return { ...row, room: row.perTransaction * (row.connections + row.prepared) };
}

/** Locks that a dump takes: each of several workers locks again what it reads. */
export function locksOfDump({ relations }: LockRoom, jobs: number): number {
  return jobs > 1 ? 2 * relations : relations;
}

/** The `max_locks_per_transaction` with which there is room for so many locks, and for those of everybody else. */
export function locksPerTransaction({ perTransaction, connections, prepared }: LockRoom, locks: number): number {
  return perTransaction + Math.ceil(locks / (connections + prepared));
}

/** Says of a dump that has run out of locks how many it needs and how many there are. */
export async function explainOutOfLocks(
  error: ProviderError,
  control: ControlConnection,
  jobs: number,
): Promise<ProviderError> {
  if (!(error instanceof OutOfLocksError)) return error;
  const room = await lockRoom(control).catch(() => undefined);
  if (room === undefined) return error;
  const { relations, perTransaction, connections, prepared } = room;
  return new OutOfLocksError(
    error.code,
    `The server has no room for all the locks of pg_dump, which locks each of the database's ${relations} tables and sequences` +
      `${jobs > 1 ? ", and its workers lock them again" : ""}. There is room for ${room.room} and a few more: ` +
      `max_locks_per_transaction, ${perTransaction}, for each of max_connections and max_prepared_transactions, ${connections} and ${prepared}.`,
    {
      cause: error,
      fix:
        `ALTER SYSTEM SET max_locks_per_transaction = ${locksPerTransaction(room, relations + locksOfDump(room, jobs))}, as a superuser, and restart the server. Else leave tables out (\`exclude\`)` +
        `${jobs > 1 ? ", or dump with one job, which takes half as many" : ""}.`,
    },
  );
}
