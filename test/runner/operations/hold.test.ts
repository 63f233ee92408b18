import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { listBackups } from "../../../runner/backups/catalogue/catalogue.ts";
import { seal } from "../../../runner/backups/documents/sealed-json.ts";
import { SigningKeys } from "../../../runner/backups/documents/signing.ts";
import { writeRecord } from "../../../runner/backups/documents/write-record.ts";
import { hold, release } from "../../../runner/operations/hold.ts";
import { prune } from "../../../runner/operations/prune.ts";
import { failureOf } from "../../helpers/failure.ts";
import { fillBackupOfFiles, objectOf } from "../../helpers/sample-files.ts";
import { sampleManifest } from "../../helpers/sample-manifest.ts";
import { fillBackup } from "../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { fill, filesIn, openStore } from "../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const signal = new AbortController().signal;
const idOf = (day: number) => `2026010${day}T000000Z-abcdef`;
const VERIFIED = "verified-20260201T000000Z.json";
const FILES = ["database.dump.zst", "manifest.json", VERIFIED];
const HELD = idOf(1);

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
  for (const day of [1, 2, 3]) await fillBackup(storage, `prod/app/${idOf(day)}`, FILES);
});
afterEach(() => {
  vi.useRealTimers();
  folder.remove();
});

const common = () => ({ storage, job, signal });
const isThere = (id: string) => existsSync(join(folder.path, "prod/app", id, "manifest.json"));
const pruneAll = () =>
  prune({ ...common(), rule: { last: 1 }, unfinishedBefore: new Date(0), copiesBefore: new Date(0), dryRun: false });
const recordsIn = (outcome: string) =>
  filesIn(folder.path).filter((file) => file.startsWith(`prod/app/${HELD}/${outcome}-`));

it("a held backup stays, whatever the rule says, until it is released", async () => {
  await hold({ ...common(), id: HELD, reason: "case 4711" });
  const report = await pruneAll();
  expect(report.removed).toEqual([idOf(2)]);
  expect(report.keeps).toContainEqual({ id: HELD, reasons: [{ rule: "held", by: ["case 4711"] }], until: undefined });
  await release({ ...common(), id: HELD, reason: "case closed" });
  expect((await pruneAll()).removed).toEqual([HELD]);
  expect(isThere(HELD)).toBe(false);
});

it("writes down who may be asked: the reason, and nothing that was there is overwritten", async () => {
  await hold({ ...common(), id: HELD, reason: "case 4711", until: new Date("2099-01-01T00:00:00Z") });
  const [name = ""] = recordsIn("held");
  expect(JSON.parse(readFileSync(join(folder.path, name), "utf8"))).toMatchObject({
    id: HELD,
    outcome: "held",
    reason: "case 4711",
    until: "2099-01-01T00:00:00.000Z",
  });
  await release({ ...common(), id: HELD, reason: "no longer" });
  expect(recordsIn("held")).toEqual([name]);
  expect(recordsIn("released")).toHaveLength(1);
});

it("a hold until a date ends by itself", async () => {
  const until = new Date(Date.now() + 86_400_000);
  await hold({ ...common(), id: HELD, reason: "audit", until });
  await pruneAll();
  expect(isThere(HELD)).toBe(true);
  vi.useFakeTimers({ now: until.getTime() + 1000, toFake: ["Date"] });
  await pruneAll();
  expect(isThere(HELD)).toBe(false);
});

it("held again after a release, it is held", async () => {
  await hold({ ...common(), id: HELD, reason: "one" });
  await release({ ...common(), id: HELD, reason: "two" });
  await hold({ ...common(), id: HELD, reason: "three" });
  expect((await listBackups(storage, job, signal, HELD))[0]?.holds?.[0]?.reason).toBe("three");
  await pruneAll();
  expect(isThere(HELD)).toBe(true);
});

it("two holds both stand until each is released, or both", async () => {
  await hold({ ...common(), id: HELD, reason: "one" });
  await hold({ ...common(), id: HELD, reason: "two" });
  expect(recordsIn("held")).toHaveLength(2);
  await release({ ...common(), id: HELD, reason: "both are over", all: true });
  await pruneAll();
  expect(isThere(HELD)).toBe(false);
});

it("a release where nothing is held ends in a message", async () => {
  expect(await failureOf(release({ ...common(), id: HELD, reason: "x" }))).toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringContaining(`Nobody holds the backup ${HELD}`) as string,
  });
});

it("a hold on a backup that does not exist ends in a message", async () => {
  expect(await failureOf(hold({ ...common(), id: idOf(9), reason: "x" }))).toMatchObject({ code: "NOT_FOUND" });
});

describe("a hold whose record was damaged", () => {
  it("keeps the backup, says so, and can be released", async () => {
    await hold({ ...common(), id: HELD, reason: "case 4711" });
    const [name = ""] = recordsIn("held");
    writeFileSync(join(folder.path, name), "{}");
    const report = await pruneAll();
    expect(isThere(HELD)).toBe(true);
    expect(report.warnings).toEqual([expect.stringContaining(name)]);
    await release({ ...common(), id: HELD, reason: "case closed" });
    await pruneAll();
    expect(isThere(HELD)).toBe(false);
  });
});

describe("of a job with keys", () => {
  const signed = { ...job, keys: new SigningKeys("a".repeat(64)) };
  const rest = { rule: { last: 1 }, unfinishedBefore: new Date(0), copiesBefore: new Date(0), dryRun: false };
  const pruneSigned = () => prune({ storage, job: signed, signal, ...rest });

  beforeEach(async () => {
    await storage.remove(filesIn(folder.path));
    for (const day of [1, 2]) {
      const id = idOf(day);
      await fill(storage, [`prod/app/${id}/manifest.json`], seal(sampleManifest(id), signed.keys));
      await writeRecord({ storage, job: signed, id, signal }, (at) => {
        const checked = { checkedAt: at.toISOString(), outcome: "verified", problems: [] } as const;
        return { format: 1, id, program: "0.1.0", ...checked };
      });
    }
  });

  it("a release without a signature counts for nothing", async () => {
    await hold({ storage, job: signed, signal, id: HELD, reason: "case 4711" });
    await release({ ...common(), id: HELD, reason: "forged" });
    const report = await pruneSigned();
    expect(isThere(HELD)).toBe(true);
    expect(report.warnings).toEqual([expect.stringContaining("/released-")]);
  });

  it("a signed release counts", async () => {
    await hold({ storage, job: signed, signal, id: HELD, reason: "case 4711" });
    await release({ storage, job: signed, signal, id: HELD, reason: "case closed" });
    await pruneSigned();
    expect(isThere(HELD)).toBe(false);
  });
});

describe("in a store that locks objects itself", () => {
  /** The store, and the keys of what is locked in it. */
  function locking(store: StorageProvider): { storage: StorageProvider; locked: Set<string> } {
    const locked = new Set<string>();
    const setHold = (keys: readonly string[], held: boolean) => {
      for (const key of keys) if (held) locked.add(key);
      for (const key of keys) if (!held) locked.delete(key);
      return Promise.resolve(true);
    };
    const bound = Object.fromEntries(
      (["upload", "download", "stat", "list", "remove", "removeUnfinished", "close"] as const).map((name) => [
        name,
        (store[name] as (...args: unknown[]) => unknown).bind(store),
      ]),
    ) as unknown as StorageProvider;
    return { storage: { ...bound, kind: store.kind, description: store.description, setHold }, locked };
  }

  it("a hold locks all that the backup needs, and a release leaves what another held backup shares", async () => {
    const { storage: store, locked } = locking(storage);
    const about = { storage: store, job, signal };
    await fillBackupOfFiles(storage, idOf(4), ["a", "b"]);
    await fillBackupOfFiles(storage, idOf(5), ["b", "c"]);
    const keyOf = (name: string) => `prod/app/${objectOf(name)}`;
    const { locked: count } = await hold({ ...about, id: idOf(4), reason: "one" });
    expect(count).toBe(locked.size);
    expect([...locked]).toEqual(
      expect.arrayContaining([
        ...["manifest.json", "database.dump.zst", "files.jsonl.zst"].map((name) => `prod/app/${idOf(4)}/${name}`),
        ...["a", "b"].map(keyOf),
      ]),
    );
    await hold({ ...about, id: idOf(5), reason: "two" });
    expect(await release({ ...about, id: idOf(4), reason: "over" })).toMatchObject({ locked: count - 1 });
    expect([...locked].filter((key) => key.includes("/files/")).sort()).toEqual(["b", "c"].map(keyOf));
    expect([...locked].some((key) => key.includes(idOf(4)))).toBe(false);
  });
});
