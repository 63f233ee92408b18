import type { Omission } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";
import type { Scope } from "../postgres/scope/scope.ts";
import {
  isChanged,
  KNOWN_MAJORS,
  KNOWN_VERSIONS,
  nameOf,
  PLATFORM_DEFINITIONS,
  REMOVED_DEFINITIONS,
} from "./platform-definitions.ts";
import { DATA_SCHEMAS } from "./platform.ts";
import { TABLE_DEFINITIONS, type TableDefinition } from "./table-definitions.ts";

/** Statements that make what people added to tables of the platform. */
export interface OwnPart {
  readonly name: string;
  readonly title: string;
  /** What each statement makes, by kind. */
  readonly contents: readonly string[];
  readonly statements: readonly string[];
}

const ON_TABLES = "of yours on tables of auth and storage";

/** The part that a restore needs before it loads rows. */
export const COLUMNS_PART = { name: "platform-columns.sql", title: `columns and unique keys ${ON_TABLES}` };
/** The part that a restore needs after them. */
export const TABLES_PART = {
  name: "platform-tables.sql",
  title: `indexes, constraints, settings and comments ${ON_TABLES}`,
};

/** The function of a trigger. If the platform has never made it, it and the trigger are people's, or of a newer platform. */
const CALLED = /EXECUTE FUNCTION (\S+\.\S+\(\))$/;

/**
 * What people changed on the tables of `auth` and `storage`, whose definitions a restore takes from the target's platform. A
 * platform that is newer than {@link PLATFORM_DEFINITIONS} has definitions of its own that count as people's.
 *
 * @param chosen what the job leaves out
 */
export async function ownDefinitions(
  control: ControlConnection,
  chosen: Scope,
): Promise<{ parts: OwnPart[]; omitted: Omission[] }> {
  const known = new Map(Object.entries(PLATFORM_DEFINITIONS).map(([kind, names]) => [kind, new Set(names)]));
  const { column, function: functions, type } = PLATFORM_DEFINITIONS;
  const things = new Set([...column.map((name) => tableOf(name)), ...functions, ...type]);
  const found = (await control.query<TableDefinition>(TABLE_DEFINITIONS)).filter(({ table }) => things.has(table));
  const covered = found.filter(
    (each) =>
      !chosen.tables.includes(each.of) && !chosen.schemas.includes(each.table.slice(0, each.table.indexOf("."))),
  );
  const changed = KNOWN_MAJORS.includes(control.serverMajor) ? covered.filter(isChanged) : [];
  const own = covered.filter(
    (each) =>
      each.kind !== "privilege" &&
      !(each.kind === "trigger" && !functions.includes(CALLED.exec(each.sql)?.[1] ?? "")) &&
      (known.get(each.kind)?.has(nameOf(each)) !== true || (each.kind === "comment" && changed.includes(each))),
  );
  const parts = [
    partOf(
      COLUMNS_PART,
      own.filter(({ needed }) => needed),
    ),
    partOf(
      TABLES_PART,
      own.filter(({ needed }) => !needed),
    ),
  ].filter(({ statements }) => statements.length > 0);
  const omitted: Omission[] = [];
  const kept = changed.filter(({ kind }) => kind !== "comment").map(({ kind, shown }) => `the ${kind} ${shown}`);
  if (kept.length > 0) {
    const reason =
      `${kept.join(", ")} differ from all versions of the platform that Provision knows (${KNOWN_VERSIONS}): you changed them, or the ` +
      "platform is newer. A restored project has them as its own platform makes them.";
    omitted.push({ artifact: "changes of the platform's own definitions", reason });
  }
  const dropped = droppedFrom(found);
  if (dropped.length > 0) {
    const reason = `Supabase's own migrations make ${dropped.join(", ")}, which this database lacks: a restored project has them again.`;
    omitted.push({ artifact: "what is dropped from the platform's tables", reason });
  }
  return { parts, omitted };
}

function partOf({ name, title }: { name: string; title: string }, own: readonly TableDefinition[]): OwnPart {
  const kinds = Map.groupBy(own, ({ kind }) => kind);
  const contents = [...kinds].map(([kind, some]) => `${kind}: ${some.map(({ shown }) => shown).join(", ")}`);
  return { name, title, contents, statements: own.map(({ sql }) => sql) };
}

function tableOf(name: string): string {
  return /^[^.]+\.[^.]+/.exec(name)?.[0] ?? name;
}

/**
 * What the newest migrations make and this database lacks. Where a schema lacks columns, too, its platform is older, and may not
 * have made the rest either.
 */
function droppedFrom(found: readonly TableDefinition[]): string[] {
  const lacking = (kind: keyof typeof PLATFORM_DEFINITIONS): string[] => {
    const here = new Set(found.filter((each) => each.kind === kind).map(nameOf));
    const removed = new Set(REMOVED_DEFINITIONS[kind]);
    return PLATFORM_DEFINITIONS[kind].filter((name) => !here.has(name) && !removed.has(name));
  };
  const older = new Set(lacking("column").map((name) => name.slice(0, name.indexOf("."))));
  const newest = DATA_SCHEMAS.filter((schema) => !older.has(schema));
  const things = new Set(found.map(({ table }) => table));
  return (["index", "constraint", "trigger", "setting", "privilege", "comment"] as const).flatMap((kind) =>
    lacking(kind).flatMap((name) => {
      const of = name.slice(0, name.lastIndexOf("."));
      if (!newest.some((schema) => name.startsWith(`${schema}.`)) || (kind === "privilege" && !things.has(of)))
        return [];
      return [
        kind === "privilege"
          ? `the privilege ${name.slice(of.length + 1).replace("/", " of ")} on ${of}`
          : `the ${kind} ${name}`,
      ];
    }),
  );
}
