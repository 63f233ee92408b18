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
  const [row, second] = answer.rows;
  if (row === undefined) return "its query gave no row, and must give one.";
  if (second !== undefined) return "its query gave more than one row, and must give one.";
  const expected = atLeast === undefined ? (Array.isArray(expect) ? expect : [expect]) : [atLeast];
  if (row.length !== expected.length) {
    return `its query gave ${row.length} columns, and ${expected.length} are expected.`;
  }
  if (atLeast !== undefined) {
    return Number(row[0] ?? NaN) >= atLeast ? undefined : `its answer is no number of at least ${atLeast}.`;
  }
  const wrong = row.findIndex((value, index) => !isEqual(value, expected[index]));
  if (wrong < 0) return undefined;
  return `its answer is not the expected one${row.length === 1 ? "" : `, in column ${wrong + 1}`}.`;
}

/** Whether a column's text is the expected value: `1.50` is the number 1.5. */
function isEqual(value: string | null, expected: string | number | boolean | null | undefined): boolean {
  if (value === null || expected === null) return value === expected;
  return typeof expected === "number" ? Number(value) === expected : value === String(expected);
}
