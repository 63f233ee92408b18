import { randomBytes } from "node:crypto";
import { literal } from "./rows.ts";

const mark = "provision-refused";

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
  return (
    `DO ${tag} BEGIN EXECUTE ${literal(sql)}; EXCEPTION WHEN ${when} THEN ` +
    `${other}RAISE WARNING '%', ${literal(`${mark} ${what.replaceAll(/\s+/g, " ")}: `)} || SQLERRM; END ${tag}`
  );
}

/** How many messages of a kind are kept; the others are counted. */
const kept = 1000;

/** What a restore's psql writes to its standard error, line by line: refusals, and warnings of the server's own. */
export class RestoreMessages {
  readonly #refused: string[] = [];
  readonly #warnings: string[] = [];
  readonly #watched = new Map<string, boolean>();
  #refusals = 0;
  #warned = 0;

  /** @param watched beginnings of refusals that {@link hasRefused} is to know of */
  constructor(watched: readonly string[]) {
    for (const each of watched) this.#watched.set(each, false);
  }

  take(line: string): void {
    const [, text] = /WARNING:  (.*)$/.exec(line) ?? [];
    if (text === undefined) return;
    if (!text.startsWith(`${mark} `)) {
      this.#warned += 1;
      if (this.#warned <= kept) this.#warnings.push(`The server warned: ${text}`);
      return;
    }
    const what = text.slice(mark.length + 1);
    for (const beginning of this.#watched.keys()) if (what.startsWith(beginning)) this.#watched.set(beginning, true);
    this.#refusals += 1;
    if (this.#refusals <= kept) this.#refused.push(what);
  }

  /** Whether something was refused that begins so, be it kept or only counted. */
  hasRefused(beginning: string): boolean {
    return this.#watched.get(beginning) === true;
  }

  get refused(): string[] {
    return withRest(this.#refused, this.#refusals);
  }

  get warnings(): string[] {
    return withRest(this.#warnings, this.#warned);
  }
}

function withRest(lines: readonly string[], all: number): string[] {
  return all === lines.length ? [...lines] : [...lines, `… and ${all - lines.length} more`];
}
