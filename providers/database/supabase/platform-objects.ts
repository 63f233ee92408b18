import { missingName, refusable } from "./refusable.ts";

export const NAME = String.raw`(?:"(?:[^"]|"")+"|[^\s".]+)`;
export const TABLE = String.raw`${NAME}\.${NAME}`;
const OBJECT = new RegExp(
  `^CREATE (?:CONSTRAINT )?(POLICY|TRIGGER) (${NAME}) (?:"(?:[^"]|"")*"|[^"])*?\\bON (${TABLE})`,
);
const IS_RESTRICTIVE = new RegExp(`^CREATE POLICY ${NAME} ON ${TABLE} AS RESTRICTIVE `);
const SETTING = new RegExp(`^ALTER TABLE (${TABLE}) (?:DISABLE|ENABLE REPLICA|ENABLE ALWAYS) TRIGGER (${NAME})$`);

/** Words, names and lists of columns up to the table that a statement is about. */
const ABOUT = new RegExp(
  String.raw`^(?:\(?(?:"(?:[^"]|"")+"|[^\s".']+)\)?,? )*?(?:ON|TABLE|COLUMN) (${TABLE})(?=[\s.]|$)`,
);

/** The table that a statement of a backup's part is about, qualified and quoted where needed; empty where it is about another thing. */
export function tableOf(sql: string): string {
  return ABOUT.exec(sql)?.[1] ?? "";
}

/** Needs a function of the platform, which the target's version may not have. */
const OF_FUNCTION = /^(?:CREATE TRIGGER|COMMENT ON ROUTINE) /;

/** As {@link RestoreMessages.missing} has a policy without which its table lets more through than it did. */
const RESTRICTIVE = "restrictive policy";

/** Whether the object is a restrictive policy that was refused: {@link openTables} reports it. */
export function isRefusedRestriction(missing: ReadonlySet<string>, kind: string, name: string): boolean {
  return kind === "policy" && missing.has(missingName(RESTRICTIVE, name));
}

/** The tables that are more open than they were, because a restrictive policy was refused: one sentence for each policy. */
export function openTables(missing: ReadonlySet<string>): string[] {
  const start = missingName(RESTRICTIVE);
  return [...missing]
    .filter((name) => name.startsWith(start))
    .map(
      (name) =>
        `A table is more open than it was: its ${RESTRICTIVE} ${name.slice(start.length)} is missing, since only the table's ` +
        "owner may create it. Before you let anyone in, run its statement, which is among those that the server refused.",
    );
}

/**
 * The statements of `platform-objects.sql` as a restore runs them: the server may say that an object exists, and that only the
 * table's owner may create it. A trigger that can be created, but not disabled, is not created either: it would do what it did
 * not do in the project.
 */
export function platformObjectsOrNot(statements: readonly string[]): string[] {
  const settings = new Map<string, string>();
  for (const sql of statements) {
    const [, table = "", trigger = ""] = SETTING.exec(sql) ?? [];
    if (table !== "") settings.set(`${table} ${trigger}`, sql);
  }
  const withTrigger = new Set<string>();
  const all: string[] = [];
  for (const sql of statements) {
    const [, kind = "", name = "", table = ""] = OBJECT.exec(sql) ?? [];
    if (kind === "") {
      if (!withTrigger.has(sql)) all.push(forbiddenOrNot(sql, [sql]));
      continue;
    }
    const object = `${table} ${name}`;
    const setting = kind === "TRIGGER" ? settings.get(object) : undefined;
    const parts = setting === undefined ? [sql] : [sql, setting];
    if (setting !== undefined) withTrigger.add(setting);
    const first = refusable(sql, `${kind} ${name} ON ${table}`, ["42710"]);
    const missing = IS_RESTRICTIVE.test(sql) ? RESTRICTIVE : kind.toLowerCase();
    all.push(forbiddenOrNot([first, ...parts.slice(1)].join("; "), parts, { kind: missing, object }));
  }
  return all;
}

/**
 * A statement about a table of the platform as a restore runs it: the server may say that what it makes exists, and that only the
 * table's owner may make it.
 *
 * @param part the artifact that has it
 */
export function onPlatformTable(sql: string, part: string): string {
  const exists = refusable(sql, withoutValues(sql), ["42710", "42P07"]);
  return forbiddenOrNot(exists, [sql], undefined, part, OF_FUNCTION.test(sql) ? ["42883"] : []);
}

/**
 * SQL that the server may refuse because the role is not the table's owner, or because it has refused what a comment or a setting
 * is on, with the statements that the owner must run.
 */
function forbiddenOrNot(
  sql: string,
  statements: readonly string[],
  object?: { readonly kind: string; readonly object: string },
  part = "platform-objects.sql",
  more: readonly string[] = [],
): string {
  const shown = statements.map(withoutValues);
  const values = shown.join() === statements.join() ? "" : `, whose values ${part} of the backup has`;
  return refusable(
    sql,
    `${shown.join("; ")} (the table's owner must run it${values})`,
    ["42501", "42704", "42P01", ...more],
    object,
  );
}

/** A statement without what stands in its strings, which may be keys: arguments of a webhook's trigger, for instance. */
export function withoutValues(sql: string): string {
  return sql.replaceAll(/("(?:[^"]|"")*")|'(?:[^']|'')*'/g, (_, name: string | undefined) => name ?? "'…'");
}
