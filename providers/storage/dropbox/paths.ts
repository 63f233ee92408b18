import { keySegments, refused } from "../../transfer/keys.ts";

/** Names of the desktop application's own files and of the operating systems', which the service does not take. */
const RESERVED = /^(desktop\.ini|thumbs\.db|\.ds_store|icon\r|\.dropbox|\.dropbox\.attr|\.dropbox\.cache)$/i;

/** What a segment must not hold, and how to say it. */
const FORBIDDEN: readonly [pattern: RegExp, why: string][] = [
  [/\\/, "holds a backslash"],
  [/\x7F/, "holds a DEL character"],
  [/[\uD800-\uDFFF]/, "holds a character outside Unicode's Basic Multilingual Plane, for instance an emoji"],
  [/ $/, "ends with a space"],
  [RESERVED, "is a name that Dropbox keeps for itself"],
];

/** Why Dropbox would not take a file or a folder of that name, or would give it another; nothing where it takes it. */
function objection(segment: string): string | undefined {
  const found = FORBIDDEN.find(([pattern]) => pattern.test(segment));
  if (found !== undefined) return found[1];
  // The service stores names in Form C, and does not find them by any other.
  return segment === segment.normalize("NFC") ? undefined : "is not in Unicode's Normalization Form C";
}

/** Where objects stand in a Dropbox. It keeps the case of names but does not tell names apart by it. */
export class DropboxPaths {
  /** The folder under which everything is kept; the empty string is the root of the account, or of the app's folder. */
  readonly root: string;
  readonly #depth: number;

  /** `CONFIG` where Dropbox would not take the folder. */
  constructor(folder: string, prefix: string | undefined) {
    const segments = [...folder.split("/"), ...(prefix ?? "").split("/")].filter((segment) => segment !== "");
    checkNames(segments.join("/"), segments);
    this.root = segments.map((segment) => `/${segment}`).join("");
    this.#depth = segments.length;
  }

  /** The path of a key. `CONFIG` for names that Dropbox refuses. */
  of(key: string): string {
    const segments = keySegments(key);
    checkNames(key, segments);
    return `${this.root}/${key}`;
  }

  /** The path of a folder of keys; that of the empty string is the root. `CONFIG` for names that Dropbox refuses. */
  ofFolder(prefix: string): string {
    return prefix === "" ? this.root : this.of(prefix);
  }

  /** The part of a path below the root, by segments: the service may write the root's names in another case. */
  below(path: string): string[] {
    return path.split("/").slice(1 + this.#depth);
  }
}

function checkNames(key: string, segments: readonly string[]): void {
  for (const segment of segments) {
    const why = objection(segment);
    if (why !== undefined) throw refused(key, `Dropbox does not take '${segment}', which ${why}`);
  }
}
