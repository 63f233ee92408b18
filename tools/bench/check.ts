/** A number that was measured, and what is promised of it. */
export interface Check {
  /** What the number is of. */
  readonly what: string;
  readonly value: number;
  readonly atMost: number;
  /** Seconds, megabytes of 1,000,000 bytes, a number of files, or none for a ratio. */
  readonly unit?: "s" | "MB" | "files";
}

/** Whether a promise is kept. One whose number could not be measured is not. */
export function isKept({ value, atMost }: Check): boolean {
  return value <= atMost;
}

/** A check as a line for people. */
export function describeCheck(check: Check): string {
  const { what, value, atMost, unit } = check;
  const digits = unit === "MB" || unit === "files" ? 0 : 2;
  const numbers = `${value.toFixed(digits)}${unit === undefined ? "" : ` ${unit}`} (at most ${atMost.toFixed(digits)})`;
  return `${isKept(check) ? "  " : "✗ "}${numbers.padStart(24)}  ${what}`;
}

/** Lets the process end with 1, and names on standard error what is not as promised, where something is not. */
export function judge(checks: readonly Check[]): void {
  const broken = checks.filter((check) => !isKept(check));
  if (broken.length === 0) return;
  process.exitCode = 1;
  console.error(["\nNot as promised:", ...broken.map(describeCheck)].join("\n"));
}
