/** What {@link splitStatements} found. */
interface Statements {
  /** Each without its semicolon. */
  readonly complete: readonly string[];
  /** What stands after the last semicolon, and is not only comments and space. */
  readonly rest: string;
}

/**
 * Splits SQL at the semicolons that stand outside of strings, quoted identifiers and comments. Neither strings in dollars nor
 * commands of psql are known, but for the two of `pg_dumpall` that only guard a script.
 */
export function splitStatements(text: string): Statements {
  const token =
    /--[^\n]*|\\(?:un)?restrict [^\n]*|E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|;|[^\s;'"\\-]+|\s+|[\s\S]/gy;
  const complete: string[] = [];
  let current = "";
  for (const [part] of text.matchAll(token)) {
    if (part.startsWith("--") || /^\\(un)?restrict /.test(part)) continue;
    if (part === ";") {
      complete.push(current.trim());
      current = "";
    } else {
      current += part;
    }
  }
  return { complete, rest: current.trim() };
}
