import { ProviderError } from "../../../errors.ts";
import type { TableRows } from "../../database.ts";
import { textOf } from "../connect/raw-text.ts";

const NEWLINE = 0x0a;
const COPY = "COPY ";
const END = "\\.";

/** Longest statement that is kept to be read, in bytes: 1,600 columns, the most that a table can have, of 63 bytes each. */
const LONGEST = 256 * 1024;

/**
 * Counts rows in the script that pg_restore makes of an archive: between `COPY … FROM stdin;` and `\.` each line is a row,
 * since a line break inside a value is written as `\n`.
 */
export class CopyCounter {
  readonly #tables: (TableRows & { rows: number })[] = [];
  /** The table whose rows are being counted. */
  #table: { rows: number } | undefined;
  /** The beginning of a line, or of a statement of several lines, whose end has not come yet. */
  #begun = "";

  /** Takes the next piece of the script. */
  write(piece: Buffer): void {
    let start = 0;
    while (start < piece.length) {
      const newline = piece.indexOf(NEWLINE, start);
      const end = newline === -1 ? piece.length : newline;
      // Of a row only its beginning matters.
      const wanted = this.#table === undefined ? LONGEST : END.length + 1;
      if (this.#begun !== "" || newline === -1 || this.#table === undefined || end - start === END.length) {
        this.#begun += piece.toString("latin1", start, Math.min(end, start + Math.max(0, wanted - this.#begun.length)));
        if (newline !== -1) this.#endLine();
      } else {
        this.#table.rows += 1;
      }
      start = end + 1;
    }
  }

  /** The tables in their order in the archive. `INTEGRITY` where the script ended amid the rows of one. */
  finish(): TableRows[] {
    if (this.#table === undefined) return this.#tables;
    throw new ProviderError("INTEGRITY", "The archive ends amid the rows of a table.");
  }

  #endLine(): void {
    const line = this.#begun;
    this.#begun = "";
    if (this.#table !== undefined) {
      if (line === END) this.#table = undefined;
      else this.#table.rows += 1;
      return;
    }
    if (!line.startsWith(COPY)) return;
    // A name may hold line breaks; in it a quotation mark is doubled, so that all of them are an even number outside.
    if (line.split('"').length % 2 === 0) {
      this.#begun = `${line}\n`;
      return;
    }
    const [, schema, name] = /^COPY ("(?:[^"]|"")+"|[^".]+)\.("(?:[^"]|"")+"|[^" ]+) .*FROM stdin;$/s.exec(line) ?? [];
    if (schema === undefined || name === undefined) return;
    const table = { schema: plain(schema), name: plain(name), rows: 0 };
    this.#tables.push(table);
    this.#table = table;
  }
}

/** An identifier as it is, of one as SQL has it; the script is UTF-8 or of an encoding that holds ASCII. */
function plain(identifier: string): string {
  const text = textOf(Buffer.from(identifier, "latin1"));
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}
