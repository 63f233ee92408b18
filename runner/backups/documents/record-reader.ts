import { ProviderError } from "../../../providers/errors.ts";
import { HOLD, type Trial } from "../../../providers/layout.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import { parseRecord, standing, timeIn, type Outcome, type OutcomeRecord } from "./records.ts";

/** The name of a file in its folder. */
export function nameOf({ key }: StoredObject): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** The error, where it tells of what is stored and not of the way there. Any other is thrown. */
export function unusable(error: unknown): ProviderError {
  if (error instanceof ProviderError && ["INTEGRITY", "CONFIG", "NOT_FOUND"].includes(error.code)) return error;
  throw error;
}

/** Reads the records beside a backup. */
export class RecordReader {
  /** Those that were read and are what their names say. */
  readonly records: OutcomeRecord[] = [];
  readonly #id: string;
  readonly #files: readonly StoredObject[];
  readonly #read: (key: string) => Promise<Buffer>;
  readonly #warnings: string[];

  /**
   * @param id the backup's
   * @param files those of its folder
   * @param read reads a file
   * @param warnings gets a sentence for each record that counts for nothing
   */
  constructor(id: string, files: readonly StoredObject[], read: (key: string) => Promise<Buffer>, warnings: string[]) {
    this.#id = id;
    this.#files = files;
    this.#read = read;
    this.#warnings = warnings;
  }

  /**
   * The record that tells how the trial ended.
   *
   * @param every whether all records of the trial are read; default: as few as tell it
   */
  async standing<G extends Outcome, B extends Outcome>(
    trial: Trial<G, B>,
    every = false,
  ): Promise<OutcomeRecord<G | B> | undefined> {
    const found: OutcomeRecord<G | B>[] = [];
    for (const file of this.#named(trial.bad)) found.push(...(await this.#record(file, trial.bad)));
    const refutes = found.length > 0;
    for (const file of this.#named(trial.good)) {
      found.push(...(await this.#record(file, trial.good)));
      // Most have one record. Where there is nothing to refute, the newest good one is enough.
      if (!refutes && !every && found.length > 0) break;
    }
    return standing(found, trial);
  }

  /** The files with that outcome in their names, the newest first. */
  #named(outcome: Outcome): StoredObject[] {
    const named = this.#files.filter((file) => timeIn(nameOf(file), outcome) !== undefined);
    return named.sort((a, b) => (a.key < b.key ? 1 : -1));
  }

  /** The record; undefined where it counts for nothing, which is reported. */
  async #record<O extends Outcome>(file: StoredObject, outcome: O): Promise<OutcomeRecord<O>[]> {
    const { key, modified } = file;
    try {
      const record = parseRecord(this.#id, { key, name: nameOf(file), outcome, modified }, await this.#read(key));
      this.records.push(record);
      return [record];
    } catch (error) {
      const counts =
        outcome === HOLD.bad
          ? "It proves no hold, and holds the backup until `provision release` ends it."
          : "It counts for nothing.";
      this.#warnings.push(`${unusable(error).message} ${counts}`);
      return [];
    }
  }
}
