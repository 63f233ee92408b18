import type { Readable } from "node:stream";
import { damaged, readText, splitStatements } from "../artifacts/sql-artifact.ts";

/** One statement of `pg_dumpall --roles-only`. */
export interface RoleStatement {
  /** The statement without its semicolon. */
  readonly sql: string;
  /** The roles that it creates, changes or joins: all must exist before it, but for the one of CREATE ROLE. */
  readonly roles: readonly string[];
  /** What a grant of one role to another says. */
  readonly membership?: Membership;
}

/** What a member may do with a role, where a server's version tells that apart (16 and newer) or by `ADMIN OPTION` alone. */
export interface Membership {
  readonly admin: boolean;
  /** Undefined where the backup's server did not tell. */
  readonly inherit?: boolean;
  /** Undefined as for `inherit`. */
  readonly set?: boolean;
}

/** What is read, for messages. */
const ROLES = "The roles (output of pg_dumpall --roles-only)";

/** A pattern for a name as SQL has it, which nothing fits in two ways. */
export const IDENTIFIER = String.raw`("(?:[^"]|"")+"|[^\s";]+)`;
const FORMS = [
  new RegExp(String.raw`^CREATE ROLE ${IDENTIFIER}$`),
  new RegExp(String.raw`^ALTER ROLE ${IDENTIFIER} `),
  new RegExp(String.raw`^COMMENT ON ROLE ${IDENTIFIER} IS `),
  new RegExp(String.raw`^SECURITY LABEL FOR .* ON ROLE ${IDENTIFIER} IS `),
  new RegExp(String.raw`^GRANT [A-Z ,]+ ON PARAMETER \S+ TO ${IDENTIFIER}`),
];

/** The role that granted a membership need not exist where the roles are restored. */
const MEMBERSHIP_FORM = new RegExp(
  String.raw`^GRANT ${IDENTIFIER} TO ${IDENTIFIER}(?: WITH ([A-Z]+ [A-Z]+(?:, [A-Z]+ [A-Z]+)*))?(?: GRANTED BY ${IDENTIFIER})?$`,
);

/**
 * Reads the output of `pg_dumpall --roles-only` to its end.
 *
 * @throws {ProviderError} `INTEGRITY` where it is cut off, or holds anything else than statements about roles
 */
export async function readRoles(bytes: Readable): Promise<RoleStatement[]> {
  const text = await readText(ROLES, bytes, "raw");
  if (!text.includes("\n-- PostgreSQL database cluster dump\n")) throw damaged(ROLES, "does not begin as one");
  if (!/\n-- PostgreSQL database cluster dump complete\n(?:--\n|\s|\\unrestrict \w+\n)*$/.test(text)) {
    throw damaged(ROLES, "does not end with its last line, so it is cut off");
  }
  const { complete, rest } = splitStatements(text);
  if (rest !== "") throw damaged(ROLES, "holds something after its last statement");
  const statements: RoleStatement[] = [];
  const memberships = new Map<string, number>();
  for (const sql of complete) {
    // These set up the session, and mean nothing for the roles.
    if (/^SET \w+ = [\w']+$/.test(sql)) continue;
    const [granted, role = "", member = "", options] = MEMBERSHIP_FORM.exec(sql) ?? [];
    if (granted === undefined) {
      const match = FORMS.map((form) => form.exec(sql)).find((found) => found !== null);
      if (match === undefined) throw damaged(ROLES, "holds something that is no statement about roles");
      statements.push({ sql, roles: match.slice(1).map(unquote) });
      continue;
    }
    // Since 16 each of several roles may have granted the same membership, with other options; together all of them count.
    const key = `${role} ${member}`;
    const before = memberships.get(key);
    const membership = either(before === undefined ? undefined : statements[before]?.membership, readOptions(options));
    const statement = { sql: grantOf(role, member, membership), roles: [role, member].map(unquote), membership };
    if (before === undefined) memberships.set(key, statements.push(statement) - 1);
    else statements[before] = statement;
  }
  return statements;
}

/** A membership as a statement. */
export function grantOf(role: string, member: string, { admin, inherit, set }: Membership): string {
  const options = [
    ...(admin ? ["ADMIN OPTION"] : []),
    ...(inherit === undefined ? [] : [`INHERIT ${inherit}`.toUpperCase()]),
    ...(set === undefined ? [] : [`SET ${set}`.toUpperCase()]),
  ];
  return `GRANT ${role} TO ${member}${options.length === 0 ? "" : ` WITH ${options.join(", ")}`}`;
}

/** pg_dumpall says `INHERIT` wherever the server knows it, and `SET` only where it is false. */
function readOptions(text = ""): Membership {
  const options = text.split(", ");
  const inherit = options.find((each) => each.startsWith("INHERIT "));
  return {
    admin: options.includes("ADMIN OPTION"),
    ...(inherit !== undefined && { inherit: inherit === "INHERIT TRUE", set: !options.includes("SET FALSE") }),
  };
}

function either(one: Membership | undefined, other: Membership): Membership {
  const { admin, inherit, set } = other;
  if (one === undefined) return other;
  return {
    admin: admin || one.admin,
    ...(inherit !== undefined && { inherit: inherit || one.inherit === true, set: set === true || one.set === true }),
  };
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
