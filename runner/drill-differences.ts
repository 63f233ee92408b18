import type { RestoredTable, TableRows } from "../providers/database/database.ts";
import { counted, grouped } from "../providers/sizes.ts";

/** What differs between the manifest, the archive and what was restored, one sentence a table. */
export function differences(
  manifest: readonly { readonly schema: string; readonly name: string; readonly estimatedRows?: number }[],
  archived: readonly TableRows[],
  restored: readonly RestoredTable[],
): string[] {
  const nameOf = ({ schema, name }: { schema: string; name: string }) => JSON.stringify([schema, name]);
  const inArchive = new Map(archived.map((table) => [nameOf(table), table]));
  const inDatabase = new Map(restored.map((table) => [nameOf(table), table]));
  const tables = new Map([...manifest, ...archived].map((table) => [nameOf(table), table]));
  const withoutRows = new Set(manifest.filter(({ estimatedRows }) => estimatedRows === -2).map(nameOf));
  return [...tables].flatMap(([key, { schema, name }]) => {
    const table = `The table ${schema}.${name}`;
    const [before, after] = [inArchive.get(key), inDatabase.get(key)];
    if (!after) return [`${table} was not restored.`];
    // What an extension fills by itself is no business of the backup; nor is what the job has backed up without rows.
    if (!before)
      return after.ofExtension || (withoutRows.has(key) && after.rows === 0)
        ? []
        : [`${table} has no data in the archive.`];
    const same = after.ofExtension ? after.rows >= before.rows : after.rows === before.rows;
    return same
      ? []
      : [
          `${table} has ${counted(before.rows, "row")} in the archive, and ${grouped(after.rows)} ${after.rows === 1 ? "was" : "were"} restored.`,
        ];
  });
}
