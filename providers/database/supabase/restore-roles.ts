import type { RestoreArtifact, RestoreOptions } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import type { RoleStatement } from "../postgres/roles/roles-sql.ts";
import { PRIVILEGED, readAttributes, rolesToCreate } from "../postgres/roles/roles-to-create.ts";
import { PLATFORM_ROLES } from "./platform.ts";
import { refusable } from "./refusable.ts";

/** The backup's roles that the project lacks, and statements by which a role that is no superuser creates them. */
export async function newRoles(
  control: ControlConnection,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<{ names: readonly string[]; statements: string[]; notes: readonly string[] }> {
  const { statements, ...roles } = await rolesToCreate(control, artifacts, options, PLATFORM_ROLES);
  return { ...roles, statements: statements.flatMap(asNoSuperuser) };
}

/** A statement about new roles as one or more, of which the server may refuse those that only a superuser may run. */
function asNoSuperuser({ sql, roles, membership }: RoleStatement): string[] {
  const found = readAttributes(sql);
  if (found !== undefined) {
    const { name, attributes } = found;
    const plain = attributes.filter((each) => !PRIVILEGED.includes(each));
    const special = attributes.filter((each) => PRIVILEGED.includes(each));
    return [
      ...(plain.length === 0 ? [] : [`ALTER ROLE ${name} WITH ${plain.join(" ")}`]),
      ...special.map((each) => refusable(`ALTER ROLE ${name} WITH ${each}`, `${each} of the role ${name}`, ["42501"])),
    ];
  }
  const reserved = roles.some(
    (name) => (PLATFORM_ROLES.includes(name) && name !== "postgres") || name.startsWith("pg_"),
  );
  if (membership !== undefined && reserved) return [refusable(sql, sql, ["42501", "42704", "0LP01"])];
  // Some settings and all grants of settings are a superuser's. The value of a setting may be a secret.
  const [setting] = /^ALTER ROLE .*? SET [^\s=]+/s.exec(sql) ?? /^GRANT .* ON PARAMETER .*/s.exec(sql) ?? [];
  if (setting !== undefined) return [refusable(sql, setting, ["42501"])];
  return [sql];
}
