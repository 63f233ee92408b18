import { ProviderError } from "../../../providers/errors.ts";

/**
 * Bytes that a manifest or a record has at most. A table takes some 125 bytes of a manifest, and 220 with the longest names
 * that PostgreSQL allows: enough for 150,000 tables with such names, or 260,000 with ordinary ones. Reading one of this size
 * takes some 250 MB of memory.
 */
export const DOCUMENT_BYTES = 32 * 1024 * 1024;

/** Objects that a backup has at most: one for each database of a server, and some more. */
export const MANIFEST_OBJECTS = 10_000;

/** Problems that a record lists, in bytes: the others are counted. */
const PROBLEM_BYTES = 8 * 1024 * 1024;

/** What JSON from a store may have at most. */
export interface JsonBounds {
  /** Bytes, as UTF-8. */
  readonly bytes: number;
  /** Objects and arrays inside each other. The deepest that is written are attributes of a file. */
  readonly depth: number;
  /** Values. A value may take fifty times the memory of its characters. A table of a manifest has four. */
  readonly values: number;
}

/** The bounds of a manifest or a record. */
export const DOCUMENT: JsonBounds = { bytes: DOCUMENT_BYTES, depth: 32, values: 1_500_000 };

/** The bounds of what a backup says of one file: of what is written, for which one chunk of encryption must suffice. */
export const FILE_FACTS: JsonBounds = { bytes: 64 * 1024, depth: 32, values: 10_000 };

/** The bounds of a line of the index of files, which may hold encrypted facts for many recipients. */
export const FILE_LINE: JsonBounds = { bytes: 1024 * 1024, depth: 32 + 2, values: 100_000 };

/**
 * Which bound a JSON text exceeds, in words; undefined for one within all of them. It is checked before the text is parsed: a
 * parser takes what memory it likes, and a text that is nested deeply enough ends the process.
 *
 * @param pieces the text, not divided inside of an escape sequence
 */
export function beyond(pieces: readonly string[] | Generator<string>, bounds: JsonBounds): string | undefined {
  let size = 0;
  let depth = 0;
  let values = 1;
  let inString = false;
  for (const piece of pieces) {
    size += Buffer.byteLength(piece);
    // Too large whatever follows, and the message says how large.
    if (size > bounds.bytes) continue;
    for (let at = 0; at < piece.length; at += 1) {
      const character = piece.charCodeAt(at);
      if (inString) {
        if (character === BACKSLASH) at += 1;
        else if (character === QUOTE) inString = false;
      } else if (character === QUOTE) {
        inString = true;
      } else if (character === COMMA) {
        values += 1;
      } else if (character === OPEN_BRACE || character === OPEN_BRACKET) {
        values += 1;
        depth += 1;
        if (depth > bounds.depth) return `it is nested more than ${bounds.depth} levels deep`;
      } else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) {
        depth -= 1;
      }
    }
  }
  if (size > bounds.bytes) return `it has ${size} bytes, and may have ${bounds.bytes}`;
  return values > bounds.values ? `it has ${values} values, and may have ${bounds.values}` : undefined;
}

const [QUOTE, COMMA, OPEN_BRACKET, BACKSLASH, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [
  0x22, 0x2c, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d,
] as const;

/**
 * Refuses to write a text that {@link beyond} would refuse to read.
 *
 * @param what the text is, for the message.
 * @param pieces the text, as {@link beyond} takes it.
 * @param fix what a person should do.
 * @throws ProviderError `CONFIG`.
 */
export function requireWithin(what: string, pieces: Generator<string>, bounds: JsonBounds, fix: string): void {
  const problem = beyond(pieces, bounds);
  if (problem !== undefined) throw new ProviderError("CONFIG", `${what} could not be read again: ${problem}.`, { fix });
}

/** As many of the problems as a record may list, and how many there are beyond these; `more` is left out for none. */
export function listable(problems: readonly string[]): { problems: string[]; more?: number } {
  let bytes = 0;
  const end = problems.findIndex((problem) => (bytes += Buffer.byteLength(problem)) > PROBLEM_BYTES);
  return end === -1 ? { problems: [...problems] } : { problems: problems.slice(0, end), more: problems.length - end };
}
