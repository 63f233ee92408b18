import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { listBackups, readManifest } from "../../../../runner/backups/catalogue/catalogue.ts";
import { seal } from "../../../../runner/backups/documents/sealed-json.ts";
import { sampleManifest } from "../../../helpers/sample-manifest.ts";
import { fillBackup } from "../../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { filesIn, fill, openStore } from "../../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const never = new AbortController().signal;
const ID = "20260102T030405Z-1a2b3c";

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

describe("a backup's state", () => {
  const data = "database.dump.zst";
  const verified = (second: number) => `verified-2026010${second}T000000Z.json`;
  const damaged = (second: number) => `damaged-2026010${second}T000000Z.json`;
  it.each([
    ["unfinished", [data]],
    ["unfinished", [data, verified(1)]],
    ["unfinished", [data, "manifest.json.bak"]],
    ["unverified", [data, "manifest.json"]],
    ["verified", [data, "manifest.json", verified(1)]],
    ["damaged", [data, "manifest.json", damaged(1)]],
    ["damaged", [data, "manifest.json", verified(1), damaged(2)]],
    ["verified", [data, "manifest.json", damaged(1), verified(2)]],
    ["damaged", [data, "manifest.json", verified(1), verified(2), damaged(3)]],
    ["damaged", [data, "manifest.json", verified(1), damaged(1)]],
    ["verified", [data, "manifest.json", verified(1), verified(2), damaged(1), verified(3)]],
    [
      "unverified",
      [data, "manifest.json", "verified-.json", "verified-yesterday.json", "unverified-20260101T000000Z.json"],
    ],
  ])("is %s with %j", async (state, files) => {
    await fillBackup(storage, `prod/app/${ID}`, files);
    const [backup] = await listBackups(storage, job, never);
    const sizes = filesIn(folder.path).map((file) => statSync(join(folder.path, file)).size);
    expect(backup).toMatchObject({
      id: ID,
      state,
      size: sizes.reduce((sum, size) => sum + size),
      time: new Date("2026-01-02T03:04:05Z"),
    });
  });
});

describe("a backup's drill", () => {
  const drilled = (second: number) => `drilled-2026010${second}T000000Z.json`;
  const failed = (second: number) => `drill-failed-2026010${second}T000000Z.json`;
  it.each([
    [undefined, []],
    [undefined, ["drilled-.json", "drilled-2026.json", "drill-20260101T000000Z.json", "drilled-20261301T000000Z.json"]],
    [{ outcome: "drilled", time: new Date("2026-01-01T00:00:00Z") }, [drilled(1)]],
    [{ outcome: "drilled", time: new Date("2026-01-02T00:00:00Z") }, [failed(1), drilled(2)]],
    [{ outcome: "drill-failed", time: new Date("2026-01-02T00:00:00Z") }, [drilled(1), failed(2)]],
    [{ outcome: "drill-failed", time: new Date("2026-01-01T00:00:00Z") }, [drilled(1), failed(1)]],
  ])("is %j with %j", async (drill, files) => {
    await fillBackup(storage, `prod/app/${ID}`, ["manifest.json", ...files]);
    const [backup] = await listBackups(storage, job, never);
    expect(backup).toMatchObject({ state: "unverified", drill });
  });
});

it("lists one job's backups, the oldest first, and nothing else", async () => {
  const older = "20251231T235959Z-ffffff";
  await fill(storage, [
    `prod/app/${ID}/manifest.json`,
    `prod/app/${older}/manifest.json`,
    `prod/app/doctor-12345678/probe`,
    `prod/app/20260102T030405Z-1a2b3c`.replace("1a2b3c", "1a2b3d"),
    `prod/app-2/${ID}/manifest.json`,
    `prod/ap/${ID}/manifest.json`,
    `prod/abc/${ID}/manifest.json`,
    `prod2/app/${ID}/manifest.json`,
    `app/${ID}/manifest.json`,
  ]);
  const backups = await listBackups(storage, job, never);
  expect(backups.map(({ id, files }) => [id, files.map(({ key }) => key)])).toEqual([
    [older, [`prod/app/${older}/manifest.json`]],
    [ID, [`prod/app/${ID}/manifest.json`]],
  ]);
});

it("lists nothing where there is nothing", async () => {
  expect(await listBackups(storage, job, never)).toEqual([]);
});

describe("a manifest", () => {
  const key = `prod/app/${ID}/manifest.json`;
  const manifest = sampleManifest(ID);

  it("is read as it was written", async () => {
    await fill(storage, [key], seal(manifest));
    expect(await readManifest(storage, job, ID, never)).toEqual(manifest);
  });

  it("may be missing", async () => {
    await expect(readManifest(storage, job, ID, never)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it.each([
    ["a changed byte", seal(manifest).replace("8123456", "8123457")],
    ["a byte too many", seal(manifest) + "\n"],
    ["a byte order mark", "\ufeff" + seal(manifest)],
    ["no checksum", JSON.stringify(manifest, null, 2) + "\n"],
  ])("is refused by its name for %s", async (_what, text) => {
    await fill(storage, [key], text);
    await expect(readManifest(storage, job, ID, never)).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `${key} is damaged: it is not what was written.`,
    });
  });
});
