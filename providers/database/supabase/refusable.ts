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

/** What was refused, from what psql wrote to its standard error. */
export function refusals(messages: string): string[] {
  return messages.split("\n").flatMap((line) => {
    const at = line.indexOf(`WARNING:  ${mark} `);
    return at === -1 ? [] : [line.slice(at + `WARNING:  ${mark} `.length)];
  });
}
