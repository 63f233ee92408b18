import { readFileSync, utimesSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Retention } from "../../../providers/config.ts";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { prune, type PruneOptions } from "../../../runner/operations/prune.ts";
import { failureOf } from "../../helpers/failure.ts";
import { fillBackup } from "../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { filesIn, fill, openStore } from "../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const FILES = ["database.dump.zst", "manifest.json", "roles.sql.zst", "verified-20260201T000000Z.json"];
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

function run(options: Partial<PruneOptions> = {}) {
  return prune({
    storage,
    job,
    rule: { last: 2 },
    unfinishedBefore: new Date("2026-02-01T00:00:00Z"),
    copiesBefore: new Date("2026-01-31T00:00:00Z"),
    dryRun: false,
    signal: new AbortController().signal,
    ...options,
  });
}

async function addBackup(day: number, base = "prod/app", files = FILES): Promise<void> {
  await fillBackup(storage, `${base}/${idOf(day)}`, files);
}

const folders = () =>
  [...new Set(filesIn(folder.path).map((file) => dirname(file)))]
    .filter((each) => dirname(each) === "prod/app" && basename(each).startsWith("2026"))
    .map((each) => basename(each));

it("removes what the rule lets go, and unfinished folders of the past", async () => {
  for (const day of [1, 2, 3, 4]) await addBackup(day);
  await addBackup(5, "prod/app", ["database.dump.zst"]);
  expect(await run()).toEqual({
    removed: [idOf(2), idOf(1)],
    unfinished: [idOf(5)],
    interruptedUploads: 0,
    kept: 2,
    keeps: [
      { id: idOf(4), reasons: [{ rule: "newest" }, { rule: "last", position: 1, of: 2 }], until: undefined },
      { id: idOf(3), reasons: [{ rule: "last", position: 2, of: 2 }], until: undefined },
    ],
    damaged: [],
    files: { removed: 0, kept: 0 },
  });
  expect(folders()).toEqual([idOf(3), idOf(4)]);
});

describe("of more verified backups than the rule may remove at once", () => {
  const days = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  beforeEach(async () => {
    for (const day of days) await addBackup(day);
  });

  it.each<[string, Retention]>([
    ["half of them, where the job does not say", { last: 4 }],
    ["the share that the job says", { last: 5, removeAtMost: 0.4 }],
  ])("removes none: %s", async (_what, rule) => {
    const error = await failureOf(run({ rule }));
    expect(error).toMatchObject({ code: "CONFLICT" });
    expect(error.message).toMatch(/^Nothing was pruned: the retention rule removes [45] of 9 verified backups at once/);
    expect(error.fix).toContain("--confirm-share");
    expect(folders()).toEqual(days.map(idOf));
  });

  it.each<[string, Partial<PruneOptions>, number]>([
    ["a person has confirmed it", { rule: { last: 1 }, anyShare: true }, 1],
    ["the job allows it", { rule: { last: 1, removeAtMost: 1 } }, 1],
    ["it is not more than half", { rule: { last: 5 } }, 5],
    ["it is three, of which a share says nothing", { rule: { last: 6, removeAtMost: 0.1 } }, 6],
  ])("removes them where %s", async (_what, options, left) => {
    await run(options);
    expect(folders()).toEqual(days.slice(-left).map(idOf));
  });

  it("says so in a dry run, which shows what would go", async () => {
    const report = await run({ rule: { last: 2 }, dryRun: true });
    expect(report.removed).toHaveLength(7);
    expect(report.warnings).toEqual([expect.stringContaining("7 of 9 verified backups at once")]);
    expect(folders()).toEqual(days.map(idOf));
  });
});

it("leaves an unfinished folder that may still be a run's", async () => {
  for (const day of [3, 4]) await addBackup(day);
  await addBackup(5, "prod/app", ["database.dump.zst"]);
  expect(await run({ unfinishedBefore: new Date("2026-01-05T00:00:00Z") })).toMatchObject({ unfinished: [] });
  expect(folders()).toEqual([idOf(3), idOf(4), idOf(5)]);
});

it("leaves an unfinished folder of the very second, which is all that its name can tell", async () => {
  for (const day of [3, 4]) await addBackup(day);
  await addBackup(5, "prod/app", ["database.dump.zst"]);
  await addBackup(6, "prod/app", ["database.dump.zst", "copied-20260131T000000Z.json"]);
  // What was begun at 0.9 seconds is called by the second's begin.
  const unfinishedBefore = new Date("2026-01-05T00:00:00.500Z");
  const copiesBefore = new Date("2026-01-31T00:00:00.500Z");
  expect(await run({ unfinishedBefore, copiesBefore })).toMatchObject({ unfinished: [], kept: 4 });
});

it("leaves the contents of files while a backup that may have them is in the making", async () => {
  await addBackup(3);
  await addBackup(5, "prod/app", ["database.dump.zst"]);
  const content = "prod/app/files/ab/abcdef.zst";
  await fill(storage, [content]);
  const old = new Date("2026-01-01T00:00:00Z");
  utimesSync(join(folder.path, content), old, old);
  const { files } = await run({ unfinishedBefore: new Date("2026-01-05T00:00:00Z") });
  expect(files).toEqual({ removed: 0, kept: 1, skipped: expect.stringContaining(idOf(5)) as string });
  expect(filesIn(folder.path)).toContain(content);
});

it("leaves a copy that may be going on, and its uploads", async () => {
  for (const day of [3, 4]) await addBackup(day);
  await addBackup(5, "prod/app", ["database.dump.zst", "copied-20260131T120000Z.json"]);
  await addBackup(6, "prod/app", ["database.dump.zst", "copied-20260130T120000Z.json"]);
  const begunBefore: Date[] = [];
  const watched = new Proxy(storage, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        if (name === "removeUnfinished") begunBefore.push(args[1] as Date);
        return member.apply(target, args) as unknown;
      };
    },
  });
  expect(await run({ storage: watched })).toMatchObject({ unfinished: [idOf(6)], kept: 3 });
  expect(folders()).toEqual([idOf(3), idOf(4), idOf(5)]);
  expect(begunBefore).toEqual([new Date("2026-01-31T12:00:00Z")]);
});

it("only tells in a dry run", async () => {
  for (const day of [1, 2, 3, 4]) await addBackup(day);
  const before = filesIn(folder.path);
  expect(await run({ dryRun: true })).toMatchObject({ removed: [idOf(2), idOf(1)], kept: 2 });
  expect(filesIn(folder.path)).toEqual(before);
});

it("removes no backup without a rule", async () => {
  for (const day of [1, 2, 3, 4]) await addBackup(day);
  expect(await run({ rule: undefined })).toMatchObject({ removed: [], kept: 4 });
});

it("removes nothing where no backup was verified", async () => {
  for (const day of [1, 2, 3, 4]) await addBackup(day, "prod/app", ["database.dump.zst", "manifest.json"]);
  expect(await run()).toMatchObject({ removed: [], kept: 4 });
});

it("keeps damaged backups and names them", async () => {
  await addBackup(1, "prod/app", ["manifest.json", "damaged-20260201T000000Z.json"]);
  for (const day of [2, 3, 4]) await addBackup(day);
  expect(await run()).toMatchObject({ removed: [idOf(2)], damaged: [idOf(1)], kept: 3 });
  expect(folders()).toEqual([idOf(1), idOf(3), idOf(4)]);
});

it("touches nothing outside of the job's own folder", async () => {
  const strangers = ["prod/app-2", "prod/ap", "prod/app/notes", "prod2/app", "other/prod/app"];
  for (const day of [1, 2, 3, 4]) {
    await addBackup(day);
    for (const base of strangers) await addBackup(day, base);
  }
  await fill(storage, ["prod/app/readme.txt", "prod/app/doctor-12345678/probe", `prod/app.${idOf(1)}`]);
  const foreign = () => filesIn(folder.path).filter((file) => !file.startsWith("prod/app/2026"));
  const before = foreign();
  const read = (file: string) => readFileSync(join(folder.path, file), "utf8");
  const contents = before.map(read);
  await run();
  expect(foreign()).toEqual(before);
  expect(folders()).toEqual([idOf(3), idOf(4)]);
  for (const [index, file] of before.entries()) expect(read(file), file).toBe(contents[index]);
});

it("leaves, wherever it is interrupted, no backup that lacks a file, and the next prune ends it", async () => {
  const steps: number[] = [];
  for (let budget = 0; ; budget += 1) {
    for (const day of [1, 2, 3, 4]) await addBackup(day);
    const failed = await run({ storage: failingAfter(storage, budget) }).then(
      () => false,
      (error: unknown) => (error as ProviderError).code === "TRANSIENT",
    );
    steps.push(filesIn(folder.path).length);
    for (const id of folders()) {
      const files = filesIn(join(folder.path, "prod/app", id));
      if (files.includes("manifest.json")) expect(files, `after ${budget} removals`).toEqual(FILES);
    }
    await run();
    expect(folders()).toEqual([idOf(3), idOf(4)]);
    await storage.remove(filesIn(folder.path));
    if (!failed) break;
  }
  // It really was interrupted after each single file, its own mark among them.
  expect([...new Set(steps)]).toEqual([17, 16, 15, 14, 13, 12, 11, 10, 9, 8]);
});

/** The store, with a connection that breaks after so many removals. */
function failingAfter(store: StorageProvider, removals: number): StorageProvider {
  let left = removals;
  return {
    kind: store.kind,
    description: store.description,
    upload: (key, source: Readable, options) => store.upload(key, source, options),
    download: (key, options) => store.download(key, options),
    stat: (key, options) => store.stat(key, options),
    list: (prefix, options) => store.list(prefix, options),
    removeUnfinished: (prefix, begunBefore) => store.removeUnfinished(prefix, begunBefore),
    close: () => store.close(),
    async remove(keys, options) {
      for (const key of keys) {
        if (left === 0) throw new ProviderError("TRANSIENT", "The connection broke.");
        left -= 1;
        await store.remove([key], options);
      }
    },
  };
}
