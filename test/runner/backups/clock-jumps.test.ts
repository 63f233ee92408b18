import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Retention } from "../../../providers/config.ts";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { newBackupId, timestamp } from "../../../runner/backups/catalogue/backup-id.ts";
import { listBackups, recordsBeside } from "../../../runner/backups/catalogue/catalogue.ts";
import { nextOrder } from "../../../runner/backups/catalogue/order.ts";
import { prune } from "../../../runner/operations/prune.ts";
import { Random } from "../../helpers/random.ts";
import { documentFor } from "../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { fill, filesIn, openStore } from "../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const signal = new AbortController().signal;
const HOUR_MS = 3_600_000;
const TOLERATED_MS = 600_000;
const BEGIN = Date.UTC(2026, 0, 5);

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  folder.remove();
});

/** What really is: in the order in which it happened, which no clock tells. */
interface Real {
  readonly id: string;
  /** The outcome of the last verification; undefined before the first. */
  last: "verified" | "damaged" | undefined;
  /** The times that its id and its records bear, by the clocks of those who wrote them. */
  readonly times: number[];
}

/** One history of a job: runs, later verifications and prunes, each by a clock that may be ahead or behind. */
class History {
  readonly #random: Random;
  readonly #rule: Retention;
  readonly #real: Real[] = [];
  /** The time that really is. */
  #now = BEGIN;

  constructor(random: Random, rule: Retention) {
    this.#random = random;
    this.#rule = rule;
  }

  async step(): Promise<void> {
    this.#now += this.#random.pick([2, 5, 24, 24, 30]) * HOUR_MS;
    const jump = this.#random.below(3) === 0 ? this.#random.pick([-400, -24, -3, 1, 3, 48, 200]) * HOUR_MS : 0;
    const clock = this.#now + jump;
    vi.setSystemTime(clock);
    await this.#random.pick([
      () => this.#run(clock),
      () => this.#run(clock),
      () => this.#verify(clock),
      () => this.#prune(clock),
    ])();
    await this.#compare();
  }

  async #run(clock: number): Promise<void> {
    const begun = new Date(clock);
    const id = newBackupId(begun);
    const order = nextOrder(await listBackups(storage, job, signal), begun);
    const manifest = { order, startedAt: begun.toISOString() };
    await fill(storage, [`prod/app/${id}/manifest.json`], documentFor(id, "manifest.json", manifest));
    const made: Real = { id, last: undefined, times: [clock] };
    this.#real.push(made);
    if (this.#random.below(5) === 0) return;
    await this.#record(made, this.#random.below(6) === 0 ? "damaged" : "verified", clock);
    if (made.last === "verified") await this.#prune(clock, id);
  }

  async #verify(clock: number): Promise<void> {
    if (this.#real.length === 0) return;
    await this.#record(this.#random.pick(this.#real), this.#random.pick(["verified", "damaged"]), clock);
  }

  async #record(backup: Real, outcome: "verified" | "damaged", clock: number): Promise<void> {
    const after = await recordsBeside(storage, job, backup.id, signal);
    // As a verification does where one of its name is there already.
    let time = clock;
    while (after.includes(`${outcome}-${timestamp(new Date(time))}.json`)) time += 1000;
    const name = `${outcome}-${timestamp(new Date(time))}.json`;
    await fill(storage, [`prod/app/${backup.id}/${name}`], documentFor(backup.id, name, { after }));
    backup.last = outcome;
    backup.times.push(time);
  }

  async #prune(clock: number, made?: string): Promise<void> {
    const before = this.#ids();
    const newest = this.#real.findLast(({ last }) => last === "verified")?.id;
    const future = this.#real.some(({ times }) => times.some((time) => wholeSecond(time) > clock + TOLERATED_MS));
    const options = { unfinishedBefore: new Date(0), copiesBefore: new Date(0), dryRun: false, anyShare: true, signal };
    const removed = await prune({
      storage,
      job,
      rule: this.#rule,
      ...options,
      ...(made === undefined ? {} : { made }),
    }).then(
      (report) => report.removed,
      (error: unknown) => {
        if (!(error instanceof ProviderError && error.code === "CONFLICT")) throw error;
        return "refused";
      },
    );
    const there = this.#ids();
    if (future) {
      expect(removed).toBe("refused");
      expect(there).toEqual(before);
      return;
    }
    const wanted = this.#wanted(newest);
    expect(there).toEqual(before.filter((id) => wanted.has(id)).sort());
    if (newest !== undefined) expect(there).toContain(newest);
    if (made !== undefined) expect(there).toContain(made);
    for (const { id, last } of this.#real) if (last === "damaged") expect(there).toContain(id);
    for (let at = this.#real.length - 1; at >= 0; at -= 1) {
      if (!there.includes(this.#real[at]?.id ?? "")) this.#real.splice(at, 1);
    }
  }

  /** The rule's words, one backup at a time, on what really happened. */
  #wanted(newest: string | undefined): Set<string> {
    const wanted = new Set<string>();
    for (const [at, { id, last }] of this.#real.entries()) {
      const later = this.#real.slice(at + 1).filter((other) => other.last === last);
      const day = id.slice(0, 8);
      const days = new Set(later.map((other) => other.id.slice(0, 8)));
      const ruled = later.length < (this.#rule.last ?? 0) || (!days.has(day) && days.size < (this.#rule.daily ?? 0));
      if (newest === undefined || id === newest || last === "damaged" || ruled) wanted.add(id);
    }
    return wanted;
  }

  /** What is listed is what really is, in its order. */
  async #compare(): Promise<void> {
    const list = await listBackups(storage, job, signal);
    expect(list.map(({ id, state }) => [id, state])).toEqual(
      this.#real.map(({ id, last }) => [id, last ?? "unverified"]),
    );
  }

  #ids(): string[] {
    const ids = filesIn(folder.path).filter((file) => file.endsWith("/manifest.json"));
    return ids.map((file) => file.split("/")[2] ?? "").sort();
  }
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}

describe("whatever the clocks do", () => {
  it.each(Array.from({ length: 6 }, (_, seed) => seed))(
    "the order, the states and what is pruned are those of what really happened (seed %i)",
    async (seed) => {
      const random = new Random(seed);
      const rule = random.pick<Retention>([{ last: 1 }, { last: 2 }, { last: 1, daily: 2 }, { daily: 3 }]);
      const history = new History(random, rule);
      for (let step = 0; step < 40; step += 1) await history.step();
    },
    300_000,
  );
});
