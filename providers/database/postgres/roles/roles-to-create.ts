import type { ControlConnection } from "../connect/control-connection.ts";
import { grantOf, identifier, type RoleStatement } from "./roles-sql.ts";

/** Attributes that only a superuser may name, even to take them away. */
export const privileged: readonly string[] = ["SUPERUSER", "REPLICATION", "BYPASSRLS"];

/**
 * The statements of `pg_dumpall` that make new roles or concern them, without what a role that is no superuser would be refused
 * though it changes nothing: a new role has none of the {@link privileged} attributes anyway, and from version 16 on whoever
 * creates a role has its ADMIN OPTION, which nobody may give to themselves.
 *
 * @param isNew whether a role is to be made; memberships between two roles that are there already are not touched
 */
export async function statementsOfNewRoles(
  control: ControlConnection,
  statements: readonly RoleStatement[],
  isNew: (role: string) => boolean,
): Promise<RoleStatement[]> {
  const [me] = await control.query<{ name: string; superuser: boolean }>(
    "SELECT rolname AS name, rolsuper AS superuser FROM pg_roles WHERE rolname = current_user",
  );
  const creator = me?.superuser === false && control.serverMajor >= 16 ? me.name : undefined;
  return statements
    .filter(({ roles }) => roles.some(isNew))
    .flatMap((statement) => {
      const { roles, membership } = statement;
      if (membership === undefined) return withoutDefaults(statement);
      const [role = "", member = ""] = roles;
      if (member !== creator) return [statement];
      const { inherit = true, set = true } = membership;
      // What the creator has from the start.
      if (!inherit && !set) return [];
      const kept = { ...membership, admin: false };
      return [{ ...statement, sql: grantOf(control.quote(role), control.quote(member), kept), membership: kept }];
    });
}

const alteration = new RegExp(String.raw`^ALTER ROLE ${identifier} WITH (.+)$`, "s");

/** The name, as SQL has it, and the attributes of `ALTER ROLE … WITH …`; undefined for any other statement. */
export function readAttributes(sql: string): { name: string; attributes: readonly string[] } | undefined {
  const [, name, text = ""] = alteration.exec(sql) ?? [];
  if (name === undefined) return undefined;
  const attributes: string[] = [];
  // Nothing fits it in two ways, so that a long text takes no longer than its length.
  const attribute = /(CONNECTION LIMIT -?\d+|(?:VALID UNTIL|PASSWORD) '(?:[^']|'')*'|[A-Z]+)(?: |$)/y;
  while (attribute.lastIndex < text.length) {
    const [, each] = attribute.exec(text) ?? [];
    if (each === undefined) return undefined;
    attributes.push(each);
  }
  return { name, attributes };
}

function withoutDefaults(statement: RoleStatement): RoleStatement[] {
  const found = readAttributes(statement.sql);
  if (found === undefined) return [statement];
  const kept = found.attributes.filter((each) => !privileged.some((name) => each === `NO${name}`));
  return kept.length === 0 ? [] : [{ ...statement, sql: `ALTER ROLE ${found.name} WITH ${kept.join(" ")}` }];
}
