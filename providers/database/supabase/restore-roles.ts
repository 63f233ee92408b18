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

/** What `pg_dumpall` says of a role. No part of it can be read in two ways, so that a long text takes no longer than its length. */
const alteration = /^ALTER ROLE ("(?:[^"]|"")+"|[^\s"]+) WITH (.+)$/s;
const attribute = /(CONNECTION LIMIT -?\d+|(?:VALID UNTIL|PASSWORD) '(?:[^']|'')*'|[A-Z]+)(?: |$)/y;

/** A statement about new roles as a role that is no superuser can run it, where that is another or more than one. */
export function asNoSuperuser(sql: string, roles: readonly string[]): string[] {
  const [, role = "", text = ""] = alteration.exec(sql) ?? [];
  const attributes = attributesOf(text);
  if (attributes.length > 0) {
    // A new role is without what would be taken away.
    const kept = attributes.filter((each) => !privileged.some((name) => each === `NO${name}`));
    const plain = kept.filter((each) => !privileged.includes(each));
    const special = kept.filter((each) => privileged.includes(each));
    return [
      ...(plain.length === 0 ? [] : [`ALTER ROLE ${role} WITH ${plain.join(" ")}`]),
      ...special.map((each) => refusable(`ALTER ROLE ${role} WITH ${each}`, `${each} of the role ${role}`, ["42501"])),
    ];
  }
  const reserved = roles.some((name) => platformRoles.includes(name) && name !== "postgres");
  if (sql.startsWith("GRANT ") && reserved) return [refusable(sql, sql, ["42501", "0LP01"])];
  return [sql];
}

/** The attributes one by one; none where there is something else among them. */
function attributesOf(text: string): string[] {
  const found: string[] = [];
  const next = new RegExp(attribute);
  while (next.lastIndex < text.length) {
    const [, each] = next.exec(text) ?? [];
    if (each === undefined) return [];
    found.push(each);
  }
  return found;
}
