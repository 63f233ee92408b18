import { createHash } from "node:crypto";

/** Characters that Pulumi's automatic names add: a dash and seven hexadecimal digits, with room for a longer pattern. */
const SUFFIX = 10;

/** Characters that a bucket's name has, less the 26 of the provider's unique end. */
const BUCKET_PREFIX = 63 - 26;

/** Digits of the hash that ends a name which was cut. */
const HASH = 8;

/**
 * A child's name in the program, from which Pulumi makes the resource's name: whole where that fits, else cut and ended by a
 * hash, which keeps it apart from others that begin alike.
 *
 * @param limit characters that the service allows, for instance 64 for a role
 */
export function fitName(name: string, limit: number): string {
  return cut(name, limit - SUFFIX, "");
}

/** The start of a bucket's name, `provision-<words>-`, cut like {@link fitName}. The provider adds a unique end. */
export function bucketPrefix(...words: readonly string[]): string {
  return cut(["provision", ...words, ""].join("-"), BUCKET_PREFIX, "-");
}

function cut(name: string, room: number, end: string): string {
  if (name.length <= room) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH);
  return `${name.slice(0, room - HASH - 1 - end.length).replace(/-+$/, "")}-${hash}${end}`;
}
