import { ProviderError } from "../../errors.ts";
import type { RestoreArtifact, RestoreOptions } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import { readRoles, type RoleStatement } from "../postgres/roles/roles-sql.ts";
import { privileged, readAttributes, statementsOfNewRoles } from "../postgres/roles/roles-to-create.ts";
import { platformRoles } from "./platform.ts";
import { refusable } from "./refusable.ts";

/** The roles that a restore makes. */
export interface RolesToCreate {
  readonly names: readonly string[];
  readonly statements: readonly string[];
}

/**
 * The backup's roles that the target lacks, as a role that is no superuser can make them.
 *
 * @throws {ProviderError} `CONFIG` where some are lacking and the options do not allow to make them
 */
export async function rolesToCreate(
  control: ControlConnection,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<RolesToCreate> {
  const rows = await control.query<{ name: string }>("SELECT rolname AS name FROM pg_roles");
  const existing = new Set(rows.map((row) => row.name));
  if (!options.createRoles) {
    const missing = options.facts.roles.filter((role) => !existing.has(role) && !platformRoles.includes(role));
    if (missing.length === 0 || options.noOwner) return { names: [], statements: [] };
    throw new ProviderError(
      "CONFIG",
      `The project lacks roles that own or may use what is in the backup: ${missing.join(", ")}.`,
      { fix: "Let the restore create them from the backup (--create-roles), or create them first." },
    );
  }
  const artifact = artifacts.find(({ format }) => format === "roles-sql");
  if (artifact === undefined) {
    throw new ProviderError("CONFIG", "The backup holds no roles, so none can be created.", {
      fix: "Create the roles by hand.",
    });
  }
  const statements = await readRoles(artifact.open(options.signal));
  // The server's own roles, as pg_maintain, are there or are of another version.
  const isNew = (role: string): boolean =>
    !existing.has(role) && !platformRoles.includes(role) && !role.startsWith("pg_");
  const names = [...new Set(statements.flatMap(({ roles }) => roles).filter(isNew))].sort();
  const wanted = await statementsOfNewRoles(control, statements, isNew);
  return { names, statements: wanted.flatMap(asNoSuperuser) };
}

/** A statement about new roles as one or more of which each may be refused that only a superuser may run. */
function asNoSuperuser({ sql, roles, membership }: RoleStatement): string[] {
  const found = readAttributes(sql);
  if (found !== undefined) {
    const { name, attributes } = found;
    const plain = attributes.filter((each) => !privileged.includes(each));
    const special = attributes.filter((each) => privileged.includes(each));
    return [
      ...(plain.length === 0 ? [] : [`ALTER ROLE ${name} WITH ${plain.join(" ")}`]),
      ...special.map((each) => refusable(`ALTER ROLE ${name} WITH ${each}`, `${each} of the role ${name}`, ["42501"])),
    ];
  }
  const reserved = roles.some(
    (name) => (platformRoles.includes(name) && name !== "postgres") || name.startsWith("pg_"),
  );
  if (membership !== undefined && reserved) return [refusable(sql, sql, ["42501", "42704", "0LP01"])];
  // Some settings and all grants of settings are a superuser's. The value of a setting may be a secret.
  const [setting] = /^ALTER ROLE .*? SET [^\s=]+/s.exec(sql) ?? /^GRANT .* ON PARAMETER .*/s.exec(sql) ?? [];
  if (setting !== undefined) return [refusable(sql, setting, ["42501"])];
  return [sql];
}
