import { createHash } from "node:crypto";

/** Characters that a bucket's name has, less the 26 of the provider's unique end. */
const LIMIT = 63 - 26;

/** Digits of the hash that stands for what was cut off. */
const HASH = 8;

/**
 * The start of a bucket's name: `provision-`, the words joined by `-`, and a `-`. The provider adds a unique end, as the
 * name has to be unique in the world. What is too long is cut, and told from others by a hash of the whole.
 */
export function bucketPrefix(...words: readonly string[]): string {
  const whole = ["provision", ...words, ""].join("-");
  if (whole.length <= LIMIT) return whole;
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, HASH);
  return `${whole.slice(0, LIMIT - HASH - 2).replace(/-+$/, "")}-${hash}-`;
}
