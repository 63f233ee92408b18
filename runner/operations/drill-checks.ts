import type { DrillCheck } from "../../providers/config.ts";
import type { ScratchDatabase } from "../../providers/database/database.ts";

/** How a check ended. */
export interface CheckOutcome {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
}

/** What came of the checks of a drill. */
export interface ChecksReport {
  readonly checks: CheckOutcome[];
  /** One sentence for each that failed. It never has the answer, which may be a row's value. */
  readonly problems: readonly string[];
}

/**
 * Asks a restored database the job's questions, one after the other.
 *
 * @throws ProviderError where the database cannot be reached, which says nothing of the backup
 */
export async function runChecks(
  scratch: ScratchDatabase,
  checks: readonly DrillCheck[],
  signal: AbortSignal,
): Promise<ChecksReport> {
  const outcomes: CheckOutcome[] = [];
  const problems: string[] = [];
  for (const check of checks) {
    const begun = performance.now();
    const fault = await faultOf(scratch, check, signal);
    if (fault !== undefined) problems.push(`The check ${JSON.stringify(check.name)} failed: ${fault}`);
    const seconds = Math.round(performance.now() - begun) / 1000;
    outcomes.push({ name: check.name, ok: fault === undefined, seconds });
  }
  return { checks: outcomes, problems };
}

async function faultOf(
  scratch: ScratchDatabase,
  { sql, expect, atLeast, timeoutSeconds }: DrillCheck,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await scratch.ask(sql, timeoutSeconds, signal);
  if ("refused" in answer) return `its query got no answer. ${answer.refused.message}`;
  if ("longerThan" in answer) return `its answer is longer than ${answer.longerThan} characters.`;
  const [row, second] = answer.rows;
  if (row === undefined) return "its query gave no row, and must give one.";
  if (second !== undefined) return "its query gave more than one row, and must give one.";
  const expected = atLeast === undefined ? (Array.isArray(expect) ? expect : [expect]) : [atLeast];
  if (row.length !== expected.length) {
    return `its query gave ${row.length} columns, and ${expected.length} are expected.`;
  }
  if (atLeast !== undefined) {
    return compare(row[0] ?? null, atLeast) >= 0
      ? undefined
      : `its answer is no number of at least ${atLeast}.${inexact([atLeast])}`;
  }
  const wrong = row.findIndex((value, index) => !isEqual(value, expected[index]));
  if (wrong < 0) return undefined;
  return `its answer is not the expected one${row.length === 1 ? "" : `, in column ${wrong + 1}`}.${inexact([expected[wrong]])}`;
}

/** Whether a column's text is the expected value: `1.50` is the number 1.5, and no text is a number that is not written as one. */
function isEqual(value: string | null, expected: string | number | boolean | null | undefined): boolean {
  if (value === null || expected === null) return value === expected;
  return typeof expected === "number" ? compare(value, expected) === 0 : value === String(expected);
}

/** What a person should know whose number JSON has rounded. */
function inexact(expected: readonly unknown[]): string {
  const unsafe = expected.some((each) => Number.isInteger(each) && !Number.isSafeInteger(each));
  return unsafe
    ? " A number of more than 15 digits is exact only as text: write it in quotation marks, as expect."
    : "";
}

/** A number: a whole one, divided by ten to the power of `scale`. */
interface Decimal {
  readonly whole: bigint;
  readonly scale: number;
}

/** The number that a text is; undefined for every other text, such as `NaN` or an empty one, and for powers of ten above 999. */
function decimal(text: string): Decimal | undefined {
  const [, number = "", fraction = "", exponent = "0"] =
    /^([+-]?(?=\.?\d)\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(text) ?? [];
  if (number + fraction === "") return undefined;
  const negative = number.startsWith("-");
  const whole = BigInt(number.replace(/^[+-]/, "") + fraction);
  return { whole: negative ? -whole : whole, scale: fraction.length - Number(exponent) };
}

/** Below 0 where the text is a number less than the other, NaN where it is none. A number is taken without the rounding of how it is shown. */
function compare(text: string | null, number: number): number {
  const a = decimal(text ?? "");
  const b = decimal(Number.isInteger(number) ? String(BigInt(number)) : String(number));
  if (a === undefined || b === undefined) return NaN;
  const scale = Math.max(a.scale, b.scale);
  const [left, right] = [a, b].map((each) => each.whole * 10n ** BigInt(scale - each.scale)) as [bigint, bigint];
  return left < right ? -1 : left > right ? 1 : 0;
}
