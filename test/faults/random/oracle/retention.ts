import { describe, isGood, newestVerdict, type Broken, type StoreState } from "./promises.ts";

/** In which order backups were first seen, by `store/backup`: what a clock says of them does not count. */
export class Order {
  readonly #seen = new Map<string, number>();

  /** Takes down what is new. */
  look(states: readonly StoreState[]): void {
    for (const [index, { backups }] of states.entries()) {
      for (const { id, hasManifest } of backups) {
        const key = `${index}/${id}`;
        if (hasManifest && !this.#seen.has(key)) this.#seen.set(key, this.#seen.size);
      }
    }
  }

  of(key: string): number {
    return this.#seen.get(key) ?? Infinity;
  }
}

/**
 * What must still be there after a command: without a rule every good backup, else as many as the rule keeps, and the newest
 * of them. Where a clock was wrong, only their number and the newest are asked for: names alone do not tell the order.
 */
export function checkKept(
  before: readonly StoreState[],
  after: readonly StoreState[],
  order: Order,
  { keep, harmed, clockWasWrong }: { keep: number | undefined; harmed: ReadonlySet<string>; clockWasWrong: boolean },
): Broken[] {
  return before.flatMap(({ backups }, index): Broken[] => {
    const key = (id: string) => `${index}/${id}`;
    const good = (state: StoreState | undefined) =>
      (state?.backups ?? [])
        .filter((backup) => isGood(backup) && !harmed.has(key(backup.id)))
        .sort((a, b) => order.of(key(b.id)) - order.of(key(a.id)));
    const then = backups.filter((backup) => isGood(backup) && !harmed.has(key(backup.id)));
    const now = good(after[index]);
    // A backup that was harmed behind the runner's back takes a place of the rule, as long as its records call it verified.
    const mistaken = (after[index]?.backups ?? []).filter(
      (backup) => harmed.has(key(backup.id)) && newestVerdict(backup) === "verified",
    );
    const here = new Set([...now, ...mistaken].map(({ id }) => id));
    const all = new Map([...then, ...now, ...mistaken].map((backup) => [backup.id, backup]));
    const newestFirst = [...all.values()].sort((a, b) => order.of(key(b.id)) - order.of(key(a.id)));
    const due = keep === undefined ? newestFirst : newestFirst.slice(0, clockWasWrong ? 1 : keep);
    const lost = due.filter(({ id }) => !here.has(id));
    const fewest = Math.min(keep ?? all.size, all.size);
    if (lost.length === 0 && here.size >= fewest) return [];
    const detail =
      `destination ${index}, which keeps ${keep ?? "all"}: of ${newestFirst.map(({ id }) => id).join(", ")} ` +
      `(the newest first) there are ${[...here].join(", ") || "none"}; ${lost.map(describe).join("; ")}`;
    return [{ promise: "good backups stay as the retention rule says", detail }];
  });
}
