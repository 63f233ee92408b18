import { createHash } from "node:crypto";

/** Characters of the digest that stands for what was cut off: two long names collide once in some 4 billion. */
const DIGEST = 8;

/**
 * A prefix for a resource's automatic name: `provision-`, then the words joined by `-`, then a `-`. The provider adds a
 * unique end, so that several stacks in one account never collide, not even with what another one of the same name left
 * behind.
 *
 * @param limit characters that the service leaves for the prefix; the provider's end takes 26. A longer prefix is cut, and
 *   ends with a digest of the whole.
 */
export function namePrefix(limit: number, ...words: readonly string[]): string {
  const whole = ["provision", ...words, ""].join("-");
  if (whole.length <= limit) return whole;
  const digest = createHash("sha256").update(whole).digest("hex").slice(0, DIGEST);
  const start = whole.slice(0, limit - DIGEST - 2).replace(/-+$/, "");
  return `${start}-${digest}-`;
}
