const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A number of bytes for people, in decimal units. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit] ?? ""}`;
}

/** A number with its noun, for people: `1 backup`, `3 backups`, `1,200 policies`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${count === 1 ? noun : pluralOf(noun)}`;
}

/** A whole number for people: `1,200`. */
export function grouped(count: number): string {
  // Not by toLocaleString: its first call takes 4 ms of a start.
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** The regular plural of an English noun. */
function pluralOf(noun: string): string {
  if (/[^aeiou]y$/.test(noun)) return `${noun.slice(0, -1)}ies`;
  return `${noun}${/(s|x|ch|sh)$/.test(noun) ? "es" : "s"}`;
}
