import type { BackupFolder } from "./backup-folder.ts";
import type { Manifest } from "../documents/manifest.ts";

/**
 * Where a backup stands among those of its job. A manifest of version 0.1.0 does not say, but has times of three clocks: the
 * machine's, the server's and the store's. The middle one is right, whichever of them is wrong.
 *
 * @param time the moment in its id, by the machine's clock
 * @param modified when its manifest got into the store, by the store's clock
 */
export function orderOf(time: Date, modified: Date, { order, database }: Pick<Manifest, "order" | "database">): number {
  if (order !== undefined) return order;
  const times = [time, modified, new Date(database.snapshotTime)].map(Number).sort((a, b) => a - b);
  return times[1] ?? time.getTime();
}

/** Sorts backups as they were made, the oldest first. */
export function byOrder(one: Pick<BackupFolder, "id" | "order">, other: Pick<BackupFolder, "id" | "order">): number {
  return one.order - other.order || (one.id < other.id ? -1 : 1);
}

/** The order of a backup that is begun at a moment, by this machine's clock: after all those that are there. */
export function nextOrder(backups: readonly Pick<BackupFolder, "order">[], begun: Date): number {
  const last = backups.reduce((highest, { order }) => Math.max(highest, order), 0);
  return Math.min(Math.max(begun.getTime(), last + 1), Number.MAX_SAFE_INTEGER);
}
