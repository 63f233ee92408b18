import type { TocEntry } from "../postgres/artifacts/toc.ts";
import { PLATFORM_DEFINITIONS } from "./platform-definitions.ts";
import { DATA_SCHEMAS, PLATFORM_PUBLICATIONS, PLATFORM_ROLES, PLATFORM_SCHEMAS, PROVIDED_SCHEMAS } from "./platform.ts";

/** Which entries of an archive are restored into a new project, in three steps, and which are left out. */
export interface Choice {
  /** Definitions that come before any data. */
  readonly definitions: readonly TocEntry[];
  /** Data, and the definitions that follow it. */
  readonly dataAndRest: readonly TocEntry[];
  /** The contents of large objects, which need a script of their own. */
  readonly largeObjects: readonly TocEntry[];
  readonly privileges: readonly TocEntry[];
  /** The platform's tables whose rows are restored; the target must have them. */
  readonly platformTables: readonly TocEntry[];
  /** People's own tables and sequences in the platform's schemas, qualified and quoted where needed: they are left out. */
  readonly ownTables: readonly string[];
  /** Extensions that the target's server does not have, quoted where needed: they are left out. */
  readonly lacking: readonly string[];
  /** Entries that cannot be restored without them, as a list of the archive names them. */
  readonly needing: readonly string[];
  /** Why entries are left out, with their number. */
  readonly leftOut: ReadonlyMap<string, number>;
}

const LARGE_OBJECT_KINDS = ["BLOBS"];
const DATA_KINDS = ["TABLE DATA", "SEQUENCE SET", ...LARGE_OBJECT_KINDS];

/**
 * Chooses what of a project's archive is restored into another project.
 *
 * @param available the extensions that the target's server has
 */
export function chooseEntries(entries: readonly TocEntry[], available: ReadonlySet<string>): Choice {
  const leftOut = new Map<string, number>();
  const lacking = entries.filter((entry) => entry.kind === "EXTENSION" && !available.has(nameOf(entry)));
  const needsOne = ({ needs = [] }: TocEntry): boolean => lacking.some(({ id }) => needs.includes(id));
  const kept = entries.filter((entry) => {
    if (lacking.includes(entry)) return false;
    const reason = whyNot(entry);
    if (reason !== undefined) leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
    return reason === undefined;
  });
  const others = kept.filter(({ kind }) => kind !== "ACL");
  const firstData = others.findIndex(({ kind }) => DATA_KINDS.includes(kind));
  const border = firstData === -1 ? others.length : firstData;
  return {
    definitions: others.slice(0, border),
    dataAndRest: others.slice(border).filter(({ kind }) => !LARGE_OBJECT_KINDS.includes(kind)),
    largeObjects: others.filter(({ kind }) => LARGE_OBJECT_KINDS.includes(kind)),
    privileges: kept.filter(({ kind }) => kind === "ACL"),
    platformTables: platformTablesOf(kept, entries),
    lacking: lacking.map((entry) => quoted(nameOf(entry))).sort(),
    needing: kept.filter(needsOne).map((entry) => `${entry.kind} ${entry.schema ?? ""} ${nameOf(entry)}`),
    ownTables: [...new Set(entries.filter(isOwnOnPlatform).map(qualified))],
    leftOut,
  };
}

function nameOf({ rest }: TocEntry): string {
  return rest.slice(0, rest.lastIndexOf(" "));
}

function platformTablesOf(kept: readonly TocEntry[], entries: readonly TocEntry[]): TocEntry[] {
  const placeOf = ({ schema = "", rest }: TocEntry): string => `${schema} ${rest}`;
  const isOfPlatform = ({ schema }: TocEntry): boolean => schema !== undefined && DATA_SCHEMAS.includes(schema);
  const withRows = new Set(kept.filter((entry) => entry.kind === "TABLE DATA" && isOfPlatform(entry)).map(placeOf));
  return entries.filter((entry) => entry.kind === "TABLE" && withRows.has(placeOf(entry)));
}

const KNOWN_TABLES = new Set(PLATFORM_DEFINITIONS.column.map((name) => name.slice(0, name.lastIndexOf("."))));

/** Rows of a table, or the value of a sequence, that people made in a schema of the platform. */
function isOwnOnPlatform({ kind, schema = "", rest }: TocEntry): boolean {
  if (!DATA_SCHEMAS.includes(schema) || (kind !== "TABLE DATA" && kind !== "SEQUENCE SET")) return false;
  const [name, owner] = [rest.slice(0, rest.lastIndexOf(" ")), rest.slice(rest.lastIndexOf(" ") + 1)];
  if (PLATFORM_ROLES.includes(owner) && owner !== "postgres") return false;
  if (kind === "TABLE DATA") return !KNOWN_TABLES.has(`${schema}.${name}`);
  return ![...KNOWN_TABLES].some((table) => `${schema}.${name}`.startsWith(`${table}_`));
}

function qualified(entry: TocEntry): string {
  return `${entry.schema ?? ""}.${quoted(nameOf(entry))}`;
}

/** A name as SQL has it. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const BY_THE_PLATFORM = "definitions in auth and storage: the target's platform has its own";

/** Why an entry is not restored; undefined where it is. */
function whyNot(entry: TocEntry): string | undefined {
  const { kind, schema, rest } = entry;
  const name = nameOf(entry);
  switch (kind) {
    case "DATABASE PROPERTIES":
      return "settings of the database (ALTER DATABASE … SET), which pg_restore --create of database.dump has";
    case "DEFAULT ACL":
      return "default privileges in the archive: default-privileges.sql has those of the project";
    case "EVENT TRIGGER":
      return "event triggers in the archive: event-triggers.sql has those of the project";
    case "EXTENSION":
      // One in a schema of the project's own is created with it.
      return undefined;
    case "SUBSCRIPTION":
      return "subscriptions, which would begin to replicate at once";
    case "PUBLICATION":
      return PLATFORM_PUBLICATIONS.includes(name)
        ? "the platform's publications: publications.sql has their tables"
        : undefined;
    case "PUBLICATION TABLE":
    case "PUBLICATION TABLES IN SCHEMA":
      return PLATFORM_PUBLICATIONS.some((publication) => rest.startsWith(`${publication} `))
        ? "the platform's publications: publications.sql has their tables"
        : undefined;
    case "SCHEMA":
      return isOf([...PROVIDED_SCHEMAS, "public"], name) ? "schemas that every project has" : undefined;
    case "COMMENT":
    case "ACL":
      if (schema === undefined) return whyNotAbout(kind, rest);
  }
  if (schema === undefined) return undefined;
  if (isOwnOnPlatform(entry)) return "rows and values of tables and sequences of yours in auth and storage";
  if (DATA_SCHEMAS.includes(schema))
    return kind === "TABLE DATA" || kind === "SEQUENCE SET" ? undefined : BY_THE_PLATFORM;
  return PLATFORM_SCHEMAS.includes(schema)
    ? "privileges on objects of the platform: grants.sql has those of the project"
    : undefined;
}

/** A comment or privileges on what has no schema: the rest begins with the kind of that. */
function whyNotAbout(kind: "COMMENT" | "ACL", rest: string): string | undefined {
  const [, about, name] = /^(SCHEMA|EXTENSION|PUBLICATION|EVENT TRIGGER) (.*) \S+$|^EXTENSION .*$/.exec(rest) ?? [];
  if (rest.startsWith("EXTENSION ") || about === "EVENT TRIGGER")
    return "comments on extensions and event triggers, which belong to the platform";
  if (about === "PUBLICATION" && isOf(PLATFORM_PUBLICATIONS, name))
    return "the platform's publications: publications.sql has their tables";
  if (about !== "SCHEMA") return undefined;
  if (name === "public" && kind === "ACL") return undefined;
  return isOf([...PROVIDED_SCHEMAS, "public"], name) ? "schemas that every project has" : undefined;
}

function isOf(names: readonly string[], name: string | undefined): boolean {
  return name !== undefined && names.includes(name);
}
