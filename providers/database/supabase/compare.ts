import { dataSchemas, platformSchemas } from "./platform.ts";
import type { Inventory } from "./inventory.ts";

/** How a restored project compares with its backup. */
export interface ProjectComparison {
  /** What was compared, one sentence each. */
  readonly compared: readonly string[];
  readonly differences: readonly string[];
}

/**
 * Compares what a backup says that its project held with what another holds.
 *
 * @param without kinds of objects of which some were refused, and which therefore may be missing
 */
export function compareInventories(
  backup: Inventory,
  restored: Inventory,
  without: readonly string[],
): ProjectComparison {
  const compared: string[] = [];
  const differences: string[] = [];
  const counted = Object.entries(backup.rows).filter(([, rows]) => rows !== null);
  for (const [table, rows] of counted) {
    const found = restored.rows[table];
    if (found !== rows) differences.push(`The table ${table} has ${found ?? "no"} rows instead of ${rows ?? 0}.`);
  }
  const large = Object.keys(backup.rows).length - counted.length;
  const sum = counted.reduce((total, [, rows]) => total + (rows ?? 0), 0);
  compared.push(
    `tables: ${counted.length} with ${sum} rows${large === 0 ? "" : `, and ${large} that are too large to be counted`}`,
  );
  for (const [kind, objects] of Object.entries(backup.objects)) {
    const others = restored.objects[kind] ?? {};
    const names = Object.keys(objects);
    let same = 0;
    for (const name of names) {
      if (others[name] === objects[name]) same += 1;
      else if (kind === "extension" && others[name] !== undefined) {
        compared.push(`extension ${name}: ${others[name]} instead of ${objects[name] ?? ""}, as the target has it`);
      } else if (!without.includes(kind)) {
        differences.push(`The ${kind} ${name} ${others[name] === undefined ? "is missing" : "is not the same"}.`);
      }
    }
    for (const name of Object.keys(others)) {
      if (objects[name] === undefined && !isPlatforms(kind, name))
        differences.push(`The ${kind} ${name} is not in the backup.`);
    }
    compared.push(`${kind}: ${same} of ${names.length} the same`);
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

/** A newer platform has more of its own. */
function isPlatforms(kind: string, name: string): boolean {
  const schema = name.slice(0, name.indexOf("."));
  return kind === "extension" || [...dataSchemas, ...platformSchemas].includes(schema);
}
