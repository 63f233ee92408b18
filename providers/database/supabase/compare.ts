import { IN_WORDS_OF_SERVER, OF_OWNERSHIP } from "./definitions.ts";
import type { Inventory } from "./inventory.ts";
import { PROVIDED_SCHEMAS } from "./platform.ts";
import { isRefusedRestriction } from "./platform-objects.ts";
import { missingName } from "./refusable.ts";

/** How a restored project differs from its backup. */
export interface ProjectComparison {
  /** What was compared, one sentence each. */
  readonly compared: readonly string[];
  readonly differences: readonly string[];
}

/**
 * Compares what a backup says that its project held with what another holds.
 *
 * @param missing what may be missing, because it was refused; see {@link missingName}
 * @param noOwner whether owners and privileges were not restored
 */
export function compareInventories(
  backup: Inventory,
  restored: Inventory,
  missing: ReadonlySet<string>,
  noOwner: boolean,
): ProjectComparison {
  const compared: string[] = [];
  const differences: string[] = [];
  const counted = Object.entries(backup.rows).filter(([, rows]) => rows !== null);
  for (const [table, rows] of counted) {
    const found = restored.rows[table];
    if (found !== rows && !missing.has(missingName("table", table)))
      differences.push(`The table ${table} has ${found ?? "no"} rows instead of ${rows ?? 0}.`);
  }
  const large = Object.keys(backup.rows).length - counted.length;
  const sum = counted.reduce((total, [, rows]) => total + (rows ?? 0), 0);
  compared.push(
    `tables: ${counted.length} with ${sum} rows${large === 0 ? "" : `, and ${large} that are too large to be counted`}`,
  );
  compareSequences(backup, restored, missing, compared, differences);
  // The fingerprints of earlier versions of Provision are not comparable with today's.
  const kinds = backup.format === restored.format ? Object.entries(backup.objects) : [];
  if (kinds.length === 0)
    compared.push("definitions: none, because the backup describes them as an earlier version did");
  for (const [kind, objects] of kinds) {
    if (noOwner && OF_OWNERSHIP.includes(kind)) continue;
    const others = restored.objects[kind] ?? {};
    const names = Object.keys(objects);
    const anyWords = IN_WORDS_OF_SERVER.includes(kind) && backup.serverMajor !== restored.serverMajor;
    const mayBeMissing = (name: string) =>
      missing.has(missingName(kind)) ||
      missing.has(missingName(kind, name)) ||
      missing.has(missingName("table", name.slice(0, name.indexOf(" ")))) ||
      isRefusedRestriction(missing, kind, name);
    let same = 0;
    for (const name of names) {
      if (others[name] === objects[name] || (anyWords && others[name] !== undefined)) same += 1;
      else if (kind === "extension" && others[name] !== undefined) {
        compared.push(`extension ${name}: ${others[name]} instead of ${objects[name] ?? ""}, as the target has it`);
      } else if (!mayBeMissing(name)) {
        differences.push(`The ${kind} ${name} ${others[name] === undefined ? "is missing" : "is not the same"}.`);
      }
    }
    for (const name of Object.keys(others)) {
      if (objects[name] === undefined && !isPlatforms(kind, name))
        differences.push(`The ${kind} ${name} is not in the backup.`);
    }
    const there = `exist; PostgreSQL ${restored.serverMajor} words their definitions differently than ${backup.serverMajor}`;
    compared.push(`${kind.replace(/ of the$/, "")}: ${same} of ${names.length} ${anyWords ? there : "the same"}`);
  }
  const { users } = backup;
  if (restored.users.passwords === users.passwords) {
    compared.push(`users: ${users.all}, and the ${users.withPassword} who have a password log in with it as before`);
  } else {
    differences.push(
      `The users or their passwords are not those of the backup (${restored.users.all} instead of ${users.all}).`,
    );
  }
  return { compared, differences };
}

function compareSequences(
  backup: Inventory,
  restored: Inventory,
  missing: ReadonlySet<string>,
  compared: string[],
  differences: string[],
): void {
  const values = Object.entries(backup.sequences).filter(([name]) => !missing.has(missingName("table", name)));
  let same = 0;
  for (const [name, [least, most]] of values) {
    const [found] = restored.sequences[name] ?? [];
    if (found !== undefined && BigInt(found) >= BigInt(least) && BigInt(found) <= BigInt(most)) same += 1;
    else differences.push(`The sequence ${name} is at ${found ?? "no value"} instead of ${least}.`);
  }
  if (values.length > 0) compared.push(`values of sequences: ${same} of ${values.length} the same`);
}

/** Whether the object belongs to the platform, which may be newer and have more. */
function isPlatforms(kind: string, name: string): boolean {
  const schema = name.slice(0, name.indexOf("."));
  return kind === "extension" || PROVIDED_SCHEMAS.includes(schema);
}
