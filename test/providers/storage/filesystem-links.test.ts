import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { streamOf } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { filesIn, keysIn, openStore } from "../../helpers/store.ts";

let folder: TemporaryFolder;
let root: string;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  root = join(folder.path, "store");
  storage = await openStore(root);
});
afterEach(() => {
  folder.remove();
});

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

describe("a job's folder that is a symbolic link to another job's", () => {
  beforeEach(() => {
    write(join(root, "x", "b", "backup", "file"), "of job b");
    write(join(root, "x", "b", ".0123.partial"), "an upload of job b");
    symlinkSync("b", join(root, "x", "a"));
  });

  it.each<[string, () => Promise<unknown>]>([
    ["listed", () => keysIn(storage, "x/a")],
    ["listed, a folder in it", () => keysIn(storage, "x/a/backup")],
    ["written to", () => storage.upload("x/a/new/object", streamOf(Buffer.from("x")))],
    ["read", () => storage.download("x/a/backup/file")],
    ["asked for a file's facts", () => storage.stat("x/a/backup/file")],
    ["removed from", () => storage.remove(["x/a/backup/file"])],
    ["cleared of unfinished uploads", () => storage.removeUnfinished("x/a", new Date(Date.now() + 60_000))],
  ])("is not %s, and the error names the link and where it leads", async (_what, request) => {
    const before = filesIn(root);
    const error = await failureOf(request());
    expect(error).toMatchObject({ code: "CONFIG", fix: expect.stringContaining("Remove the link") as string });
    expect(error.message).toContain(`${join(root, "x", "a")} is a symbolic link to ${join(root, "x", "b")}`);
    expect(filesIn(root)).toEqual(before);
    expect(readFileSync(join(root, "x", "b", "backup", "file"), "utf8")).toBe("of job b");
  });

  it("keeps the other job's own folder usable", async () => {
    expect(await keysIn(storage, "x/b")).toEqual(["x/b/backup/file"]);
    await storage.remove(["x/b/backup/file"]);
    expect(await keysIn(storage)).toEqual([]);
  });
});

it("names a link that leads nowhere, and makes nothing there", async () => {
  mkdirSync(join(root, "x"), { recursive: true });
  symlinkSync(join(folder.path, "nowhere"), join(root, "x", "a"));
  const upload = () => storage.upload("x/a/object", streamOf(Buffer.from("x")));
  for (const request of [() => keysIn(storage, "x/a"), upload]) {
    const { code, message } = await failureOf(request());
    expect([code, message.includes(join(folder.path, "nowhere"))]).toEqual(["CONFIG", true]);
  }
  expect(existsSync(join(folder.path, "nowhere"))).toBe(false);
});

it("does not list what a link inside of a listed folder leads to", async () => {
  write(join(root, "x", "b", "backup", "file"), "of job b");
  write(join(root, "x", "a", "backup", "file"), "of job a");
  symlinkSync(join(root, "x", "b", "backup"), join(root, "x", "a", "other"));
  expect(await keysIn(storage, "x/a")).toEqual(["x/a/backup/file"]);
});

it("takes a link for its own folder, as people mount disks", async () => {
  write(join(root, "x", "a", "file"), "kept");
  renameSync(root, join(folder.path, "disk"));
  symlinkSync(join(folder.path, "disk"), root);
  await storage.upload("x/a/new", streamOf(Buffer.from("new")));
  expect(await keysIn(storage, "x/a")).toEqual(["x/a/file", "x/a/new"]);
  await storage.remove(["x/a/file", "x/a/new"]);
  expect(readdirSync(join(folder.path, "disk"))).toEqual([]);
});
