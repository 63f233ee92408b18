import type { StoredFile } from "../../../providers/database/database.ts";
import type { ListedFile } from "../../../providers/files/files.ts";

/** How the files that were listed differ from those that the database has rows of. */
export interface Differences {
  /**
   * Files, as `bucket/path`, of which the snapshot has a row and the service nothing: removed since, or lost. A service that
   * lists from the same rows, as Supabase's does, says so only when the file is read.
   */
  readonly missing: readonly string[];
  /**
   * Files that are listed and older than the snapshot, which has no row of them. Where the service lists from the rows of this
   * same database there are none, but for one whose row was being written: contents without any row can be seen by nobody.
   */
  readonly orphaned: readonly string[];
}

/** Compares the files that are listed with the rows that the database's snapshot has of them. */
export class Reconciliation {
  readonly #rows = new Set<string>();
  readonly #strangers = new Set<string>();
  readonly #orphaned: string[] = [];
  readonly #snapshotTime: Date;

  private constructor(snapshotTime: Date) {
    this.#snapshotTime = snapshotTime;
  }

  /** Reads the rows. They take some 100 bytes of memory each. */
  static async of(rows: AsyncIterable<StoredFile>, snapshotTime: Date): Promise<Reconciliation> {
    const reconciliation = new Reconciliation(snapshotTime);
    for await (const row of rows) reconciliation.#rows.add(placeOf(row));
    return reconciliation;
  }

  /** A file was listed. */
  seen(file: ListedFile): void {
    const place = placeOf(file);
    if (this.#rows.delete(place)) return;
    this.#strangers.add(place);
    // A newer one came after the snapshot.
    if (new Date(file.modified) <= this.#snapshotTime) this.#orphaned.push(place);
  }

  /** A file that was listed could not be found when it was read. */
  gone(file: StoredFile): void {
    const place = placeOf(file);
    if (!this.#strangers.has(place)) this.#rows.add(place);
  }

  /** @param unlisted buckets of which nothing can be said */
  differences(unlisted: readonly string[]): Differences {
    const missing = [...this.#rows].filter((place) => !unlisted.some((bucket) => place.startsWith(`${bucket}/`)));
    return { missing, orphaned: this.#orphaned };
  }
}

function placeOf({ bucket, path }: StoredFile): string {
  return `${bucket}/${path}`;
}
