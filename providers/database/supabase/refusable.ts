import { randomBytes } from "node:crypto";
import { describeState, knownMessage, WITHHELD } from "../postgres/messages/known-messages.ts";
import { literal } from "./rows.ts";

/** With a random end: a function in the database may warn of anything, in any words. */
const MARK = `provision-refused-${randomBytes(8).toString("hex")}`;

/** How many refusals are kept; the others are counted. */
const MOST_KEPT = 1000;

/**
 * A statement that the server may refuse with one of some SQLSTATEs: the restore then continues without it. Any other error
 * ends the restore.
 *
 * @param what the thing that is missing then, for people
 * @param kind the inventory's kind of the objects that may be missing then
 * @param instead what is run then
 */
export function refusable(
  sql: string,
  what: string,
  states: readonly string[],
  { kind = "", instead }: { readonly kind?: string; readonly instead?: string } = {},
): string {
  const tag = `$p${randomBytes(8).toString("hex")}$`;
  const when = states.map((state) => `SQLSTATE '${state}'`).join(" OR ");
  const other = instead === undefined ? "" : `EXECUTE ${literal(instead)}; `;
  // On one line, and with its length, because it may hold anything.
  const line = what.replaceAll(/\s+/g, " ");
  return (
    `DO ${tag} BEGIN EXECUTE ${literal(sql)}; EXCEPTION WHEN ${when} THEN ${other}` +
    `RAISE WARNING '${MARK} % [${kind}] ${line.length} % %', SQLSTATE, ${literal(line)}, SQLERRM; END ${tag}`
  );
}

/** What a restore's psql writes to its standard error, line by line: refusals, and warnings of the server's own. */
export class RestoreMessages {
  /** The kinds of objects of which some were refused; see {@link refusable}. */
  readonly refusedKinds = new Set<string>();
  readonly #refused: string[] = [];
  readonly #warnings = new Map<string, number>();
  #refusals = 0;

  take(line: string): void {
    // libpq's mark of a severity, in every language, and a warning's class.
    const [, state = "", text = ""] = /:  (0[12][0-9A-Z]{3}): (.*)$/.exec(line) ?? [];
    if (state === "") return;
    if (!text.startsWith(`${MARK} `)) {
      const known = knownMessage(text);
      const warning = `The server warned: ${known?.text ?? WITHHELD} (${describeState(state)})`;
      this.#warnings.set(warning, (this.#warnings.get(warning) ?? 0) + 1);
      return;
    }
    const [, why = "", kind = "", length = "", rest = ""] =
      /^([0-9A-Z]{5}) \[([a-z ]*)\] (\d+) (.*)$/.exec(text.slice(MARK.length + 1)) ?? [];
    if (kind !== "") this.refusedKinds.add(kind);
    this.#refusals += 1;
    if (this.#refusals > MOST_KEPT) return;
    const known = knownMessage(rest.slice(Number(length) + 1));
    this.#refused.push(`${rest.slice(0, Number(length))}: ${known?.text ?? describeState(why)}`);
  }

  get refused(): string[] {
    const more = this.#refusals - this.#refused.length;
    return more === 0 ? [...this.#refused] : [...this.#refused, `… and ${more} more`];
  }

  get warnings(): string[] {
    return [...this.#warnings].map(([text, count]) => (count === 1 ? text : `${text}, ${count} times`));
  }
}
