import { randomBytes } from "node:crypto";
import { describeState, knownMessage, withheld } from "../postgres/messages/known-messages.ts";
import { literal } from "./rows.ts";

/** With a part that nobody else knows: a function in the database may warn of anything, in any words. */
const mark = `provision-refused-${randomBytes(8).toString("hex")}`;

/**
 * A statement that the server may refuse with one of some SQLSTATEs, and the restore goes on without it. Any other error
 * still ends everything.
 *
 * @param what the thing that is not there then, for people
 * @param instead what is done then
 */
export function refusable(sql: string, what: string, states: readonly string[], instead?: string): string {
  const tag = `$p${randomBytes(8).toString("hex")}$`;
  const when = states.map((state) => `SQLSTATE '${state}'`).join(" OR ");
  const other = instead === undefined ? "" : `EXECUTE ${literal(instead)}; `;
  // On one line, and with its length, because it may hold anything.
  const line = what.replaceAll(/\s+/g, " ");
  return (
    `DO ${tag} BEGIN EXECUTE ${literal(sql)}; EXCEPTION WHEN ${when} THEN ${other}` +
    `RAISE WARNING '${mark} % ${line.length} % %', SQLSTATE, ${literal(line)}, SQLERRM; END ${tag}`
  );
}

/** How many refusals are kept; the others are counted. */
const kept = 1000;

/** What a restore's psql writes to its standard error, line by line: refusals, and warnings of the server's own. */
export class RestoreMessages {
  readonly #refused: string[] = [];
  readonly #warnings = new Map<string, number>();
  readonly #watched = new Map<string, boolean>();
  #refusals = 0;

  /** @param watched beginnings of refusals that {@link hasRefused} is to know of */
  constructor(watched: readonly string[]) {
    for (const each of watched) this.#watched.set(each, false);
  }

  take(line: string): void {
    // libpq's mark of a severity, in every language, and a warning's class.
    const [, state = "", text = ""] = /:  (0[12][0-9A-Z]{3}): (.*)$/.exec(line) ?? [];
    if (state === "") return;
    if (!text.startsWith(`${mark} `)) {
      const known = knownMessage(text);
      const warning = `The server warned: ${known?.text ?? withheld} (${describeState(state)})`;
      this.#warnings.set(warning, (this.#warnings.get(warning) ?? 0) + 1);
      return;
    }
    const [, why = "", length = "", rest = ""] = /^([0-9A-Z]{5}) (\d+) (.*)$/.exec(text.slice(mark.length + 1)) ?? [];
    const [what, message] = [rest.slice(0, Number(length)), rest.slice(Number(length) + 1)];
    for (const beginning of this.#watched.keys()) if (what.startsWith(beginning)) this.#watched.set(beginning, true);
    this.#refusals += 1;
    const known = knownMessage(message);
    if (this.#refusals <= kept) this.#refused.push(`${what}: ${known?.text ?? describeState(why)}`);
  }

  /** Whether something was refused that begins so, be it kept or only counted. */
  hasRefused(beginning: string): boolean {
    return this.#watched.get(beginning) === true;
  }

  get refused(): string[] {
    return withRest(this.#refused, this.#refusals);
  }

  get warnings(): string[] {
    return [...this.#warnings].map(([text, count]) => (count === 1 ? text : `${text}, ${count} times`));
  }
}

function withRest(lines: readonly string[], all: number): string[] {
  return all === lines.length ? [...lines] : [...lines, `… and ${all - lines.length} more`];
}
