import { createHash } from "node:crypto";

/** Sentry cuts longer slugs off, so that two jobs could share a monitor. */
const LONGEST = 50;

/** The slug itself where Sentry takes it whole, else its beginning with a hash of all of it. */
export function fitSlug(slug: string): string {
  if (slug.length <= LONGEST) return slug;
  const hash = createHash("sha256").update(slug).digest("hex").slice(0, 8);
  return `${slug.slice(0, LONGEST - hash.length - 1)}-${hash}`;
}
