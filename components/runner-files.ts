import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const FOLDERS = ["providers", "runner"];

/** This project's folder, or in the package the one that was built of it: `dist`, which is laid out in the same way. */
export const OWN_FOLDER = dirname(import.meta.dirname);

/** What only development and the program of a deployment need: it would fill a stack's state. */
const NOT_AT_RUN_TIME = { devDependencies: undefined, peerDependencies: undefined };

/** The packages of a lock file, and what `package.json` has of them. */
interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/**
 * What a machine or an image needs of this project to make backups: the content of each file by its path, in an order that is
 * the same everywhere.
 *
 * @param source this project's folder, see {@link OWN_FOLDER}
 */
export function runnerFiles(source: string): Readonly<Record<string, string>> {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(join(source, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".d.ts"))
      .map((entry) => relative(source, join(entry.parentPath, entry.name))),
  );
  const read = (name: string) => readFileSync(join(source, name), "utf8");
  return {
    // The other packages come from npm, as the lock file says.
    "package.json": toJson({ ...(JSON.parse(read("package.json")) as object), ...NOT_AT_RUN_TIME }),
    "package-lock.json": toJson(withoutDevelopment(JSON.parse(read("package-lock.json")) as Lock)),
    // npm leaves it out of packages.
    ...(existsSync(join(source, ".npmrc")) && { ".npmrc": read(".npmrc") }),
    ...Object.fromEntries(found.sort().map((name) => [name, read(name)])),
  };
}

function withoutDevelopment(lock: Lock): Lock {
  const packages = Object.entries(lock.packages)
    .filter(([, { dev }]) => dev !== true)
    .map(([path, entry]) => [path, { ...entry, ...(path === "" && NOT_AT_RUN_TIME) }] as const);
  return { ...lock, packages: Object.fromEntries(packages) };
}

function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
