import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Retention } from "../../../../providers/config.ts";
import type { BackupFolder, BackupState } from "../../../../runner/backups/catalogue/backup-folder.ts";
import {
  describeKept,
  expired as expiredOf,
  keptBy,
  type Reason,
} from "../../../../runner/backups/catalogue/retention.ts";
import { backupOf } from "../../../helpers/backup-folders.ts";
import { Random } from "../../../helpers/random.ts";

// Retention against a plain, slow model. The model knows the time zones from zdump, and asks of one backup at a time.

const PERIODS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const backup = (time: Date, state: BackupState = "verified", mark = 0, order = time.getTime()) =>
  backupOf(time, { time, state, order }, mark);

const expired = (backups: readonly BackupFolder[], rule: Retention, context: { readonly timeZone: string }) =>
  expiredOf(backups, keptBy(backups, rule, context));

/** When a zone's clocks change, and by how many seconds they are ahead of UTC from then on, the oldest change first. */
function changesOf(zone: string): [from: number, offset: number][] {
  const lines = execFileSync("zdump", ["-v", "-c", "2040", zone], { encoding: "utf8" }).split("\n");
  const changes = lines.flatMap((line): [number, number][] => {
    const [, utc, offset] = /^\S+ +(.+?) UTC? = .* gmtoff=(-?\d+)$/.exec(line.replace(" UT ", " UTC ")) ?? [];
    return utc === undefined ? [] : [[Date.parse(`${utc} UTC`), Number(offset)]];
  });
  const first = changes.findLastIndex(([from]) => from < Date.UTC(2015));
  return changes.slice(Math.max(first, 0));
}

/** A moment's period by a zone's clocks, as a text: the local hour, day, Monday, month or year. */
function periodIn(changes: readonly (readonly [number, number])[], period: string, time: Date): string {
  const [, offset = 0] = changes.findLast(([from]) => from <= time.getTime()) ?? [];
  const local = new Date(time.getTime() + offset * 1000);
  const text = local.toISOString();
  if (period === "hourly") return text.slice(0, 13);
  if (period === "daily") return text.slice(0, 10);
  if (period === "monthly") return text.slice(0, 7);
  if (period === "yearly") return text.slice(0, 4);
  const date = new Date(text.slice(0, 10));
  while (date.getUTCDay() !== 1) date.setUTCDate(date.getUTCDate() - 1);
  return date.toISOString();
}

const WITHIN: Readonly<Record<string, number>> = { "6h": 6 * HOUR_MS, "10d": 10 * DAY_MS, "4w": 28 * DAY_MS };

function anyRule(random: Random): Retention {
  const rule: { -readonly [Key in keyof Retention]: Retention[Key] } = {};
  for (const name of ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const) {
    if (random.below(3) === 0) rule[name] = random.below(6);
  }
  if (random.below(4) === 0) rule.within = random.pick(Object.keys(WITHIN));
  if (random.below(4) === 0) rule.atLeast = 1 + random.below(6);
  return rule;
}

/** Up to 60 backups near a change of the clocks or anywhere, in an order that their times do not always tell. */
function anyHistory(random: Random, changes: readonly (readonly [number, number])[]): BackupFolder[] {
  const near = changes.map(([from]) => from).filter((from) => from > Date.UTC(2020) && from < Date.UTC(2035));
  const length = random.pick([2 * HOUR_MS, DAY_MS, 10 * DAY_MS, 100 * DAY_MS, 1500 * DAY_MS]);
  const middle = near.length > 0 && random.below(2) === 0 ? random.pick(near) : Date.UTC(2025, random.below(36));
  const wrong = random.below(4) === 0;
  return Array.from({ length: random.below(60) }, (_, index) => {
    const time = new Date(Math.floor((middle + random.below(length) - length / 2) / 1000) * 1000);
    // By a clock that was wrong: the order is right, and the time in the id is not.
    const order = time.getTime() + (wrong && random.below(4) === 0 ? random.below(length) - length / 2 : 0);
    return backup(time, random.pick(["verified", "verified", "unverified", "damaged"]), index, Math.floor(order));
  });
}

/** Whether the rule's words want a backup, apart from `atLeast`. */
function wanted(
  candidate: BackupFolder,
  peers: readonly BackupFolder[],
  rule: Retention,
  periodOf: (period: string, of: BackupFolder) => string,
): boolean {
  const later = peers.filter(
    ({ order, id }) => order > candidate.order || (order === candidate.order && id > candidate.id),
  );
  if (candidate.state === "verified" && later.length === 0) return true;
  if (later.length < (rule.last ?? 0)) return true;
  const youngest = Math.max(...peers.map(({ time }) => time.getTime()));
  if (rule.within !== undefined && youngest - candidate.time.getTime() <= (WITHIN[rule.within] ?? 0)) return true;
  return PERIODS.some((period) => {
    if ((rule[period] ?? 0) === 0) return false;
    const periods = new Set(later.map((each) => periodOf(period, each)));
    return !periods.has(periodOf(period, candidate)) && periods.size < (rule[period] ?? 0);
  });
}

/** What goes by the model. */
function modelled(
  history: readonly BackupFolder[],
  rule: Retention,
  changes: readonly (readonly [number, number])[],
): string[] {
  const known = new Map(
    history.map((each) => [
      each,
      Object.fromEntries(PERIODS.map((period) => [period, periodIn(changes, period, each.time)])),
    ]),
  );
  const periodOf = (period: string, each: BackupFolder) => known.get(each)?.[period] ?? "";
  const verified = history.filter(({ state }) => state === "verified");
  if (verified.length === 0) return [];
  const gone = history.filter(
    (each) =>
      each.state !== "damaged" &&
      !wanted(
        each,
        history.filter(({ state }) => state === each.state),
        rule,
        periodOf,
      ),
  );
  const goneVerified = gone.filter(({ state }) => state === "verified").sort((a, b) => b.order - a.order);
  const short = Math.max(0, (rule.atLeast ?? 0) - (verified.length - goneVerified.length));
  const saved = new Set(goneVerified.slice(0, short));
  return gone
    .filter((each) => !saved.has(each))
    .map(({ id }) => id)
    .sort();
}

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Chatham"];

describe.each(ZONES)("in %s", (timeZone) => {
  const seed = 20_261_127 + ZONES.indexOf(timeZone);
  const changes = changesOf(timeZone);

  it(`of 1,700 random histories exactly those go that the model lets go (seed ${seed})`, () => {
    const random = new Random(seed);
    let gone = 0;
    for (let index = 0; index < 1700; index += 1) {
      const history = anyHistory(random, changes);
      const rule = anyRule(random);
      const ids = expired(history, rule, { timeZone }).map(({ id }) => id);
      expect(ids.sort(), JSON.stringify({ index, rule })).toEqual(modelled(history, rule, changes));
      gone += ids.length;
    }
    // Otherwise nothing was compared.
    expect(gone).toBeGreaterThan(10_000);
  });

  it("nothing goes before the day that a backup is kept until, however often backups are made", () => {
    const random = new Random(seed);
    const early: object[] = [];
    let compared = 0;
    for (let index = 0; index < 40; index += 1) {
      const history = anyHistory(random, changes).map((each) => ({ ...each, order: each.time.getTime() }));
      const rule = { ...anyRule(random), within: undefined, daily: 2 + random.below(4), weekly: random.below(3) };
      const kept = keptBy(history, rule, { timeZone });
      const newest = Math.max(Date.UTC(2025, 0), ...history.map(({ order }) => order));
      const later = Array.from({ length: 30 * 4 }, (_, step) =>
        backup(new Date(newest + (step + 1) * 6 * HOUR_MS), "verified", step),
      );
      for (let count = 0; count <= later.length; count += 4) {
        const now = [...history, ...later.slice(0, count)];
        const latest = Math.max(newest, ...now.map(({ order }) => order));
        const today = periodIn(changes, "daily", new Date(latest));
        for (const each of expired(now, rule, { timeZone })) {
          const until = kept.get(each)?.until;
          if (until !== undefined) compared += 1;
          if (until !== undefined && today < until) early.push({ index, id: each.id, until, today });
        }
      }
    }
    expect(early).toEqual([]);
    expect(compared).toBeGreaterThan(100);
  });
});

describe("restic's documented examples", () => {
  /** What restic calls a reason: without the places that we add. */
  const reasons = (history: readonly BackupFolder[], rule: Retention, own: Reason["rule"][] = ["newest"]) => {
    const kept = keptBy(history, rule, { timeZone: "UTC" });
    return Object.fromEntries(
      [...kept]
        .map(([{ time }, { reasons }]): [string, Reason["rule"][]] => [
          time.toISOString().slice(0, 16),
          reasons.map((reason) => reason.rule).filter((name) => !own.includes(name)),
        ])
        .sort(),
    );
  };
  const twoWeeks = [
    ...["21T11", "22T11", "23T11", "24T11", "25T11", "25T23", "28T11", "29T11"].map((time) => `2025-04-${time}:00:00Z`),
    ...["01T11", "02T11", "02T23"].map((time) => `2025-05-${time}:00:00Z`),
  ].map((time) => backup(new Date(time)));

  it("keep-daily 5 of two weeks of weekdays, of which a Wednesday is missing", () => {
    expect(reasons(twoWeeks, { daily: 5 })).toEqual({
      "2025-04-25T23:00": ["daily"],
      "2025-04-28T11:00": ["daily"],
      "2025-04-29T11:00": ["daily"],
      "2025-05-01T11:00": ["daily"],
      "2025-05-02T23:00": ["daily"],
    });
  });

  it("keep-within 7d of the same", () => {
    expect(reasons(twoWeeks, { within: "7d" })).toEqual({
      // Seven days before 2 May 23:00, to the second.
      "2025-04-25T23:00": ["within"],
      "2025-04-28T11:00": ["within"],
      "2025-04-29T11:00": ["within"],
      "2025-05-01T11:00": ["within"],
      "2025-05-02T11:00": ["within"],
      "2025-05-02T23:00": ["within"],
    });
  });

  it("a backup every day for 100 years, with keep-daily 7, weekly 5, monthly 12 and yearly 75", () => {
    // It ends on a Sunday, the last day of a year.
    const end = Date.UTC(2028, 11, 31, 3);
    const history = Array.from({ length: 36_525 }, (_, day) => backup(new Date(end - day * DAY_MS)));
    const kept = Object.values(reasons(history, { daily: 7, weekly: 5, monthly: 12, yearly: 75 }));
    const count = (name: Reason["rule"]) => kept.filter((names) => names.includes(name)).length;
    expect([count("daily"), count("weekly"), count("monthly"), count("yearly")]).toEqual([7, 5, 12, 75]);
    // As its text says: 7 dailies, 4 more ends of weeks, 11 more of months, and 74 more of years.
    expect(kept).toHaveLength(7 + 4 + 11 + 74);
  });
});

describe("in words", () => {
  const days = (count: number) =>
    Array.from({ length: count }, (_, day) => backup(new Date(Date.UTC(2026, 10, 10 + day, 3))));

  it("says the place in what is kept, and the day on which that ends", () => {
    const kept = keptBy(days(10), { last: 2, daily: 5, monthly: 3 }, { timeZone: "UTC" });
    expect([...kept].map(([{ id }, why]) => `${id.slice(0, 8)} ${describeKept(why)}`)).toEqual([
      "20261119 newest verified, last 1/2, daily 1/5, monthly 1/3",
      "20261118 last 2/2, daily 2/5; until 2026-11-23",
      "20261117 daily 3/5; until 2026-11-22",
      "20261116 daily 4/5; until 2026-11-21",
      "20261115 daily 5/5; until 2026-11-20",
    ]);
  });

  it("counts days by the time zone", () => {
    const history = ["2026-11-09T23:30:00Z", "2026-11-10T22:30:00Z"].map((time) => backup(new Date(time)));
    expect(expired(history, { daily: 2 }, { timeZone: "UTC" })).toEqual([]);
    // Half past midnight and half past eleven at night of 10 November.
    expect(expired(history, { daily: 2 }, { timeZone: "Europe/Berlin" })).toEqual([history[0]]);
  });

  it("fills up to atLeast with the newest", () => {
    const kept = keptBy(days(5), { monthly: 1, atLeast: 3 }, { timeZone: "UTC" });
    expect([...kept.values()].map((kept) => describeKept(kept))).toEqual([
      "newest verified, monthly 1/1",
      "at least 2/3",
      "at least 3/3",
    ]);
  });
});
