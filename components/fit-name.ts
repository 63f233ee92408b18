import { createHash } from "node:crypto";

/** Characters that Pulumi's automatic names add: a dash and seven hexadecimal digits, with room for a longer pattern. */
const SUFFIX = 10;

/** Digits of the hash that ends a name which was cut. */
const HASH = 8;

/**
 * The name of a child in the program, from which Pulumi makes the resource's own name: whole where that fits, otherwise cut,
 * and told from others by a hash of the whole.
 *
 * @param limit characters that the service allows, for instance 64 for a role
 */
export function fitName(name: string, limit: number): string {
  const room = limit - SUFFIX;
  if (name.length <= room) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH);
  return `${name.slice(0, room - HASH - 1).replace(/-+$/, "")}-${hash}`;
}
