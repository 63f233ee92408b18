import type { WriteStream } from "node:tty";

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** Units of time, the largest first, with their lengths in milliseconds. A smaller one serves until there are two of a larger one. */
const UNITS = [
  ["year", 365 * DAY_MS],
  ["month", 30 * DAY_MS],
  ["day", DAY_MS],
  ["hour", 3600 * SECOND_MS],
  ["minute", 60 * SECOND_MS],
] as const;

/** How far away a time is, as people say it: `9 hours ago`, `in 3 months`. */
export function fromNow(time: Date, now = new Date()): string {
  return inWords(time.getTime() - now.getTime());
}

// Formats are made where they are used: the first takes 14 ms of a start, and most runs show none.
function inWords(ms: number): string {
  const [unit, length] = UNITS.find(([, length]) => Math.abs(ms) >= 2 * length) ?? (["second", SECOND_MS] as const);
  return new Intl.RelativeTimeFormat("en").format(Math.trunc(ms / length), unit);
}

/** Columns between two cells. */
const GAP = 2;

/** Columns that are left of a cell that is shortened, at the least. */
const NARROWEST = 8;

/** How a result looks: at a terminal for a person, elsewhere the same for every program that reads it. */
export class Display {
  /** Columns of the terminal, Infinity where it does not say; undefined where there is none. */
  readonly columns: number | undefined;
  readonly #now: Date;

  constructor(output: Partial<Pick<WriteStream, "isTTY" | "columns">>, now = new Date()) {
    const { isTTY, columns = 0 } = output;
    this.columns = isTTY !== true ? undefined : columns > 0 ? columns : Infinity;
    this.#now = now;
  }

  /** How far away a time is; undefined where no person reads it. */
  fromNow(time: Date): string | undefined {
    return this.columns === undefined ? undefined : fromNow(time, this.#now);
  }

  /** A time as it is written, for a person with how far away it is: `2026-11-27 03:00 (9 hours ago)`. */
  readonly moment = (written: string, time: Date): string => {
    const away = this.fromNow(time);
    return away === undefined ? written : `${written} (${away})`;
  };

  /** The same of a day, as the calendar has it in UTC: `2026-12-05 (in 7 days)`. */
  readonly day = (date: string): string => {
    if (this.columns === undefined) return date;
    const today = this.#now.toISOString().slice(0, date.length);
    const ms = Date.parse(date) - Date.parse(today);
    if (Math.abs(ms) >= 2 * DAY_MS) return `${date} (${inWords(ms)})`;
    // `today`, `tomorrow`
    return `${date} (${new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(ms / DAY_MS, "day")})`;
  };

  /**
   * Rows of as many cells each as lines, without empty cells. At a terminal they stand in columns, of which the widest are shortened where a line would
   * not fit.
   *
   * @param whole how many of the first columns are never shortened
   */
  table(rows: readonly (readonly string[])[], whole: number): string[] {
    const gap = " ".repeat(GAP);
    if (this.columns === undefined) return rows.map((row) => row.filter((cell) => cell !== "").join(gap));
    const filled = rows.map((row) => row.filter((_, index) => rows.some((other) => other[index] !== "")));
    const room = this.columns - GAP * ((filled[0]?.length ?? 1) - 1);
    return fitted(filled, room, whole).map((row) => row.join(gap).trimEnd());
  }
}

/**
 * Cells of one width in each column. Where they need more room than there is, the widest columns are shortened.
 *
 * @param room columns for the cells alone
 * @param whole how many of the first columns are never shortened
 */
export function fitted(rows: readonly (readonly string[])[], room: number, whole = 0): string[][] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width, 0) - room;
    const widest = Math.max(...widths.slice(whole));
    if (excess <= 0 || widest <= NARROWEST) break;
    const index = widths.indexOf(widest, whole);
    const next = Math.max(NARROWEST, ...widths.slice(whole).filter((width) => width < widest));
    widths[index] = Math.max(widest - excess, next);
  }
  return rows.map((row) =>
    row.map((cell, index) => {
      const width = widths[index] ?? 0;
      return cell.length > width ? `${cell.slice(0, width - 1)}…` : cell.padEnd(width);
    }),
  );
}
