import { randomBytes } from "node:crypto";
import { describeState, knownMessage, WITHHELD } from "../postgres/messages/known-messages.ts";
import { literal } from "../postgres/artifacts/sql-artifact.ts";

/** With a random end: a function in the database may warn of anything, in any words. */
const MARK = `provision-refused-${randomBytes(8).toString("hex")}`;

/** A setting of the session: whether a refusal, once it is reported, ends the restore. */
export const STRICT = "provision.strict";

/** How many refusals are kept; the others are counted. */
const MOST_KEPT = 1000;

/**
 * A statement that the server may refuse with one of some SQLSTATEs: the restore then continues without it, unless the setting
 * {@link STRICT} is on. Any other error ends the restore.
 *
 * @param what the thing that is missing then, for people
 * @param kind the inventory's kind of the objects that may be missing then
 * @param object the inventory's name of the only object of that kind that may be missing; default: any of them
 * @param instead what is run then
 */
export function refusable(
  sql: string,
  what: string,
  states: readonly string[],
  {
    kind = "",
    object = "",
    instead,
  }: { readonly kind?: string; readonly object?: string; readonly instead?: string } = {},
): string {
  const tag = `$p${randomBytes(8).toString("hex")}$`;
  const when = states.map((state) => `SQLSTATE '${state}'`).join(" OR ");
  const other = instead === undefined ? "" : `; EXECUTE ${literal(instead)}`;
  // On one line, and with their lengths, because they may hold anything.
  const line = onOneLine(what);
  const missing = kind === "" ? "" : missingName(kind, object);
  return (
    `DO ${tag} BEGIN EXECUTE ${literal(sql)}; EXCEPTION WHEN ${when} THEN ` +
    `RAISE WARNING '${MARK} % ${missing.length} ${line.length} % % %', ` +
    `SQLSTATE, ${literal(missing)}, ${literal(line)}, SQLERRM; ` +
    `IF current_setting('${STRICT}', true) = 'on' THEN RAISE; END IF${other}; END ${tag}`
  );
}

function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

/** How {@link RestoreMessages.missing} has an object, or all objects of a kind. */
export function missingName(kind: string, object = ""): string {
  return onOneLine(`${kind}: ${object}`);
}

/** What a restore's psql writes to its standard error, line by line: refusals, and warnings of the server's own. */
export class RestoreMessages {
  /** The objects, and kinds of objects, that may be missing because they were refused; see {@link missingName}. */
  readonly missing = new Set<string>();
  readonly #refused: string[] = [];
  readonly #warnings = new Map<string, number>();
  #refusals = 0;

  take(line: string): void {
    // libpq's mark of a severity, in every language, and a warning's class.
    const [, state = "", text = ""] = /:  (0[12][0-9A-Z]{3}): (.*)$/.exec(line) ?? [];
    if (state === "") return;
    if (!text.startsWith(`${MARK} `)) {
      const known = knownMessage(text, true);
      const warning = `The server warned: ${known?.text ?? WITHHELD} (${describeState(state)})`;
      this.#warnings.set(warning, (this.#warnings.get(warning) ?? 0) + 1);
      return;
    }
    const [, why = "", first = "", second = "", rest = ""] =
      /^([0-9A-Z]{5}) (\d+) (\d+) (.*)$/.exec(text.slice(MARK.length + 1)) ?? [];
    const missing = rest.slice(0, Number(first));
    if (missing !== "") this.missing.add(missing);
    this.#refusals += 1;
    if (this.#refusals > MOST_KEPT) return;
    const what = rest.slice(missing.length + 1);
    const known = knownMessage(what.slice(Number(second) + 1));
    this.#refused.push(`${what.slice(0, Number(second))}: ${known?.text ?? describeState(why)}`);
  }

  /** The extensions that were refused, quoted where needed. */
  get extensions(): string[] {
    const start = missingName("extension");
    return [...this.missing].filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
  }

  get refused(): string[] {
    const more = this.#refusals - this.#refused.length;
    return more === 0 ? [...this.#refused] : [...this.#refused, `… and ${more} more`];
  }

  get warnings(): string[] {
    return [...this.#warnings].map(([text, count]) => (count === 1 ? text : `${text}, ${count} times`));
  }
}
