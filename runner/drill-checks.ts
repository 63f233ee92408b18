import type { DrillCheck } from "../providers/config.ts";
import type { ScratchDatabase } from "../providers/database/database.ts";

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
    const number = decimal(row[0] ?? "");
    const enough = number !== undefined && compare(number, exactly(atLeast)) >= 0;
    return enough ? undefined : `its answer is no number of at least ${atLeast}.${inexact([atLeast])}`;
  }
  const wrong = row.findIndex((value, index) => !isEqual(value, expected[index]));
  if (wrong < 0) return undefined;
  return `its answer is not the expected one${row.length === 1 ? "" : `, in column ${wrong + 1}`}.${inexact([expected[wrong]])}`;
}

/** Whether a column's text is the expected value: `1.50` is the number 1.5, and no text is a number that is not written as one. */
function isEqual(value: string | null, expected: string | number | boolean | null | undefined): boolean {
  if (value === null || expected === null) return value === expected;
  if (typeof expected !== "number") return value === String(expected);
  const number = decimal(value);
  return number !== undefined && compare(number, exactly(expected)) === 0;
}

/** What a person should know whose number JSON has rounded. */
function inexact(expected: readonly unknown[]): string {
  const unsafe = expected.some((each) => Number.isInteger(each) && !Number.isSafeInteger(each));
  return unsafe
    ? " A number of more than 15 digits is exact only as text: write it in quotation marks, as expect."
    : "";
}

/** A number as `0.digits` times ten to the power of `point`; digits neither begin nor end with 0, and zero has none. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly point: number;
}

/** The number that a text is in whole; undefined for every other text, such as `NaN` or an empty one. */
function decimal(text: string): Decimal | undefined {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const all = (whole + fraction).replace(/^0+/, "");
  const [digits = ""] = /^\d*[1-9]/.exec(all) ?? [];
  if (digits === "") return { negative: false, digits, point: 0 };
  return { negative: sign === "-", digits, point: all.length - fraction.length + Number(exponent) };
}

/** A number without the rounding with which it is shown. */
function exactly(number: number): Decimal {
  const found = decimal(Number.isInteger(number) ? String(BigInt(number)) : String(number));
  if (found === undefined) throw new RangeError(`${number} is no number.`);
  return found;
}

/** Below 0 where the first is less, above 0 where it is more. */
function compare(a: Decimal, b: Decimal): number {
  const sign = ({ negative, digits }: Decimal): number => (digits === "" ? 0 : negative ? -1 : 1);
  if (sign(a) !== sign(b)) return sign(a) - sign(b);
  const size = a.point - b.point || (a.digits === b.digits ? 0 : a.digits < b.digits ? -1 : 1);
  return sign(a) * size;
}
