import { ProviderError } from "../../../errors.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import { inScope, type Scope, scopeValues, someOf } from "../scope/scope.ts";

/**
 * Fails where a policy may hide rows of a table from this role. pg_dump itself would fail at the first such table, because
 * it switches `row_security` off: then a query that a policy would shorten is an error. Switched on, it would leave out the
 * rows without a word. Here all tables are named, before anything is dumped.
 *
 * @throws {ProviderError} `AUTH`
 */
export async function refuseHiddenRows(control: ControlConnection, scope: Scope): Promise<void> {
  const rows = await control.query<{ name: string; role: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name, current_user AS role
     FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relrowsecurity AND relkind IN ('r', 'p') AND row_security_active(pg_class.oid)
       AND has_table_privilege(pg_class.oid, 'SELECT') AND ${inScope("nspname", "relname")}
     ORDER BY name`,
    scopeValues(scope),
  );
  const [first] = rows;
  if (first === undefined) return;
  const problem = `Row level security may hide rows from the role ${first.role} in ${someOf(rows)}: a backup without them would be incomplete.`;
  throw new ProviderError("AUTH", problem, {
    fix:
      `Let the role bypass it: ALTER ROLE ${control.quote(first.role)} BYPASSRLS, as a superuser; or connect as the tables' owner or ` +
      "as a superuser. On Supabase the role postgres bypasses it.",
  });
}
