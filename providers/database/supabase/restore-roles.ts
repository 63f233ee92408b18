import { ProviderError } from "../../errors.ts";
import type { RestoreArtifact, RestoreOptions } from "../database.ts";
import type { ControlConnection } from "../postgres/control-connection.ts";
import { readRoles } from "../postgres/roles-sql.ts";
import { platformRoles } from "./platform.ts";
import { refusable } from "./refusable.ts";

/** The roles that a restore makes. */
export interface RolesToCreate {
  readonly names: readonly string[];
  readonly statements: readonly string[];
}

/** Attributes that only a superuser may name, even to take them away; a new role is without them. */
const privileged = ["SUPERUSER", "REPLICATION", "BYPASSRLS"];

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
  const isNew = (role: string): boolean => !existing.has(role) && !platformRoles.includes(role);
  const names = [...new Set(statements.flatMap(({ roles }) => roles).filter(isNew))].sort();
  const wanted = statements.filter(({ roles }) => roles.some((role) => names.includes(role)));
  return { names, statements: wanted.flatMap(({ sql, roles }) => asNoSuperuser(sql, roles)) };
}

function asNoSuperuser(sql: string, roles: readonly string[]): string[] {
  const [, role = "", attributes = ""] = /^ALTER ROLE (.*) WITH ((?:[A-Z]+ ?)+)$/.exec(sql) ?? [];
  if (attributes !== "") {
    const words = attributes.split(" ");
    const plain = words.filter((word) => !privileged.includes(word.replace(/^NO/, "")));
    const special = words.filter((word) => privileged.includes(word));
    return [
      `ALTER ROLE ${role} WITH ${plain.join(" ")}`,
      ...special.map((word) => refusable(`ALTER ROLE ${role} WITH ${word}`, `${word} of the role ${role}`, ["42501"])),
    ];
  }
  const reserved = roles.some((name) => platformRoles.includes(name) && name !== "postgres");
  if (sql.startsWith("GRANT ") && reserved) return [refusable(sql, sql, ["42501", "0LP01"])];
  return [sql];
}
