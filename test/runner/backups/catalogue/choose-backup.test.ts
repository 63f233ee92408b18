import { afterEach, beforeEach, expect, it } from "vitest";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { chooseBackup } from "../../../../runner/backups/catalogue/choose-backup.ts";
import { failureOf } from "../../../helpers/failure.ts";
import { fillBackup } from "../../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { openStore } from "../../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const idOf = (day: number) => `2026010${day}T000000Z-abcdef`;
const choose = async (id: string) => (await chooseBackup(storage, job, id, new AbortController().signal)).id;

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

async function add(day: number, ...records: string[]): Promise<void> {
  await fillBackup(storage, `prod/app/${idOf(day)}`, ["manifest.json", ...records]);
}

it("takes the newest for latest and verified, and each verified one in turn for random", async () => {
  for (const day of [1, 2, 3]) await add(day, "verified-20260201T000000Z.json");
  await add(4, "damaged-20260201T000000Z.json");
  await add(5);
  expect(await choose("latest")).toBe(idOf(5));
  expect(await choose("verified")).toBe(idOf(3));
  const chosen = new Set<string>();
  // That one of three is missed in a hundred draws has a chance of less than 1 in 10^17.
  for (let draw = 0; draw < 100; draw += 1) chosen.add(await choose("random"));
  expect([...chosen].sort()).toEqual([1, 2, 3].map(idOf));
});

it("says that none is verified", async () => {
  await add(1);
  expect(await failureOf(choose("random"))).toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringContaining("has no verified backup of prod/app") as string,
  });
});
