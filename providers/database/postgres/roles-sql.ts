import type { Readable } from "node:stream";
import { ProviderError } from "../../errors.ts";
import { splitStatements } from "./sql-statements.ts";
import { readText } from "./sql-text.ts";

/** One statement of `pg_dumpall --roles-only`. */
export interface RoleStatement {
  /** The statement without its semicolon. */
  readonly sql: string;
  /** The roles that it creates, changes or joins: all must exist before it, but for the one of CREATE ROLE. */
  readonly roles: readonly string[];
}

const identifier = String.raw`("(?:[^"]|"")+"|[^\s";]+)`;
const forms = [
  new RegExp(String.raw`^CREATE ROLE ${identifier}$`),
  new RegExp(String.raw`^ALTER ROLE ${identifier} `),
  new RegExp(String.raw`^COMMENT ON ROLE ${identifier} IS `),
  new RegExp(String.raw`^SECURITY LABEL FOR .* ON ROLE ${identifier} IS `),
  new RegExp(String.raw`^GRANT ${identifier} TO ${identifier}`),
  new RegExp(String.raw`^GRANT [A-Z ,]+ ON PARAMETER \S+ TO ${identifier}`),
];

const grantor = new RegExp(String.raw` GRANTED BY ${identifier}$`);

/**
 * Reads the output of `pg_dumpall --roles-only` to its end.
 *
 * @throws {ProviderError} `INTEGRITY` where it is cut off, or holds anything else than statements about roles
 */
export async function readRoles(bytes: Readable): Promise<RoleStatement[]> {
  const text = await readText(bytes, damaged);
  if (!text.includes("\n-- PostgreSQL database cluster dump\n")) throw damaged("does not begin as one");
  if (!/\n-- PostgreSQL database cluster dump complete\n(?:--\n|\s|\\unrestrict \w+\n)*$/.test(text)) {
    throw damaged("does not end with its last line, so it is cut off");
  }
  const { complete, rest } = splitStatements(text);
  if (rest !== "") throw damaged("holds something after its last statement");
  return complete.flatMap((sql) => {
    // These set up the session, and mean nothing for the roles.
    if (/^SET \w+ = [\w']+$/.test(sql)) return [];
    const match = forms.map((form) => form.exec(sql)).find((found) => found !== null);
    if (match === undefined) throw damaged("holds something that is no statement about roles");
    // The role that granted a membership need not exist where the roles are restored.
    return [{ sql: sql.replace(grantor, ""), roles: match.slice(1).map(unquote) }];
  });
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

function damaged(what: string): ProviderError {
  return new ProviderError("INTEGRITY", `The roles (output of pg_dumpall --roles-only) cannot be used: it ${what}.`);
}
