import { createHash } from "node:crypto";
import type { ListedFile } from "../../../providers/files/files.ts";

/** Bytes that one name may have: NAME_MAX of Linux. */
const MAX_BYTES = 255;

/** Bytes of a longer name that stay readable: four a character at most, and some for what is put before and behind. */
const READABLE_CHARACTERS = 50;

/**
 * Names that no file can have in a folder: none at all, those of folders themselves, and those of writes under way. And those
 * that begin like the names which they are given instead.
 */
const IMPOSSIBLE = /^$|^\.{1,2}$|^\..*\.partial$|^~/s;

/**
 * Under which paths files are written into a folder: as `<bucket>/<path>`, but that where a folder cannot have a name, `~` is put
 * before it, where a file and a folder would have the same name the file's is `~file-<name>`, and where a name is too long it is
 * `~long-<beginning>-<hash>`. Different files always have different paths.
 */
export class FolderNames {
  readonly #folders = new Set<string>();

  /** Called with every file before any path is asked for. */
  foresee({ bucket, path }: Pick<ListedFile, "bucket" | "path">): void {
    let folder = `${bucket}/${path}`;
    for (;;) {
      folder = folder.slice(0, Math.max(folder.lastIndexOf("/"), 0));
      if (folder === "" || this.#folders.has(folder)) return;
      this.#folders.add(folder);
    }
  }

  pathOf({ bucket, path }: Pick<ListedFile, "bucket" | "path">): string {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const folders = `${bucket}/${path}`.split("/").slice(0, -1);
    const isFolder = this.#folders.has(`${bucket}/${path}`);
    const file = isFolder ? short(`~file-${name}`, name) : possible(name);
    return [...folders.map(possible), file].join("/");
  }
}

function possible(name: string): string {
  return short(IMPOSSIBLE.test(name) ? `~${name}` : name, name);
}

function short(written: string, name: string): string {
  if (Buffer.byteLength(written) <= MAX_BYTES) return written;
  const hash = createHash("sha256").update(written).digest("hex").slice(0, 32);
  return `~long-${Array.from(name).slice(0, READABLE_CHARACTERS).join("")}-${hash}`;
}
