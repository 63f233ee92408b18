/** One line of `pg_restore --list`. */
export interface TocEntry {
  /** The whole line, as `pg_restore --use-list` takes it. */
  readonly line: string;
  /** Its number, by which `--use-list` knows it. */
  readonly id: string;
  /** For instance `TABLE DATA`. */
  readonly kind: string;
  /** The schema, where the kind has one and it is a name without spaces. */
  readonly schema: string | undefined;
  /** What follows the schema: the name, and after it the owner. */
  readonly rest: string;
  /** The numbers of entries that it needs, as far as `--list --verbose` tells. */
  readonly needs?: readonly string[];
}

/**
 * Kinds whose names are longer than one word, as far as their beginning would be another kind. One that nobody knows yet is an entry as
 * well: what is not on a list is not restored.
 */
const KIND =
  /^(TABLE DATA|TABLE ATTACH|SEQUENCE SET|SEQUENCE OWNED BY|MATERIALIZED VIEW DATA|MATERIALIZED VIEW|DEFAULT ACL|EVENT TRIGGER|PUBLICATION TABLES IN SCHEMA|PUBLICATION TABLE|ROW SECURITY|FK CONSTRAINT|CHECK CONSTRAINT|INDEX ATTACH|FOREIGN TABLE|FOREIGN SERVER|FOREIGN DATA WRAPPER|USER MAPPING|LARGE OBJECT|BLOB METADATA|TEXT SEARCH [A-Z]+|OPERATOR (?:CLASS|FAMILY)|PROCEDURAL LANGUAGE|ACCESS METHOD|SECURITY LABEL|STATISTICS DATA|DATABASE PROPERTIES|SHELL TYPE|\S+) /;

/** The entries of `pg_restore --list`, in the archive's order. */
export function parseToc(list: string): TocEntry[] {
  const lines = list.split("\n");
  return lines.flatMap((line, at) => {
    const [, needs = ""] = /^;\tdepends on: (.*)$/.exec(lines[at + 1] ?? "") ?? [];
    const entry = tocEntry(line);
    return entry === undefined ? [] : { ...entry, needs: needs.split(" ") };
  });
}

/** The entry in a line of `pg_restore --list`; undefined where it has none. */
export function tocEntry(line: string): TocEntry | undefined {
  const [, id, body] = /^(\d+); \d+ \d+ (.*)$/.exec(line) ?? [];
  const kind = body === undefined ? undefined : KIND.exec(body)?.[1];
  if (id === undefined || body === undefined || kind === undefined) return undefined;
  const after = body.slice(kind.length + 1);
  const space = after.indexOf(" ");
  const first = space === -1 ? after : after.slice(0, space);
  return {
    ...{ line, id, kind },
    schema: first === "-" ? undefined : first,
    rest: space === -1 ? "" : after.slice(space + 1),
  };
}
