import { ProviderError } from "../../errors.ts";
import type { RestoreOptions } from "../database.ts";
import { type ControlConnection, place } from "../postgres/connect/control-connection.ts";
import type { Connection } from "../postgres/connect/connection-url.ts";
import { projectReference } from "./direct-host.ts";
import { IN_OWN_SCHEMA } from "./platform.ts";

/**
 * Checks that the target can be restored into, and that it is new.
 *
 * @throws {ProviderError} `CONFIG` where it cannot, `CONFLICT` where it is not new and the options want that
 */
export async function checkTarget(control: ControlConnection, options: RestoreOptions): Promise<void> {
  if (control.inRecovery) {
    throw new ProviderError("CONFIG", `${place(control.host)} is a read replica, which cannot be restored into.`, {
      fix: "Name the primary database in the connection URL.",
    });
  }
  const role = await control.one<{ name: string; able: boolean }>(
    "SELECT rolname AS name, rolname = 'postgres' OR rolsuper AS able FROM pg_roles WHERE rolname = current_user",
  );
  if (!role.able) {
    throw new ProviderError("CONFIG", `The role ${role.name} cannot restore a project: postgres must own it.`, {
      fix: "Connect as postgres.",
    });
  }
  const found = await control.query<{ name: string }>(
    `SELECT name FROM (
       SELECT c.oid::regclass::text AS name, relnamespace AS schema, 'pg_class'::regclass AS class, c.oid FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       UNION ALL SELECT p.oid::regprocedure::text, pronamespace, 'pg_proc'::regclass, p.oid FROM pg_proc AS p
     ) AS objects JOIN pg_namespace AS n ON n.oid = schema
     WHERE ${IN_OWN_SCHEMA}
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = objects.oid AND deptype = 'e')
     UNION ALL SELECT 'rows of auth.users' WHERE EXISTS (SELECT FROM auth.users)
     UNION ALL SELECT 'rows of storage.buckets' WHERE EXISTS (SELECT FROM storage.buckets)
     LIMIT 4`,
  );
  if (found.length === 0 || options.allowNonEmpty) return;
  const problem = `The project is not new: it has ${found.map(({ name }) => name).join(", ")}. Nothing was restored into it.`;
  throw new ProviderError("CONFLICT", problem, {
    fix: "Restore into a new project; or allow a target that is not empty, where what is in both makes the restore fail.",
  });
}

/** What a person must type to restore into a target: its project's reference, or the address of a self-hosted one. */
export function targetReference(connection: Connection): string {
  const [host] = connection.hosts;
  return projectReference(connection) ?? `${host === undefined ? "" : place(host)}/${connection.database}`;
}

/** @throws {ProviderError} `CONFIG` where the person has not confirmed that it is this target */
export function requireConfirmation(connection: Connection, confirmed: string | undefined): void {
  const reference = targetReference(connection);
  if (confirmed === reference) return;
  const said = confirmed === undefined ? "--confirm is missing" : `--confirm says ${confirmed}`;
  throw new ProviderError("CONFIG", `The target is the project ${reference}, and ${said}: nothing was restored.`, {
    fix: `Read the plan with --dry-run, and then add --confirm ${reference}.`,
  });
}
