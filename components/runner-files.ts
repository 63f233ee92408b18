import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const FOLDERS = ["providers", "runner"];

/** The packages of a lock file, and what `package.json` has of them. */
interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly dev?: boolean; readonly devDependencies?: object | undefined }>
  >;
}

/**
 * What a machine or an image needs of this project to make backups: the content of each file by its path, in an order that is
 * the same everywhere.
 *
 * @param source this project's folder
 */
export function runnerFiles(source: string): Readonly<Record<string, string>> {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(join(source, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(source, join(entry.parentPath, entry.name))),
  );
  const read = (name: string) => readFileSync(join(source, name), "utf8");
  return {
    // The other packages come from npm, as the lock file says. What only development needs would fill a stack's state.
    "package.json": toJson({ ...(JSON.parse(read("package.json")) as object), devDependencies: undefined }),
    "package-lock.json": toJson(withoutDevelopment(JSON.parse(read("package-lock.json")) as Lock)),
    ".npmrc": read(".npmrc"),
    ...Object.fromEntries(found.sort().map((name) => [name, read(name)])),
  };
}

function withoutDevelopment(lock: Lock): Lock {
  const packages = Object.entries(lock.packages)
    .filter(([, { dev }]) => dev !== true)
    .map(([path, entry]) => [path, { ...entry, devDependencies: undefined }] as const);
  return { ...lock, packages: Object.fromEntries(packages) };
}

function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
