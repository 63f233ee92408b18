import { describe, expect, it } from "vitest";
import { JobSettings } from "../../../providers/config.ts";
import type { BackupFolder } from "../../../runner/backups/catalogue/backup-folder.ts";
import { describePoint, recoveryPoint, recoveryTime, tooSlow } from "../../../runner/backups/objectives.ts";
import { backupOf } from "../../helpers/backup-folders.ts";

const backup = (time: string, changes: Partial<BackupFolder> = {}) => backupOf(new Date(time), changes);
const now = new Date("2026-11-27T12:00:00Z");
const lost = { findings: ["…"], suspicious: true, accepted: undefined };

describe("the recovery point", () => {
  it.each<[string, BackupFolder[], string, string]>([
    [
      "is that of the newest verified backup",
      [backup("2026-11-25T03:00:00Z"), backup("2026-11-27T03:00:00Z")],
      "24h",
      "Recoverable to 2026-11-27T03:00:00.000Z, 9 h ago; the objective is 24 h.",
    ],
    [
      "is missed where that is too old",
      [backup("2026-11-25T03:00:00Z")],
      "2d",
      "Recoverable to 2026-11-25T03:00:00.000Z, 2.4 days ago; the objective is 2 days: MISSED.",
    ],
    [
      "counts no backup that is suspicious, damaged or was never read",
      [
        backup("2026-11-27T11:00:00Z"),
        backup("2026-11-27T11:10:00Z", { unusual: lost }),
        backup("2026-11-27T11:20:00Z", { state: "damaged" }),
        backup("2026-11-27T11:30:00Z", { state: "unverified" }),
      ],
      "90m",
      "Recoverable to 2026-11-27T11:00:00.000Z, 60 min ago; the objective is 90 min.",
    ],
    [
      "is missed without any",
      [],
      "1w",
      "No backup is verified and not suspicious: nothing is proven, and the objective is 7 days.",
    ],
  ])("%s", (_, backups, objective, sentence) => {
    const point = recoveryPoint({ recoveryPoint: objective }, backups, now);
    expect(point && describePoint(point)).toBe(sentence);
    expect(point?.met).toBe(!/MISSED|nothing is proven/.test(sentence));
  });

  it("is none of a job that promises nothing", () => {
    expect(recoveryPoint(undefined, [backup("2026-11-27T03:00:00Z")])).toBeUndefined();
    expect(recoveryPoint({ recoveryTime: "30m" }, [])).toBeUndefined();
  });
});

it("the recovery time is what the restore took, and says what is too slow", () => {
  expect(recoveryTime({ recoveryTime: "30m" }, 94)).toEqual({ seconds: 94, objectiveSeconds: 1800, met: true });
  const slow = recoveryTime({ recoveryTime: "1m" }, 94);
  expect(slow && tooSlow("x", slow).message).toBe("Restoring x took 94 s, and the objective recoveryTime is 60 s.");
  expect(recoveryTime({ recoveryPoint: "1d" }, 94)).toBeUndefined();
});

it.each(["0m", "30", "1y", "1.5h", "-1d", "30 m"])("a job cannot promise %s", (recoveryTime) => {
  const job = {
    name: "app",
    database: { kind: "postgres", url: { env: "URL" } },
    destinations: [{ kind: "filesystem", path: "/b" }],
    objectives: { recoveryTime },
  };
  expect(JobSettings.safeParse(job).error?.issues[0]?.path).toEqual(["objectives", "recoveryTime"]);
});
