/** A copy of a value of plain objects, lists and texts with every text changed, the names of fields too. */
export function scrub(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((item) => scrub(item, clean));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [clean(name), scrub(field, clean)]));
}
