import type { Manifest } from "./documents/manifest.ts";
import { bytes } from "../../providers/fields/sizes.ts";

/** Backups that a new one is compared with: the job's last ones. */
export const HISTORY = 10;

/** Backups without which growth and duration say nothing: a job's first ones grow while it is set up. */
const ENOUGH = 3;

/** A size, a duration or a table below this may change by any factor: bytes, seconds and rows. */
const SMALL = { bytes: 64 * 1024, seconds: 60, rows: 100 };

/** What of a backup is compared with others of its job. */
export interface Figures {
  readonly storedBytes: number;
  readonly plainBytes: number;
  /** From its start to its manifest. */
  readonly seconds: number;
  /** By the table's name with its schema, as the server's statistics estimate them; without tables of which it knows nothing. */
  readonly rows: ReadonlyMap<string, number>;
}

/** The figures of a job's last backups, at most {@link HISTORY}, with the name of each table held once. */
export class History {
  readonly #backups: Omit<Figures, "rows">[] = [];
  readonly #rows = new Map<string, number[]>();

  add({ rows, ...figures }: Figures): void {
    const at = this.#backups.push(figures) - 1;
    for (const [table, count] of rows) {
      const counts = this.#rows.get(table) ?? Array<number>(HISTORY).fill(0);
      counts[at] = count;
      this.#rows.set(table, counts);
    }
  }

  get length(): number {
    return this.#backups.length;
  }

  /** The median of the backups. */
  usual(what: Exclude<Anomaly["what"], "rows">): number {
    return median(this.#backups.map((each) => each[what]));
  }

  /** Each table, and the median of its rows: none in a backup that does not have it, or whose server had not counted it. */
  *usualRows(): Generator<[table: string, usual: number]> {
    for (const [table, counts] of this.#rows) yield [table, median(counts.slice(0, this.length))];
  }
}

/** One figure that is far from what is usual for the job. */
export interface Anomaly {
  readonly what: "storedBytes" | "plainBytes" | "seconds" | "rows";
  /** The table whose rows they are, with its schema. */
  readonly table?: string | undefined;
  /** The median of the last backups. */
  readonly usual: number;
  /** Null where the table is not there. */
  readonly now: number | null;
}

/** The figures of a backup. */
export function figuresOf({ objects, startedAt, finishedAt, database }: Manifest): Figures {
  return {
    storedBytes: objects.reduce((sum, { stored }) => sum + stored.size, 0),
    plainBytes: objects.reduce((sum, { plain }) => sum + plain.size, 0),
    seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000,
    rows: rowsOf(database.tables),
  };
}

/** The rows of tables, by their names with their schemas. */
export function rowsOf(tables: Manifest["database"]["tables"]): Map<string, number> {
  // -1: never counted.
  const some = tables.filter(({ estimatedRows }) => estimatedRows >= 0);
  return new Map(some.map(({ schema, name, estimatedRows }) => [`${schema}.${name}`, estimatedRows]));
}

/** Whether what estimates say, or do not say, of a table that there is should be counted. */
export function isDoubtful(
  found: readonly Anomaly[],
  { rows }: Figures,
  known: ReadonlySet<string>,
  before: History,
): boolean {
  const unknown = [...before.usualRows()].some(([table, usual]) => usual >= 1 && known.has(table) && !rows.has(table));
  return unknown || found.some(({ what, now }) => what === "rows" && now !== null);
}

/**
 * What of a backup is more than `factor` times, or less than a `factor`th, of the median of the job's last backups. A table that has
 * lost all its rows, or is gone, is one of them whatever its size.
 *
 * @param known the names of all its tables, also of those without figures
 * @param before the last backups; without any, nothing is unusual
 */
export function anomaliesOf(now: Figures, known: ReadonlySet<string>, before: History, factor: number): Anomaly[] {
  if (before.length === 0) return [];
  const found: Anomaly[] = [];
  const compare = (what: Exclude<Anomaly["what"], "rows">, small: number): void => {
    const usual = before.usual(what);
    const value = now[what];
    const far = Math.abs(value - usual) > small;
    const grew = before.length >= ENOUGH && value > usual * factor;
    const shrank = what !== "seconds" && value < usual / factor;
    if (far && (grew || shrank)) found.push({ what, usual, now: value });
  };
  compare("storedBytes", SMALL.bytes);
  compare("plainBytes", SMALL.bytes);
  compare("seconds", SMALL.seconds);
  for (const [table, usual] of before.usualRows()) {
    const value = now.rows.get(table);
    // The server has not counted it.
    if (value === undefined && known.has(table)) continue;
    if (usual < 1) continue;
    const collapsed = usual >= SMALL.rows && value !== undefined && value < usual / factor;
    if (collapsed || value === undefined || value < 1) found.push({ what: "rows", table, usual, now: value ?? null });
  }
  return found;
}

/** Whether something has shrunk: then it may be what is lost. Growth and duration are unusual, no more. */
export function isCollapse({ usual, now }: Pick<Anomaly, "usual" | "now">): boolean {
  return now === null || now < usual;
}

/** An anomaly as a sentence. */
export function describeAnomaly({ what, table = "", usual, now }: Anomaly): string {
  switch (what) {
    case "storedBytes":
    case "plainBytes": {
      const which = what === "storedBytes" ? "as it is stored" : "before compression";
      return `The backup has ${bytes(now ?? 0)} ${which}; usual are ${bytes(Math.round(usual))}.`;
    }
    case "seconds":
      return `The backup took ${Math.round(now ?? 0)} s; usual are ${Math.round(usual)} s.`;
    case "rows": {
      const usually = `usually it has about ${Math.round(usual)}`;
      if (now === null) return `The table ${table} is gone; ${usually} rows.`;
      return now < 1
        ? `The table ${table} has lost all its rows; ${usually}.`
        : `The table ${table} has about ${Math.round(now)} rows; ${usually}.`;
    }
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
