import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { FileFacts } from "../../../../providers/files/files.ts";
import { FolderNames } from "../../../../runner/operations/files/folder-names.ts";
import { folderTarget } from "../../../../runner/operations/files/folder-target.ts";
import { streamOf } from "../../../helpers/bytes.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { filesIn } from "../../../helpers/store.ts";

const { signal } = new AbortController();

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => {
  folder.remove();
});

const factsOf = (path: string, bucket = "papers"): FileFacts => ({
  bucket,
  path,
  size: path.length,
  etag: "e",
  modified: "2026-01-02T03:04:05.000Z",
});

/** Writes files all at once, each with its own name for a content; what is reported of each. */
async function restore(files: readonly FileFacts[]): Promise<Map<string, string[]>> {
  const target = await folderTarget(join(folder.path, "out"));
  for (const file of files) target.foresee?.(file);
  const told = files.map(async (file) => {
    const bytes = Buffer.from(`${file.bucket}/${file.path}`);
    return [bytes.toString(), await target.write(file, streamOf(bytes), { signal })] as const;
  });
  return new Map(await Promise.all(told));
}

const contents = () =>
  new Map(
    filesIn(join(folder.path, "out")).map((name) => [name, readFileSync(join(folder.path, "out", name), "utf8")]),
  );

it("holds files that are named like folders of other files, and tells what they are called", async () => {
  const told = await restore(["a/b", "a", "a/b/c", "c"].map((path) => factsOf(path)));
  expect(contents()).toEqual(
    new Map([
      ["papers/a/b/c", "papers/a/b/c"],
      ["papers/a/~file-b", "papers/a/b"],
      ["papers/c", "papers/c"],
      ["papers/~file-a", "papers/a"],
    ]),
  );
  expect(told.get("papers/a")).toEqual([expect.stringContaining("papers/~file-a")]);
  expect(told.get("papers/a/b/c")).toEqual([]);
});

it("is never left, and never entered by another name, whatever files are called", async () => {
  const odd = [
    "../../out-of-it",
    "..",
    ".",
    "a/../b",
    "a//b",
    "/b",
    "a/",
    ".x.partial",
    "~file-a",
    "~",
    "n".repeat(300),
  ];
  const told = await restore([...odd.map((path) => factsOf(path)), factsOf("up", ".."), factsOf("b")]);
  expect(filesIn(folder.path).every((name) => name.startsWith("out/"))).toBe(true);
  expect([...contents().values()].sort()).toEqual([...told.keys()].sort());
  for (const path of odd) expect(told.get(`papers/${path}`), path).toHaveLength(1);
  expect(contents().get("papers/~../~../out-of-it")).toBe("papers/../../out-of-it");
});

it("has a path of its own for each of many alike names", () => {
  const segments = ["", ".", "..", "a", "~a", "~file-a", "~~a", "~", "~.", ".a.partial", "~.a.partial", "~~file-a"];
  const paths = segments.flatMap((one) => [one, ...segments.map((other) => `${one}/${other}`)]);
  const names = new FolderNames();
  for (const path of paths) names.foresee({ bucket: "b", path });
  const written = paths.map((path) => names.pathOf({ bucket: "b", path }));
  expect(new Set(written).size).toBe(paths.length);
  const folders = new Set(written.map((path) => path.slice(0, path.lastIndexOf("/"))));
  expect(written.filter((path) => folders.has(path))).toEqual([]);
});
