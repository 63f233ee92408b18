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
