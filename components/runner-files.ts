import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Beside the folders; the rest comes from npm, as the lock file has it. */
const files = ["package.json", "package-lock.json", ".npmrc"];
const folders = ["providers", "runner"];

/**
 * What a machine or an image needs of this project to make backups: the content of each file by its path, in an order that is
 * the same everywhere.
 *
 * @param source this project's folder
 */
export function runnerFiles(source: string): Readonly<Record<string, string>> {
  const found = folders.flatMap((folder) =>
    readdirSync(join(source, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(source, join(entry.parentPath, entry.name))),
  );
  const names = [...files, ...found.sort()];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(source, name), "utf8")]));
}
