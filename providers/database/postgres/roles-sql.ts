import type { Readable } from "node:stream";
import { ProviderError } from "../../errors.ts";

/** One statement of `pg_dumpall --roles-only`. */
export interface RoleStatement {
  /** The statement without its semicolon. */
  readonly sql: string;
  /** The roles that it creates, changes or joins: all must exist before it, but for the one of CREATE ROLE. */
  readonly roles: readonly string[];
}

/** More than any server's roles take; a file that is larger is none of pg_dumpall's. */
const limit = 64 * 1024 * 1024;

const identifier = String.raw`("(?:[^"]|"")+"|[^\s";]+)`;
const forms = [
  new RegExp(String.raw`^CREATE ROLE ${identifier}$`),
  new RegExp(String.raw`^ALTER ROLE ${identifier} `),
  new RegExp(String.raw`^COMMENT ON ROLE ${identifier} IS `),
  new RegExp(String.raw`^SECURITY LABEL FOR .* ON ROLE ${identifier} IS `),
  new RegExp(String.raw`^GRANT ${identifier} TO ${identifier}`),
];

const grantor = new RegExp(String.raw` GRANTED BY ${identifier}$`);

/**
 * Reads the output of `pg_dumpall --roles-only` to its end.
 *
 * @throws {ProviderError} `INTEGRITY` where it is cut off, or holds anything else than statements about roles
 */
export async function readRoles(bytes: Readable): Promise<RoleStatement[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  try {
    for await (const chunk of bytes) {
      text += decoder.decode(chunk as Buffer, { stream: true });
      if (text.length > limit) throw damaged("is larger than any server's roles are");
    }
    text += decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw damaged("is not text in UTF-8");
    throw error;
  }
  if (!text.includes("\n-- PostgreSQL database cluster dump\n")) throw damaged("does not begin as one");
  if (!/\n-- PostgreSQL database cluster dump complete\n(?:--\n|\s|\\unrestrict \w+\n)*$/.test(text)) {
    throw damaged("does not end with its last line, so it is cut off");
  }
  return statements(text).flatMap((sql) => {
    // These set up the session, and mean nothing for the roles.
    if (/^SET \w+ = [\w']+$/.test(sql)) return [];
    const match = forms.map((form) => form.exec(sql)).find((found) => found !== null);
    if (match === undefined) throw damaged("holds something that is no statement about roles");
    // The role that granted a membership need not exist where the roles are restored.
    return [{ sql: sql.replace(grantor, ""), roles: match.slice(1).map(unquote) }];
  });
}

/** Splits at the semicolons that stand outside of strings, quoted identifiers and comments. */
function statements(text: string): string[] {
  const token =
    /--[^\n]*|\\(?:un)?restrict [^\n]*|E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|;|[^\s;'"\\-]+|\s+|[\s\S]/gy;
  const found: string[] = [];
  let current = "";
  for (const [part] of text.matchAll(token)) {
    if (part.startsWith("--") || /^\\(un)?restrict /.test(part)) continue;
    if (part === ";") {
      found.push(current.trim());
      current = "";
    } else {
      current += part;
    }
  }
  if (current.trim() !== "") throw damaged("holds something after its last statement");
  return found;
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

function damaged(what: string): ProviderError {
  return new ProviderError("INTEGRITY", `The roles (output of pg_dumpall --roles-only) cannot be used: it ${what}.`);
}
