import { expect, it } from "vitest";
import { newBackupId, timeOfBackup, timestamp } from "../../../../runner/backups/catalogue/backup-id.ts";
import { Random } from "../../../helpers/random.ts";

it("names the second in which the backup was begun", () => {
  const id = newBackupId(new Date("2026-01-02T03:04:05.678Z"));
  expect(id).toMatch(/^20260102T030405Z-[0-9a-f]{6}$/);
  expect(timeOfBackup(id)).toEqual(new Date("2026-01-02T03:04:05Z"));
});

it("differs for two runs of one second", () => {
  const now = new Date();
  expect(new Set(Array.from({ length: 10 }, () => newBackupId(now))).size).toBe(10);
});

it("sorts runs of one second as they were begun", () => {
  const ids = Array.from({ length: 10 }, (_, n) => newBackupId(new Date(Date.UTC(2026, 0, 2, 3, 4, 5, n * 100))));
  expect([...ids].sort()).toEqual(ids);
});

it("sorts by time", () => {
  const random = new Random(1);
  const times = Array.from({ length: 200 }, () => Math.floor(random.next() * 4e9) * 1000);
  const sorted = [...times].sort((a, b) => a - b).map((time) => timestamp(new Date(time)));
  expect([...sorted].sort()).toEqual(sorted);
});

it.each([
  "",
  "20260102T030405Z",
  "20260102T030405Z-1a2b3",
  "20260102T030405Z-1a2b3c4",
  "20260102T030405Z-1A2B3C",
  "20261302T030405Z-1a2b3c",
  "20260102T990405Z-1a2b3c",
  "x20260102T030405Z-1a2b3c",
  "20260102T030405Z-1a2b3c\n",
  "doctor-1a2b3c4d",
])("takes %j for no backup's name", (name) => {
  expect(timeOfBackup(name)).toBeUndefined();
});
