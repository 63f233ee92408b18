import { ProviderError } from "../../../errors.ts";
import type { RestoreArtifact, RestoreOptions } from "../../database.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import { grantOf, IDENTIFIER, readRoles, type RoleStatement } from "./roles-sql.ts";

/** Attributes that only a superuser may name, even to take them away. */
export const PRIVILEGED: readonly string[] = ["SUPERUSER", "REPLICATION", "BYPASSRLS"];

/** The names of all roles of the server. */
export async function existingRoles(control: ControlConnection): Promise<ReadonlySet<string>> {
  const rows = await control.query<{ name: string }>("SELECT rolname AS name FROM pg_roles");
  return new Set(rows.map(({ name }) => name));
}

/** The role that a connection is. */
export function connectingRole(control: ControlConnection): Promise<{ name: string; superuser: boolean }> {
  return control.one("SELECT rolname AS name, rolsuper AS superuser FROM pg_roles WHERE rolname = current_user");
}

/** Roles that a restore creates. */
interface NewRoles {
  readonly names: readonly string[];
  readonly statements: readonly RoleStatement[];
  /** What a person should know of them, and of those that are not created, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * The roles that this database of the backup needs and the target lacks, and the statements that create them.
 *
 * @param provided roles that every target has, as those of a platform
 * @throws {ProviderError} `CONFIG` where roles are missing and the options do not allow to create them, or the backup has none
 */
export async function rolesToCreate(
  control: ControlConnection,
  artifacts: readonly RestoreArtifact[],
  { createRoles, noOwner, facts, signal }: RestoreOptions,
  provided: readonly string[] = [],
): Promise<NewRoles> {
  const existing = await existingRoles(control);
  // A server has the roles of its version, such as pg_maintain.
  const isNew = (role: string): boolean => !existing.has(role) && !provided.includes(role) && !role.startsWith("pg_");
  const needed = facts.roles.filter(isNew);
  if (!createRoles) {
    if (needed.length === 0 || noOwner) return { names: [], statements: [], notes: [] };
    const problem = `The target lacks roles that own or may use what is in the backup: ${needed.join(", ")}.`;
    throw new ProviderError("CONFIG", problem, {
      fix: "Create them first, let the restore create them (--create-roles), or restore without owners and privileges (--no-owner).",
    });
  }
  const artifact = artifacts.find(({ format }) => format === "roles-sql");
  if (artifact === undefined) {
    throw new ProviderError("CONFIG", "The backup holds no roles, so none can be created.", {
      fix: "Create the roles by hand, or restore without owners and privileges (--no-owner).",
    });
  }
  const all = await readRoles(artifact.open(signal));
  const lacking = [...new Set(all.flatMap(({ roles }) => roles).filter(isNew))].sort();
  const names = lacking.filter((role) => needed.includes(role));
  const others = lacking.filter((role) => !needed.includes(role));
  const own = all.filter(
    ({ roles }) => roles.some((role) => names.includes(role)) && !roles.some((role) => others.includes(role)),
  );
  const statements = await withoutRefused(control, own);
  const notes = statements.flatMap(({ sql, roles }) => {
    const special =
      readAttributes(sql)?.attributes.filter((each) => [...PRIVILEGED, "CREATEROLE"].includes(each)) ?? [];
    return special.length === 0 ? [] : [`The role ${roles.join()} is created with ${special.join(", ")}.`];
  });
  if (others.length > 0)
    notes.push(`Roles not created, since this database needs none of them: ${others.join(", ")}; roles.sql has them.`);
  return { names, statements, notes };
}

/**
 * The statements of new roles, without what PostgreSQL refuses to a role that is no superuser though it
 * changes nothing: a new role has none of the {@link PRIVILEGED} attributes anyway, and since version 16 the creator of a role has
 * its ADMIN OPTION, which nobody may grant to themselves.
 */
async function withoutRefused(
  control: ControlConnection,
  statements: readonly RoleStatement[],
): Promise<RoleStatement[]> {
  const me = await connectingRole(control);
  const creator = !me.superuser && control.serverMajor >= 16 ? me.name : undefined;
  return statements.flatMap((statement) => {
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

const ALTERATION = new RegExp(String.raw`^ALTER ROLE ${IDENTIFIER} WITH (.+)$`, "s");

/** The name, as SQL has it, and the attributes of `ALTER ROLE … WITH …`; undefined for any other statement. */
export function readAttributes(sql: string): { name: string; attributes: readonly string[] } | undefined {
  const [, name, text = ""] = ALTERATION.exec(sql) ?? [];
  if (name === undefined) return undefined;
  const attributes: string[] = [];
  // Unambiguous, so that the time to match is linear in the text's length.
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
  const kept = found.attributes.filter((each) => !PRIVILEGED.some((name) => each === `NO${name}`));
  return kept.length === 0 ? [] : [{ ...statement, sql: `ALTER ROLE ${found.name} WITH ${kept.join(" ")}` }];
}
