import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The root of this project. */
export const ROOT = join(import.meta.dirname, "../..");

/** What a test file consists of beside itself, as far as it stands in `test/` and `tools/`. */
export interface Closure {
  /** The files, as paths from the root: the test file itself, what it imports, and the programs that it names. */
  readonly files: ReadonlySet<string>;
  /** What is imported anywhere in them, by the imported name: `ensurePulumi`, `createServer`. Types are left out. */
  readonly names: ReadonlySet<string>;
  /** The text of all files. */
  readonly text: string;
}

const IMPORT = /^(?:import|export)\s+(type\s)?(?:([^;"]*?)\s+from\s+)?"([^"]+)";/gm;
const LATE_IMPORT = /\{([^{}]*)\} = await import\(/g;
/** A file that is started, loaded later or handed on is named by its path: from the file that names it, or from the root. */
const NAMED_FILE = /"((?:[\w.-]+\/)*[\w.-]+\.ts)"/g;

/** Follows what a test file imports and names, in `test/` and `tools/` alone: what the product starts is its own matter. */
export function closureOf(testFile: string): Closure {
  const files = new Set<string>();
  const names = new Set<string>();
  const texts: string[] = [];
  const waiting = [testFile];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(join(ROOT, file), "utf8");
    texts.push(text);
    for (const [, type, clause = "", from = ""] of text.matchAll(IMPORT)) {
      const imported = namesIn(clause);
      // An import of types alone loads nothing.
      if (type !== undefined || (clause.startsWith("{") && imported.length === 0)) continue;
      for (const name of imported) names.add(name);
      waiting.push(...ownFile(file, from));
    }
    for (const [, clause = ""] of text.matchAll(LATE_IMPORT)) for (const name of namesIn(clause)) names.add(name);
    for (const [, path = ""] of text.replaceAll(IMPORT, "").matchAll(NAMED_FILE)) waiting.push(...ownFile(file, path));
  }
  return { files, names, text: texts.join("\n") };
}

/** The values of an import: `ensureMoto` of `{ ensureMoto as bring, type Moto }`. */
function namesIn(clause: string): string[] {
  return clause
    .replaceAll(/[{}]/g, "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "" && !part.startsWith("type "))
    .map((part) => part.split(/\s+as\s+/)[0] ?? part);
}

function ownFile(importer: string, path: string): string[] {
  const places = [join(dirname(importer), path), path].map((place) => relative(ROOT, join(ROOT, place)));
  const own = places.filter((place) => /^(?:test|tools)\/.*\.ts$/.test(place) && existsSync(join(ROOT, place)));
  // One file of tests may speak of another, but does not run it.
  return own.slice(0, 1).filter((place) => !place.endsWith(".test.ts"));
}
