import { describe, expect, it } from "vitest";
import type { BackupFolder } from "../../../runner/backups/catalogue/backup-folder.ts";
import { sampleOf } from "../../../runner/backups/sample.ts";
import { backupOf } from "../../helpers/backup-folders.ts";
import { Random } from "../../helpers/random.ts";

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 1);

/** The backup as it is after it was read on a day. */
function readOn(backup: BackupFolder, day: number): BackupFolder {
  const time = new Date(START + day * DAY_MS);
  const name = `verified-${day}.json`;
  const record = { key: name, name, outcome: "verified", time, modified: time } as const;
  return {
    ...backup,
    records: [...backup.records, { ...record, after: undefined, hold: undefined, anomaly: undefined }],
  };
}

const made = (day: number, changes: Partial<BackupFolder> = {}) => backupOf(new Date(START + day * DAY_MS), changes);

describe("a sample", () => {
  it("takes what was not read for the longest time, and what was never read first", () => {
    const [read, never, longAgo] = [readOn(made(0), 9), made(1, { state: "unverified" }), readOn(made(2), 5)];
    const backups = [read, never, longAgo];
    expect(sampleOf(backups, 0.01)).toEqual([never]);
    expect(sampleOf(backups, 0.5)).toEqual([never, longAgo]);
    expect(sampleOf(backups, 1)).toEqual([never, longAgo, read]);
    expect(sampleOf([], 0.5)).toEqual([]);
  });

  it("counts bytes, and takes no part for what cannot be read", () => {
    const large = readOn(made(0, { size: 900 }), 1);
    const small = [1, 2, 3].map((day) => readOn(made(day, { size: 100 }), day + 1));
    const forged = made(9, { size: 5000, state: "unproven" });
    expect(sampleOf([...small, large, forged], 0.05)).toEqual([forged, large]);
    expect(sampleOf([...small, large, forged], 0.8)).toEqual([forged, large, small[0]]);
  });

  it.each([1, 2, 3])("of 5 %% a day has read everything within a month, seed %i", (seed) => {
    const random = new Random(seed);
    let backups = Array.from({ length: 40 }, (_, day) =>
      readOn(made(day - 40, { size: 1 + random.below(1000) }), day - 40),
    );
    const unread = new Set(backups.map(({ id }) => id));
    for (let day = 0; day < 31; day += 1) {
      const chosen = new Set(sampleOf(backups, 0.05).map(({ id }) => id));
      backups = backups.map((backup) => (chosen.has(backup.id) ? readOn(backup, day) : backup));
      for (const id of chosen) unread.delete(id);
      backups.push(readOn(made(day, { size: 1 + random.below(1000) }), day));
      // The oldest one is pruned at times.
      if (random.below(2) === 0) unread.delete(backups.shift()?.id ?? "");
    }
    expect([...unread]).toEqual([]);
  });
});
