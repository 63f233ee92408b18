import { describe, expect, it } from "vitest";
import type { Retention } from "../../../../providers/config.ts";
import type { BackupFolder, BackupState } from "../../../../runner/backups/catalogue/backup-folder.ts";
import { expired as expiredOf, keptBy } from "../../../../runner/backups/catalogue/retention.ts";
import { backupOf } from "../../../helpers/backup-folders.ts";
import { Random } from "../../../helpers/random.ts";

const expired = (backups: readonly BackupFolder[], rule: Retention) =>
  expiredOf(backups, keptBy(backups, rule, { timeZone: "UTC" }));

const STATES: readonly BackupState[] = ["verified", "verified", "verified", "unverified", "damaged", "unfinished"];
const DAY_MS = 86_400_000;

const backup = (time: Date, state: BackupState, mark: number) =>
  backupOf(time, { state, whole: state !== "unfinished" }, mark);

const at = (text: string, state: BackupState = "verified") => backup(new Date(text), state, 0);

/** Up to 60 backups in no order, some of them of the same day or second. */
function anyBackups(random: Random): BackupFolder[] {
  const span = random.pick([1, 10, 100, 800]) * DAY_MS;
  const start = Date.UTC(2024, random.below(12), 1 + random.below(28));
  return Array.from({ length: random.below(60) }, (_, index) =>
    backup(new Date(start + random.below(span)), random.pick(STATES), index),
  );
}

function anyRule(random: Random): Retention {
  const rule: { -readonly [Key in keyof Retention]: Retention[Key] } = {};
  for (const period of ["last", "daily", "weekly", "monthly"] as const) {
    if (random.below(2) === 0) rule[period] = random.below(6);
  }
  return Object.values(rule).some((count) => Number(count) > 0) ? rule : { last: 1 };
}

/** The Monday of a day's ISO week. */
function monday(time: Date): string {
  const date = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()));
  while (date.getUTCDay() !== 1) date.setUTCDate(date.getUTCDate() - 1);
  return date.toISOString();
}

/** The rule's words, one backup at a time: how many later ones, or later periods with one, does it allow? */
function wanted(candidate: BackupFolder, backups: readonly BackupFolder[], rule: Retention): boolean {
  const later = backups.filter(({ id, state }) => state === candidate.state && id > candidate.id);
  if (later.length < (rule.last ?? 0)) return true;
  const lastOfPeriod = (periodOf: (time: Date) => string, count = 0) => {
    const own = periodOf(candidate.time);
    const periods = new Set(later.map(({ time }) => periodOf(time)));
    return !periods.has(own) && periods.size < count;
  };
  return (
    lastOfPeriod((time) => time.toISOString().slice(0, 10), rule.daily) ||
    lastOfPeriod(monday, rule.weekly) ||
    lastOfPeriod((time) => time.toISOString().slice(0, 7), rule.monthly)
  );
}

const newestVerified = (backups: readonly BackupFolder[]) =>
  [...backups].filter(({ state }) => state === "verified").sort((a, b) => (a.id < b.id ? 1 : -1))[0];

describe.each(Array.from({ length: 10 }, (_, seed) => seed))("of any backups and rule (seed %i)", (seed) => {
  const random = new Random(seed);
  const cases = Array.from({ length: 60 }, () => ({ backups: anyBackups(random), rule: anyRule(random) }));

  it("the newest verified one stays", () => {
    for (const { backups, rule } of cases) {
      const newest = newestVerified(backups);
      if (newest) expect(expired(backups, rule)).not.toContain(newest);
    }
  });

  it("none is removed where no verified one is left", () => {
    for (const { backups, rule } of cases) {
      expect(
        expired(
          backups.filter(({ state }) => state !== "verified"),
          rule,
        ),
      ).toEqual([]);
    }
  });

  it("damaged and unfinished ones stay", () => {
    for (const { backups, rule } of cases) {
      for (const { state } of expired(backups, rule)) expect(["verified", "unverified"]).toContain(state);
    }
  });

  it("exactly those go that the rule does not want", () => {
    for (const { backups, rule } of cases) {
      const newest = newestVerified(backups);
      const unwanted = newest
        ? backups.filter(
            (candidate) =>
              candidate !== newest &&
              ["verified", "unverified"].includes(candidate.state) &&
              !wanted(candidate, backups, rule),
          )
        : [];
      const ids = (list: readonly BackupFolder[]) => list.map(({ id }) => id).sort();
      expect(ids(expired(backups, rule))).toEqual(ids(unwanted));
    }
  });

  it("a newer one never brings back what would have gone", () => {
    for (const { backups, rule } of cases) {
      if (backups.length === 0) continue;
      const end = Math.max(...backups.map(({ time }) => time.getTime()));
      const newer = backup(new Date(end + random.below(40) * DAY_MS + 1000), random.pick(STATES), 999);
      expect(expired([...backups, newer], rule)).toEqual(expect.arrayContaining(expired(backups, rule)));
    }
  });

  it("pruning after each backup keeps what pruning once at the end would", () => {
    for (const { backups, rule } of cases.slice(0, 20)) {
      let kept: BackupFolder[] = [];
      for (const next of [...backups].sort((a, b) => (a.id < b.id ? -1 : 1))) {
        kept.push(next);
        const going = new Set(expired(kept, rule));
        kept = kept.filter((each) => !going.has(each));
      }
      const going = new Set(expired(backups, rule));
      const ids = (list: readonly BackupFolder[]) => list.map(({ id }) => id).sort();
      expect(ids(kept)).toEqual(ids(backups.filter((each) => !going.has(each))));
    }
  });
});

it("the newest verified one stays even where the rule wants none", () => {
  const backups = [at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"), at("2026-01-03T00:00:00Z", "unverified")];
  expect(expired(backups, { last: 0 }).map(({ id }) => id)).toEqual([backups[2]?.id, backups[0]?.id]);
});

describe("periods", () => {
  it.each<[string, Retention, string[], string[]]>([
    [
      "a day ends at midnight UTC",
      { daily: 2 },
      ["2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z", "2026-01-02T23:59:59Z"],
      ["2026-01-02T00:00:00Z"],
    ],
    [
      "an ISO week begins on Monday, also around a new year",
      { weekly: 2 },
      ["2025-12-28T12:00:00Z", "2025-12-29T00:00:00Z", "2026-01-04T23:59:59Z"],
      ["2025-12-29T00:00:00Z"],
    ],
    [
      "months of two years are two",
      { monthly: 2 },
      ["2025-01-15T00:00:00Z", "2026-01-10T00:00:00Z", "2026-01-31T23:59:59Z"],
      ["2026-01-10T00:00:00Z"],
    ],
    [
      "days without a backup do not count",
      { daily: 2 },
      ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"],
      ["2026-01-01T00:00:00Z"],
    ],
  ])("%s", (_name, rule, times, gone) => {
    const backups = times.map((time) => at(time));
    expect(expired(backups, rule).map(({ time }) => time)).toEqual(gone.map((time) => new Date(time)));
  });
});

describe("a suspicious backup", () => {
  const suspicious = (backup: BackupFolder): BackupFolder => ({
    ...backup,
    unusual: { findings: ["The table public.orders has lost all its rows."], suspicious: true, accepted: undefined },
  });

  it("takes the place of no other, and is kept by the rule itself", () => {
    const whole = [at("2026-03-01T03:00:00Z"), at("2026-03-02T03:00:00Z"), at("2026-03-03T03:00:00Z")];
    const bad = [at("2026-03-04T03:00:00Z"), at("2026-03-05T03:00:00Z"), at("2026-03-06T03:00:00Z")].map(suspicious);
    const gone = expired([...whole, ...bad], { last: 2 });
    expect(gone.map(({ id }) => id.slice(0, 8))).toEqual(["20260304", "20260301"]);
  });

  it("changes nothing of what is kept without it, in 500 histories", () => {
    const random = new Random(20261127);
    for (let round = 0; round < 500; round += 1) {
      const backups = anyBackups(random).map((each) => (random.below(3) === 0 ? suspicious(each) : each));
      const rule = anyRule(random);
      const context = { timeZone: "UTC" };
      const trusted = backups.filter(({ unusual }) => unusual === undefined);
      const kept = new Set(keptBy(backups, rule, context).keys());
      const verified = (some: Iterable<BackupFolder>) => [...some].filter(({ state }) => state === "verified");
      for (const each of verified(keptBy(trusted, rule, context).keys())) expect(kept).toContain(each);
      const plain = backups.map((each) => ({ ...each, unusual: undefined }));
      const ids = new Set([...kept].map(({ id }) => id));
      for (const each of verified(keptBy(plain, rule, context).keys())) expect(ids).toContain(each.id);
    }
  });
});
