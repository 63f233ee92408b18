import { keySegments, refused } from "../../transfer/keys.ts";

/**
 * Bytes that a name may have. S3, behind the service, takes 1,024, of which the service uses some for the project, the
 * bucket and a version.
 */
const MAX_NAME_BYTES = 900;

/** What is written as it is: taken by the service, and left alone by whatever handles URLs. */
const PLAIN = /[^A-Za-z0-9_./-]/gu;

/**
 * The names that objects have in a bucket. The service takes only some characters of ASCII, and its client writes them into
 * URLs unescaped: every other byte of a key's UTF-8 is written as `=` and two hexadecimal digits.
 */
export class Names {
  readonly #prefix: string;

  /** @param prefix the folder under which everything is kept */
  constructor(prefix: string | undefined) {
    this.#prefix = prefix === undefined ? "" : `${prefix}/`;
  }

  /** The name of a key. `CONFIG` for keys that are refused. */
  of(key: string): string {
    keySegments(key);
    if (!key.isWellFormed()) throw refused(key, "it is not well-formed Unicode");
    const name = this.#prefix + escape(key);
    if (name.length > MAX_NAME_BYTES) {
      throw refused(key, `with the prefix, and escaped for the service, it is longer than ${MAX_NAME_BYTES} bytes`);
    }
    return name;
  }

  /** The folder of names below a folder of keys. The empty string is the bucket's root. */
  ofFolder(folder: string): string {
    return folder === "" ? this.#prefix.slice(0, -1) : this.of(folder);
  }

  /** The folder of the records of uploads: no key has a name in it, so that no listing of keys shows them. */
  get uploads(): string {
    return `${this.#prefix}=uploads`;
  }

  /** The key of a name; nothing where it is one that Provision does not give, or is outside the prefix. */
  keyOf(name: string): string | undefined {
    if (!name.startsWith(this.#prefix)) return undefined;
    const own = name.slice(this.#prefix.length);
    const key = unescape(own);
    return escape(key) === own ? key : undefined;
  }
}

function escape(key: string): string {
  return key.replaceAll(PLAIN, (character) =>
    [...Buffer.from(character)].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

function unescape(name: string): string {
  return name.replaceAll(/(=[0-9A-F]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll("=", ""), "hex").toString());
}
