import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { listBackups } from "../../../../runner/backups/catalogue/catalogue.ts";
import { prune } from "../../../../runner/operations/prune.ts";
import { verify } from "../../../../runner/operations/verify.ts";
import { sampleManifest, withCrc32 } from "../../../helpers/sample-manifest.ts";
import { documentFor, fillBackup } from "../../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { fill, filesIn, openStore } from "../../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const signal = new AbortController().signal;
const OLD = "20260101T000000Z-aaaaaa";
const NEW = "20260102T000000Z-bbbbbb";
const VERIFIED = "verified-20260103T000000Z.json";

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

const states = async () =>
  Object.fromEntries((await listBackups(storage, job, signal)).map(({ id, state }) => [id, state]));
const isThere = (id: string) => existsSync(join(folder.path, "prod/app", id, "manifest.json"));
const pruneAll = () =>
  prune({
    storage,
    job,
    rule: { last: 1 },
    unfinishedBefore: new Date("2026-02-01T00:00:00Z"),
    copiesBefore: new Date("2026-02-01T00:00:00Z"),
    dryRun: false,
    signal,
  });

describe("a record that is not what its name says", () => {
  it.each<[string, string]>([
    ["is empty", ""],
    ["is no JSON", "x"],
    ["lacks a byte", documentFor(NEW, VERIFIED).slice(0, -1)],
    ["was changed", documentFor(NEW, VERIFIED).replace("0.1.0", "0.1.1")],
    ["is another backup's", documentFor(OLD, VERIFIED)],
    ["tells another outcome", documentFor(NEW, "damaged-20260103T000000Z.json")],
    ["tells another time", documentFor(NEW, "verified-20260103T000001Z.json")],
    ["is of another kind", documentFor(NEW, "drilled-20260103T000000Z.json")],
  ])("counts for nothing, is named, and displaces no real backup, where it %s", async (_what, text) => {
    await fillBackup(storage, `prod/app/${OLD}`, ["database.dump.zst", "manifest.json", VERIFIED]);
    await fillBackup(storage, `prod/app/${NEW}`, ["database.dump.zst", "manifest.json"]);
    await fill(storage, [`prod/app/${NEW}/${VERIFIED}`], text);
    expect(await states()).toEqual({ [OLD]: "verified", [NEW]: "unverified" });
    const report = await pruneAll();
    expect(report.removed).toEqual([]);
    expect(report.warnings).toEqual([expect.stringContaining(`prod/app/${NEW}/${VERIFIED}`)]);
    expect([isThere(OLD), isThere(NEW)]).toEqual([true, true]);
  });

  it("does not hide an older one that is", async () => {
    await fillBackup(storage, `prod/app/${NEW}`, ["manifest.json", VERIFIED]);
    await fill(storage, [`prod/app/${NEW}/verified-20260104T000000Z.json`], "");
    await fill(storage, [`prod/app/${NEW}/damaged-20260105T000000Z.json`], "");
    expect(await states()).toEqual({ [NEW]: "verified" });
  });
});

describe("a manifest", () => {
  it.each<[string, string, string]>([
    ["that is empty", "", "damaged"],
    ["without any archive", withObjects("file-index"), "damaged"],
    ["with the roles alone", withObjects("roles-sql"), "damaged"],
    ["of another backup", documentFor(OLD, "manifest.json"), "foreign"],
    ["of a newer version", documentFor(NEW, "manifest.json", { format: 3 }), "unreadable"],
    ["of a database of an unknown kind", ofKind("oracle"), "unreadable"],
    ["of a database of no kind, but of a name that every object has", ofKind("constructor"), "unreadable"],
    ["with an object of an unknown format", withObjects("riddle"), "unreadable"],
  ])("%s makes no verified backup, and displaces none", async (_what, text, state) => {
    await fillBackup(storage, `prod/app/${OLD}`, ["manifest.json", VERIFIED]);
    await fill(storage, [`prod/app/${NEW}/manifest.json`], text);
    await fillBackup(storage, `prod/app/${NEW}`, [VERIFIED]);
    expect(await states()).toEqual({ [OLD]: "verified", [NEW]: state });
    expect((await pruneAll()).removed).toEqual([]);
    expect([isThere(OLD), isThere(NEW)]).toEqual([true, true]);
  });

  it("of format 2 makes a verified backup, and takes its place in the rule", async () => {
    await fillBackup(storage, `prod/app/${OLD}`, ["manifest.json", VERIFIED]);
    await fillBackup(storage, `prod/app/${NEW}`, ["manifest.json", VERIFIED], withCrc32(sampleManifest(NEW)));
    expect(await states()).toEqual({ [OLD]: "verified", [NEW]: "verified" });
    expect((await pruneAll()).removed).toEqual([OLD]);
    expect([isThere(OLD), isThere(NEW)]).toEqual([false, true]);
  });

  it("of a newer version is kept by a prune, which says so, even where the rule keeps one backup", async () => {
    for (const id of [OLD, NEW]) await fillBackup(storage, `prod/app/${id}`, ["manifest.json", VERIFIED]);
    const newer = "20251231T000000Z-cccccc";
    await fill(storage, [`prod/app/${newer}/manifest.json`], documentFor(newer, "manifest.json", { format: 3 }));
    const report = await pruneAll();
    expect(report.removed).toEqual([OLD]);
    expect(report.warnings).toEqual([expect.stringContaining(`${newer}/manifest.json is whole, but this version`)]);
    expect([isThere(newer), isThere(NEW)]).toEqual([true, true]);
  });

  it("without any archive does not verify, although all that it names is there and whole", async () => {
    const stored = zstdCompressSync("");
    const measured = (bytes: Buffer) => ({
      size: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
    const index = {
      ...{
        file: "files.jsonl.zst",
        artifact: "files.jsonl",
        format: "file-index",
        compression: "zstd",
        encryption: null,
      },
      ...{ stored: measured(stored), plain: measured(Buffer.alloc(0)) },
    };
    await storage.upload(`prod/app/${NEW}/files.jsonl.zst`, Readable.from([stored]));
    await fill(storage, [`prod/app/${NEW}/manifest.json`], documentFor(NEW, "manifest.json", { objects: [index] }));
    expect(
      await verify({ storage, job, id: NEW, programs: { kind: "postgres" }, fileKeyOf: () => undefined, signal }),
    ).toEqual({
      id: NEW,
      outcome: "damaged",
      problems: [`prod/app/${NEW}/manifest.json names no archive of a database.`],
    });
  });

  function ofKind(kind: string): string {
    const { database } = sampleManifest(NEW);
    return documentFor(NEW, "manifest.json", { database: { ...database, kind } });
  }

  function withObjects(format: string): string {
    const objects = sampleManifest(NEW).objects.map((object) => ({ ...object, format }));
    return documentFor(NEW, "manifest.json", { objects });
  }
});

describe("a damaged backup", () => {
  const D = "damaged-20260103T000000Z.json";
  /** Stores records, each with the names that it is later than; undefined: as version 0.1.0 wrote it. */
  const addRecords = async (records: Readonly<Record<string, readonly string[] | undefined>>) => {
    await fillBackup(storage, `prod/app/${NEW}`, ["manifest.json"]);
    for (const [name, after] of Object.entries(records)) {
      await fill(storage, [`prod/app/${NEW}/${name}`], documentFor(NEW, name, after ? { after } : {}));
    }
  };
  it.each<[string, string, Record<string, readonly string[] | undefined>]>([
    [
      "stays so: the good record had a clock ahead",
      "damaged",
      { [D]: ["verified-20260103T030000Z.json"], "verified-20260103T030000Z.json": undefined },
    ],
    ["stays so: nothing says that the good one is later", "damaged", { [D]: [], "verified-20260104T000000Z.json": [] }],
    ["stays so: an old record has a time alone", "damaged", { [D]: [], "verified-20260104T000000Z.json": undefined }],
    [
      "stays so: the good one knows of another",
      "damaged",
      { [D]: [], "verified-20260104T000000Z.json": ["damaged-20260102T000000Z.json"] },
    ],
    ["is verified again, by a clock that is right", "verified", { [D]: [], "verified-20260104T000000Z.json": [D] }],
    ["is verified again, by a clock that is behind", "verified", { [D]: [], "verified-20251231T000000Z.json": [D] }],
    [
      "is damaged a second time",
      "damaged",
      {
        [D]: [],
        "verified-20260104T000000Z.json": [D],
        "damaged-20260101T000000Z.json": [D, "verified-20260104T000000Z.json"],
      },
    ],
    [
      "of version 0.1.0 keeps its meaning, damaged",
      "damaged",
      { [D]: undefined, "verified-20260102T000000Z.json": undefined },
    ],
    [
      "of version 0.1.0 keeps its meaning, verified",
      "verified",
      { [D]: undefined, "verified-20260104T000000Z.json": undefined },
    ],
    [
      "of version 0.1.0 stays so where the clock was ahead of the store's",
      "damaged",
      { [D]: undefined, "verified-20991231T000000Z.json": undefined },
    ],
  ])("%s", async (_what, state, records) => {
    await addRecords(records);
    expect(await states()).toEqual({ [NEW]: state });
  });

  it("is later overruled only by a verification that began after its record: what comes during one is not named", async () => {
    // Encrypted, and missing: that is found damaged without any program that reads it.
    const objects = sampleManifest(NEW).objects.map((object) => ({ ...object, encryption: "age" as const }));
    await fillBackup(storage, `prod/app/${NEW}`, ["manifest.json", D], { objects });
    const during = "damaged-20260104T000000Z.json";
    let came = false;
    const interrupted = {
      ...bound(storage),
      download: async (key: string) => {
        if (!came) await fillBackup(storage, `prod/app/${NEW}`, [during]);
        came = true;
        return storage.download(key);
      },
    };
    await verify({
      storage: interrupted,
      job,
      id: NEW,
      programs: { kind: "postgres" },
      fileKeyOf: () => undefined,
      signal,
    });
    const written = filesIn(folder.path).filter(
      (file) => file.includes("/damaged-") && !file.endsWith(D) && !file.endsWith(during),
    );
    const [record = ""] = written;
    expect(JSON.parse(readFileSync(join(folder.path, record), "utf8"))).toMatchObject({
      outcome: "damaged",
      after: [D],
    });
  });
});

it("reads hundreds of backups at the same time, and not one after the other", async () => {
  const ids = Array.from({ length: 200 }, (_, day) => `${1800 + day}0101T000000Z-abcdef`);
  for (const id of ids) await fillBackup(storage, `prod/app/${id}`, ["manifest.json", VERIFIED]);
  let [now, most, all] = [0, 0, 0];
  const slow = {
    ...bound(storage),
    download: async (key: string) => {
      most = Math.max(most, (now += 1));
      all += 1;
      await sleep(5);
      now -= 1;
      return storage.download(key);
    },
  };
  const list = await listBackups(slow, job, signal);
  expect(list.map(({ state }) => state)).toEqual(Array.from({ length: 200 }, () => "verified"));
  expect([all, most > 4, most <= 16]).toEqual([400, true, true]);
});

/** A store whose methods can be replaced one by one. */
function bound(store: StorageProvider): StorageProvider {
  return {
    kind: store.kind,
    description: store.description,
    upload: store.upload.bind(store),
    download: store.download.bind(store),
    stat: store.stat.bind(store),
    list: store.list.bind(store),
    remove: store.remove.bind(store),
    removeUnfinished: store.removeUnfinished.bind(store),
    close: store.close.bind(store),
  };
}
