import { setTimeout as delay } from "node:timers/promises";
import { ProviderError, toProviderError } from "../../../errors.ts";
import { isEmpty } from "./contents.ts";
import { connect, type ControlConnection } from "../connect/control-connection.ts";
import type { PostgresSettings } from "../settings.ts";

/** A restore in one transaction that has failed. */
interface Restoring {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  /** The `application_name` of the session that restored. */
  readonly session: string;
  /** The target's name. */
  readonly database: string;
  readonly signal: AbortSignal;
}

/** How long a server that was restarted may take until it can be asked, and how often it is tried, in milliseconds. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;

/**
 * The problem together with what the target holds now. That is looked at after the restore's own session is gone, instead of
 * trusting that its end meant a rollback, and over a new connection: what ended the restore may have ended the first one.
 */
export async function withState(
  { settings, control, session, database, signal }: Restoring,
  problem: ProviderError,
): Promise<ProviderError> {
  const { code, message, fix } = problem;
  const common = { cause: problem, ...(fix === undefined ? {} : { fix }) };
  let empty: boolean;
  try {
    const after = await connectAgain(settings, control, signal);
    try {
      for (let tries = 0; tries < 100; tries += 1) {
        const rows = await after.query("SELECT FROM pg_stat_activity WHERE application_name = $1", [session]);
        if (rows.length === 0) break;
        await delay(100);
      }
      empty = await isEmpty(after);
    } finally {
      await after.close();
    }
  } catch (error) {
    const why = toProviderError(error).message;
    return new ProviderError(
      code,
      `${message} It was one transaction, which the server rolls back; that ${database} is empty could not be seen: ${why}`,
      common,
    );
  }
  // That is what everybody expects, unless the server has gone with the restore.
  if (empty && control.broken === undefined) return problem;
  if (empty)
    return new ProviderError(code, `Nothing was restored, and ${database} is empty as before: ${message}`, common);
  return new ProviderError(
    "INTEGRITY",
    `The restore failed, and yet the database ${database} is not empty: ${message}`,
    {
      cause: problem,
      fix: "Drop that database, create it again and restore again.",
    },
  );
}

async function connectAgain(
  { connection }: PostgresSettings,
  { host }: ControlConnection,
  signal: AbortSignal,
): Promise<ControlConnection> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await connect(connection, signal, { host });
    } catch (error) {
      if (signal.aborted || toProviderError(error).code !== "TRANSIENT" || Date.now() > until) throw error;
      await delay(PAUSE_MS);
    }
  }
}
