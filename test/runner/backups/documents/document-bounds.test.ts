import { backupKey } from "../../../../providers/layout.ts";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { readManifest } from "../../../../runner/backups/catalogue/catalogue.ts";
import { DOCUMENT_BYTES, FILE_FACTS, MANIFEST_OBJECTS } from "../../../../runner/backups/documents/document-bounds.ts";
import { beyondBounds } from "../../../../runner/operations/files/file-entry.ts";
import { readFileIndex } from "../../../../runner/operations/files/file-index.ts";
import { requireManifestRoom } from "../../../../runner/operations/backup/manifest-room.ts";
import { Manifest } from "../../../../runner/backups/documents/manifest.ts";
import { seal, unseal } from "../../../../runner/backups/documents/sealed-json.ts";
import { compressor } from "../../../../runner/stream/zstd.ts";
import { writeDocument } from "../../../../runner/backups/documents/write-document.ts";
import { streamOf } from "../../../helpers/bytes.ts";
import { measured } from "../../../helpers/measured.ts";
import { sampleManifest } from "../../../helpers/sample-manifest.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { openStore } from "../../../helpers/store.ts";
import { through } from "../../../helpers/through.ts";

const ID = "20260102T030405Z-1a2b3c";
const JOB = { stack: "prod", name: "app" };
const KEY = backupKey(JOB, ID, "manifest.json");
const never = new AbortController().signal;

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

const put = (text: string) => storage.upload(KEY, Readable.from([Buffer.from(text)]));
const read = () => readManifest(storage, JOB, ID, never);
const refused = (message: string) => ({ code: "INTEGRITY", message: expect.stringContaining(message) as string });

/** Tables with the longest names that PostgreSQL allows. */
function tables(count: number): Manifest["database"]["tables"] {
  const long = (name: string) => name.padEnd(63, "ü".repeat(10));
  return Array.from({ length: count }, (_, index) => ({
    schema: long(`tenant_${index % 100}_`).slice(0, 63),
    name: long(`table_${index}_`).slice(0, 63),
    estimatedRows: 1_234_567_890,
  }));
}

function manifestOf(count: number): Manifest {
  const manifest = sampleManifest(ID);
  return { ...manifest, database: { ...manifest.database, tables: tables(count) } };
}

describe("a manifest", () => {
  it("may name 50,000 tables with the longest names", async () => {
    const manifest = manifestOf(50_000);
    await writeDocument({ storage, job: {} }, KEY, manifest, never);
    expect(await read()).toEqual(manifest);
  });

  it("is not read further than the largest that is written", async () => {
    let given = 0;
    const pieces = function* (): Generator<Buffer> {
      for (; given < 300_000_000; given += 1_000_000) yield Buffer.alloc(1_000_000, " ");
    };
    const large: StorageProvider = Object.assign(Object.create(storage) as StorageProvider, {
      download: () => Promise.resolve(Readable.from(pieces(), { objectMode: false })),
      stat: () => Promise.resolve({ key: KEY, size: 300_000_000, modified: new Date() }),
    });
    await expect(readManifest(large, JOB, ID, never)).rejects.toMatchObject(
      refused(`${KEY} has 300000000 bytes, and such a file has at most ${DOCUMENT_BYTES}`),
    );
    // What arrives damaged is read once more.
    expect(given).toBeLessThan(2 * (DOCUMENT_BYTES + 3_000_000));
  });

  it.each([
    ["arrays", "[", "]"],
    ["objects", '{"a":', "}"],
  ])("is refused where %s are nested deeply", async (_what, open, close) => {
    const depth = 200_000;
    await put(`{"format":1,"x":${open.repeat(depth)}1${close.repeat(depth)}}`);
    await expect(read()).rejects.toMatchObject(refused("it is nested more than 32 levels deep"));
  });

  it("is not taken for nested where brackets stand in names", async () => {
    const manifest = sampleManifest(ID);
    const name = '[{"\\'.repeat(100);
    const bracketed = { ...manifest, database: { ...manifest.database, name } };
    await put(seal(bracketed));
    expect(await read()).toEqual(bracketed);
  });

  it("is refused where it holds more values than any that is written", async () => {
    await put(`{"a":[${"{},".repeat(2_000_000)}{}]}`);
    await expect(read()).rejects.toMatchObject(refused("values, and may have 1500000"));
  });

  it("is refused where it names more objects than any that is written", async () => {
    const [object] = sampleManifest(ID).objects;
    const objects = Array.from({ length: MANIFEST_OBJECTS + 1 }, () => object);
    await put(seal({ ...sampleManifest(ID), objects }));
    await expect(read()).rejects.toMatchObject(refused(`names ${MANIFEST_OBJECTS + 1} objects`));
  });

  it("is refused for the first wrong entry of a list alone", () => {
    const { database, ...manifest } = sampleManifest(ID);
    const wrong = Array.from({ length: 1000 }, () => ({ schema: 1, name: 2, estimatedRows: "3" }));
    const text = seal({ ...manifest, database: { ...database, tables: wrong } });
    const issues = [expect.objectContaining({ path: ["database", "tables", 0, "schema"] })];
    expect(() => unseal("manifest.json", text, Manifest)).toThrow(
      expect.objectContaining({ code: "CONFIG", cause: expect.objectContaining({ issues }) as Error }) as Error,
    );
  });
});

describe("what could not be read again is not written", () => {
  const config = (message: string) =>
    expect.objectContaining({
      code: "CONFIG",
      message: expect.stringContaining(message) as string,
      fix: expect.stringContaining("several jobs") as string,
    }) as Error;
  const source = (count: number, artifacts: number) => ({
    facts: {
      ...sampleManifest(ID).database,
      identity: { systemIdentifier: null, name: "app" },
      tables: tables(count),
      snapshotTime: new Date(),
    },
    artifacts: Array.from({ length: artifacts }, (_, index) => ({
      name: `database-${index}.dump`,
      format: "pg_dump-custom" as const,
      required: true,
      covers: [],
      open: () => streamOf(Buffer.alloc(0)),
    })),
  });

  it("before a dump, where there are too many tables or databases", () => {
    expect(() => {
      requireManifestRoom(source(50_000, 2));
    }).not.toThrow();
    expect(() => {
      requireManifestRoom(source(200_000, 2));
    }).toThrow(config("The manifest of a backup of 200000 tables could not be read again: it has "));
    expect(() => {
      requireManifestRoom(source(1, MANIFEST_OBJECTS));
    }).toThrow(config(`this would have ${MANIFEST_OBJECTS}`));
  });

  it("as a document", async () => {
    await expect(writeDocument({ storage, job: {} }, KEY, manifestOf(200_000), never)).rejects.toEqual(
      config("could not be read"),
    );
    await expect(storage.stat(KEY)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the index of files", () => {
  /** The entries of an index with this content, which is stored as any is. */
  async function entries(content: Buffer): Promise<unknown[]> {
    const bytes = await through(streamOf(content), compressor(1));
    const object = {
      file: "files.jsonl.zst",
      artifact: "files.jsonl",
      format: "file-index" as const,
      compression: "zstd" as const,
      encryption: null,
      stored: measured(bytes),
      plain: measured(content),
    };
    await storage.upload(backupKey(JOB, ID, object.file), Readable.from([bytes]));
    const manifest = { ...sampleManifest(ID), objects: [object] };
    const found: unknown[] = [];
    for await (const entry of readFileIndex({ storage, job: JOB, manifest }, never)) found.push(entry);
    return found;
  }

  it("is refused where a line does not end", async () => {
    await expect(entries(Buffer.alloc(50_000_000, "a"))).rejects.toMatchObject(refused("a line is no entry of a file"));
  });

  it("is refused where a line is nested deeply", async () => {
    const line = `{"file":{"metadata":${"[".repeat(10_000)}${"]".repeat(10_000)}}}\n`;
    await expect(entries(Buffer.from(line))).rejects.toMatchObject(refused("it is nested more than"));
  });
});

describe("the attributes of a file", () => {
  const facts = { bucket: "a", path: "b", size: 1, etag: "c", modified: "2026-01-02T03:04:05Z" };
  const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));

  it("have a place in an index", () => {
    expect(beyondBounds({ ...facts, metadata: { deep: nested(20), long: "x".repeat(60_000) } })).toBeUndefined();
  });

  it.each([
    ["nested", { deep: nested(40) }, "nested more than 32 levels"],
    ["nested very deeply", { deep: nested(100_000) }, "nested more than 32 levels"],
    ["long", { long: "x".repeat(70_000) }, `may have ${FILE_FACTS.bytes}`],
  ])("have none where they are %s", (_what, metadata, message) => {
    const problem = { code: "CONFIG", message: expect.stringContaining(message) as string };
    expect(beyondBounds({ ...facts, metadata })).toMatchObject(problem);
  });
});
