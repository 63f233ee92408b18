/** The first names of a list that may be long, for a sentence. */
export function someOf(rows: readonly { readonly name: string }[]): string {
  const first = rows.slice(0, 5).map((row) => row.name);
  return rows.length <= first.length ? first.join(", ") : `${first.join(", ")} and ${rows.length - first.length} more`;
}
