import { setTimeout as delay } from "node:timers/promises";
import { ProviderError, reworded, toProviderError } from "../../../errors.ts";
import { connect, type ControlConnection } from "../connect/control-connection.ts";
import type { PostgresSettings } from "../settings.ts";
import { isEmpty } from "./contents.ts";

/** A restore in one transaction that has failed. */
interface FailedRestore {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  /** The `application_name` of the session that restored. */
  readonly session: string;
  readonly signal: AbortSignal;
}

/** A restore in one transaction has failed, and its target is not empty as it was before. */
export class NotEmptyError extends ProviderError {
  override readonly name = "NotEmptyError";
}

/** How long a server may take to restart, and the pause between two tries to connect, in milliseconds. */
const RESTART_PATIENCE_MS = 30_000;
const RESTART_PAUSE_MS = 500;

/** How often the end of the restore's session is asked for, and the pause between two tries in milliseconds. */
const SESSION_TRIES = 100;
const SESSION_PAUSE_MS = 100;

/**
 * The problem together with what the target holds now. That is read after the restore's own session has ended, instead of
 * trusting that its end meant a rollback, and over a new connection: what ended the restore may have ended the first one.
 */
export async function stateAfter(restore: FailedRestore, problem: ProviderError): Promise<ProviderError> {
  const { database, broken } = restore.control;
  try {
    const empty = await isEmptyAfter(restore);
    // Everybody expects that, unless the server has gone with the restore.
    if (empty && broken === undefined) return problem;
    if (empty) return reworded(problem, (own) => `Nothing was restored, and ${database} is empty as before: ${own}`);
    const message = `The restore failed, and yet the database ${database} is not empty: ${problem.message}`;
    // An interruption that is told as one shows its message.
    return new NotEmptyError(problem.code === "ABORTED" ? "ABORTED" : "INTEGRITY", message, {
      cause: problem,
      fix: "Drop that database, create it again and restore again.",
    });
  } catch (error) {
    const why = toProviderError(error).message;
    const rest = `It was one transaction, which the server rolls back, but ${database} could not be checked to be empty: ${why}`;
    return reworded(problem, (own) => `${own} ${rest}`);
  }
}

async function isEmptyAfter({ settings, control, session, signal }: FailedRestore): Promise<boolean> {
  const after = await connectAgain(settings, control, signal);
  try {
    for (let tries = 0; tries < SESSION_TRIES; tries += 1) {
      const rows = await after.query("SELECT FROM pg_stat_activity WHERE application_name = $1", [session]);
      if (rows.length === 0) return await isEmpty(after);
      await delay(SESSION_PAUSE_MS);
    }
    throw new ProviderError("TRANSIENT", "The session that restored has not ended yet.");
  } finally {
    await after.close();
  }
}

async function connectAgain(
  { connection }: PostgresSettings,
  { host }: ControlConnection,
  signal: AbortSignal,
): Promise<ControlConnection> {
  const until = Date.now() + RESTART_PATIENCE_MS;
  for (;;) {
    try {
      return await connect(connection, signal, { host });
    } catch (error) {
      if (signal.aborted || toProviderError(error).code !== "TRANSIENT" || Date.now() > until) throw error;
      await delay(RESTART_PAUSE_MS);
    }
  }
}
