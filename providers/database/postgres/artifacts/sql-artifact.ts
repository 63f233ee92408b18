import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { ProviderError } from "../../../errors.ts";
import { textOf } from "../connect/raw-text.ts";

const BEGINNING = "-- Provision: ";

/** The last line of every part: a part without it is cut off. */
export const END_OF_PART = "-- Provision: end of the part\n";

/** A string as SQL has it, where backslashes mean nothing. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The first lines of a part: what it holds, for people who open it. */
export function beginningOfPart(title: string): string {
  return `${BEGINNING}${title.replaceAll(/\s+/g, " ")}\n\n`;
}

/** A part of single statements as text. */
export function writePart(title: string, statements: readonly string[]): string {
  const body = statements.length === 0 ? "-- There are none.\n" : statements.map((sql) => `${sql};\n`).join("");
  return `${beginningOfPart(title)}${body}\n${END_OF_PART}`;
}

/**
 * The statements of a part that {@link writePart} has written.
 *
 * @throws {ProviderError} `INTEGRITY` where it is cut off or is something else
 */
export async function readPart(name: string, bytes: Readable): Promise<readonly string[]> {
  const text = await readText(name, bytes);
  checkEnds(name, text, text);
  const { complete, rest } = splitStatements(text);
  if (rest !== "") throw damaged(name, "holds something after its last statement");
  // Outside of strings no SQL has a backslash, but psql's commands begin with one, and some of them run programs.
  if (complete.some((sql) => withoutStrings(sql).includes("\\"))) throw damaged(name, "holds a command of psql");
  return complete;
}

function withoutStrings(sql: string): string {
  return sql.replaceAll(/E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"/gs, "");
}

/**
 * The bytes of a part as they are, of which only the ends are kept: it may hold a table's rows. They fail at their end where the part
 * is cut off or is something else.
 *
 * @throws {ProviderError} `INTEGRITY`
 */
export async function* wholePart(name: string, bytes: Readable): AsyncGenerator<Buffer> {
  let first: Buffer = Buffer.alloc(0);
  let last: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    if (first.length < BEGINNING.length) first = Buffer.concat([first, chunk.subarray(0, BEGINNING.length)]);
    last = Buffer.concat([last, chunk.subarray(-END_OF_PART.length - 1)]).subarray(-END_OF_PART.length - 1);
    yield chunk;
  }
  checkEnds(name, first.toString(), last.toString());
}

/** Reads a part to its end; see {@link wholePart}. */
export async function checkPart(name: string, bytes: Readable): Promise<void> {
  const pieces = wholePart(name, bytes);
  while ((await pieces.next()).done !== true);
}

function checkEnds(name: string, beginning: string, end: string): void {
  if (!beginning.startsWith(BEGINNING)) throw damaged(name, "does not begin as a part of a backup");
  if (!end.endsWith(`\n${END_OF_PART}`)) throw damaged(name, "does not end with its last line, so it is cut off");
}

/** The error for an artifact that cannot be right, of the end of a sentence that begins with "it". */
export function damaged(name: string, what: string): ProviderError {
  return new ProviderError("INTEGRITY", `${name} cannot be used: it ${what}.`);
}

/** More bytes than the statements of any server's roles or policies have; a text that is longer is none of them. */
const LONGEST_BYTES = 64 * 1024 * 1024;

/**
 * Reads an artifact's text to its end. An error of the bytes' own stream is passed on as it is.
 *
 * @param encoding `raw` for a text that has names as they are, in which bytes need not be UTF-8; see raw-text.ts
 */
export async function readText(name: string, bytes: Readable, encoding: "UTF-8" | "raw" = "UTF-8"): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LONGEST_BYTES) throw damaged(name, "is larger than it can be");
  }
  const all = Buffer.concat(chunks);
  if (encoding === "raw") return textOf(all);
  if (!isUtf8(all)) throw damaged(name, "is not text in UTF-8");
  return all.toString();
}

/** What {@link splitStatements} found. */
interface Statements {
  /** Each without its semicolon. */
  readonly complete: readonly string[];
  /** What stands after the last semicolon, and is not only comments and space. */
  readonly rest: string;
}

/**
 * Splits SQL at the semicolons that stand outside of strings, quoted identifiers and comments. Neither strings in dollars nor
 * commands of psql are known, but for the two of `pg_dumpall` that only guard a script.
 */
export function splitStatements(text: string): Statements {
  const token =
    /--[^\n]*|\\(?:un)?restrict [^\n]*|E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|;|[^\s;'"\\-]+|\s+|[\s\S]/gy;
  const complete: string[] = [];
  let current = "";
  for (const [part] of text.matchAll(token)) {
    if (part.startsWith("--") || /^\\(un)?restrict /.test(part)) continue;
    if (part === ";") {
      complete.push(current.trim());
      current = "";
    } else {
      current += part;
    }
  }
  return { complete, rest: current.trim() };
}
