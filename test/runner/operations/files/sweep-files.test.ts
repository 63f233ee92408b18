import { afterEach, beforeEach, expect, it } from "vitest";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { prune, type PruneOptions } from "../../../../runner/operations/prune.ts";
import { fillBackupOfFiles, objectOf } from "../../../helpers/sample-files.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { fill, keysIn, openStore } from "../../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const idOf = (day: number) => `202601${String(day).padStart(2, "0")}T000000Z-abcdef`;

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

const addBackup = (day: number, names: readonly string[]) => fillBackupOfFiles(storage, idOf(day), names);

function run(options: Partial<PruneOptions> = {}) {
  return prune({
    storage,
    job,
    rule: { last: 1 },
    // All contents were written before.
    unfinishedBefore: new Date(Date.now() + 60_000),
    copiesBefore: new Date(Date.now() + 60_000),
    dryRun: false,
    signal: new AbortController().signal,
    ...options,
  });
}

const contents = async () =>
  (await keysIn(storage, "prod/app/files")).map((key) =>
    key.slice("prod/app/files/".length, "prod/app/files/".length + 1),
  );

beforeEach(async () => {
  await fill(
    storage,
    ["a", "b", "c"].map((name) => `prod/app/${objectOf(name)}`),
  );
  await addBackup(1, ["a", "b"]);
  await addBackup(2, ["b"]);
});

it("removes contents that no backup has any more, and those of no backup", async () => {
  expect(await run()).toMatchObject({ removed: [idOf(1)], files: { removed: 2, kept: 1 } });
  expect(await contents()).toEqual(["b"]);
});

it("keeps what a backup refers to that came while it looked", async () => {
  const busy = new Proxy(storage, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (name !== "list") return typeof member === "function" ? (member.bind(target) as unknown) : member;
      return async function* (...args: Parameters<StorageProvider["list"]>) {
        yield* target.list(...args);
        if (args[0] === "prod/app/files") await addBackup(3, ["a"]);
      };
    },
  });
  expect(await run({ storage: busy })).toMatchObject({ files: { removed: 1, kept: 2 } });
  expect(await contents()).toEqual(["a", "b"]);
});

it("removes none while a run may be about to refer to them, and the next prune does", async () => {
  // Begun after what the prune takes for over.
  const begun = new Date(Date.now() + 120_000).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const going = `${begun}-abcdef`;
  await fill(storage, [`prod/app/${going}/database.dump.zst`]);
  const report = await run();
  expect(report).toMatchObject({ removed: [idOf(1)], unfinished: [], files: { removed: 0, kept: 3 } });
  expect(report.files.skipped).toContain(`${going} may still be being written`);
  await storage.remove([`prod/app/${going}/database.dump.zst`]);
  expect(await run()).toMatchObject({ files: { removed: 2, kept: 1 } });
});
