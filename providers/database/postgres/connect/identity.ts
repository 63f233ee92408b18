import type { DatabaseIdentity } from "../../database.ts";
import { type ControlConnection, withConnection } from "./control-connection.ts";
import type { PostgresSettings } from "../settings.ts";

/**
 * The system identifier that initdb gave to the server's data, in decimal digits. A standby has that of its primary, and keeps
 * it when it takes over; a new server, and one after pg_upgrade, have one of their own. Null where the role may not read it.
 *
 * To be called outside of a transaction, which a refusal would end.
 */
export async function readSystemIdentifier(control: ControlConnection): Promise<string | null> {
  try {
    // Asked for first, so that a refusal is not in the server's log every night.
    const { may } = await control.one<{ may: boolean }>(
      "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may",
    );
    if (!may) return null;
    const { id } = await control.one<{ id: string }>(
      "SELECT system_identifier::text AS id FROM pg_catalog.pg_control_system()",
    );
    return id;
  } catch {
    // Some services refuse it in ways of their own. A connection that has broken shows in the next query.
    return null;
  }
}

/** Connects, and asks which database it is. */
export function identifyDatabase(settings: PostgresSettings, signal: AbortSignal): Promise<DatabaseIdentity> {
  const { databases, connection } = settings;
  return withConnection(connection, signal, async (control) => ({
    systemIdentifier: await readSystemIdentifier(control),
    name: databases === undefined ? connection.database : null,
  }));
}
