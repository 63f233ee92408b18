import { createHash } from "node:crypto";
import { AUTH } from "./platform-definitions/auth.ts";
import { STORAGE } from "./platform-definitions/storage.ts";
import type { PlatformKind, TableDefinition } from "./table-definitions.ts";

type Definitions = Readonly<Record<PlatformKind, readonly string[]>>;

interface Known {
  readonly name: string;
  readonly removed: boolean;
  readonly hashes: readonly string[];
}

const SCHEMAS = [AUTH, STORAGE];
const KINDS: readonly PlatformKind[] = [
  "column",
  "constraint",
  "index",
  "trigger",
  "function",
  "type",
  "setting",
  "privilege",
  "comment",
];

/** Major versions of PostgreSQL in whose words the texts are. */
export const KNOWN_MAJORS: readonly number[] = [15, 17];

/** The repositories whose migrations are known, with their newest commits. */
export const KNOWN_VERSIONS = SCHEMAS.map(({ version }) => version).join(" and ");

/** Kinds whose name says all. */
const WITHOUT_TEXT: readonly string[] = ["setting", "privilege"];

/** Whether definitions of a kind are told apart by more than their names. */
export function hasText(kind: string): boolean {
  return !WITHOUT_TEXT.includes(kind);
}

const KNOWN = new Map(KINDS.map((kind) => [kind, SCHEMAS.flatMap((texts) => knownOf(texts[kind] ?? ""))]));

/** By kind: what the platform's migrations have ever made, as `schema.table.name`, of a table itself `schema.table`. */
export const PLATFORM_DEFINITIONS = namesBy(() => true);

/** Those of them that a later migration has removed. */
export const REMOVED_DEFINITIONS = namesBy(({ removed }) => removed);

const TEXTS = new Map<string, readonly string[]>(
  KINDS.flatMap((kind) => (KNOWN.get(kind) ?? []).map(({ name, hashes }) => [`${kind} ${name}`, hashes] as const)),
);

/** The name of a definition among {@link PLATFORM_DEFINITIONS} of its kind. */
export function nameOf({ table, name }: Pick<TableDefinition, "table" | "name">): string {
  return name === "" ? table : `${table}.${name}`;
}

/** Whether the platform makes something of this name, but has never made it with this text. */
export function isChanged(definition: TableDefinition): boolean {
  const texts = TEXTS.get(`${definition.kind} ${nameOf(definition)}`) ?? [];
  return texts.length > 0 && !texts.includes(fingerprint(definition));
}

/** What stands for the text of a definition. */
export function fingerprint({ sql }: Pick<TableDefinition, "sql">): string {
  return createHash("sha256").update(sql).digest("hex").slice(0, 6);
}

function namesBy(condition: (known: Known) => boolean): Definitions {
  const entries = KINDS.map((kind) => [kind, (KNOWN.get(kind) ?? []).filter(condition).map(({ name }) => name)]);
  return Object.fromEntries(entries) as Definitions;
}

/** A table ends with a colon; a name of several words is in quotation marks. */
function knownOf(text: string): Known[] {
  let table = "";
  return [...text.matchAll(/(-?)("[^"]*"|[^\s="]+)(?:=(\S+))?/g)].flatMap(
    ([, removed = "", word = "", hashes = ""]) => {
      if (word.endsWith(":")) {
        table = word.slice(0, -1);
        return [];
      }
      const name = nameOf({ table, name: word.replaceAll('"', "") });
      return [{ name, removed: removed !== "", hashes: hashes === "" ? [] : hashes.split(",") }];
    },
  );
}
