import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { DatabaseArtifact, DatabaseBackup } from "../../../../providers/database/database.ts";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { commit } from "../../../../runner/operations/backup/commit.ts";
import type { Live } from "../../../../runner/operations/backup/destination.ts";
import { dumpArtifact } from "../../../../runner/operations/backup/dump-artifact.ts";
import type { Draft, RunState } from "../../../../runner/operations/backup/state.ts";
import { readManifest } from "../../../../runner/backups/catalogue/catalogue.ts";
import type { Manifest } from "../../../../runner/backups/documents/manifest.ts";
import { bytesOf, streamOf } from "../../../helpers/bytes.ts";
import { measured, measuredByCrc32 } from "../../../helpers/measured.ts";
import { sampleManifest } from "../../../helpers/sample-manifest.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { openStore } from "../../../helpers/store.ts";

const ID = "20260102T030405Z-1a2b3c";
const JOB = { stack: "prod", name: "app" };
const DUMP = bytesOf(2_000_003);
const signal = new AbortController().signal;
const SHA = measured(DUMP);
const CRC = measuredByCrc32(DUMP);
const INDEX: Manifest["objects"][number] = {
  ...{ file: "files.jsonl.zst", artifact: "files.jsonl", format: "file-index", compression: "zstd", encryption: null },
  ...{ stored: measured(Buffer.from("stored")), plain: measured(Buffer.from("plain")) },
};

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

/** The manifest that a run writes of some dumps, and of an index of files. */
async function manifestOf(compression: object, dumps: readonly string[], withFiles = false): Promise<Manifest> {
  const destination: Live = { description: "it", facts: {}, storage, errors: [], warnings: [], stored: false };
  const span = { set: () => undefined, progress: () => undefined };
  const state = {
    run: { job: { ...JOB, database: { kind: "postgres" }, destinations: [{}], compression }, signal },
    trace: { step: <T>(_name: string, _about: object, work: (of: typeof span) => Promise<T>) => work(span) },
    destinations: [destination],
  } as unknown as RunState;
  const files = { kind: "supabase-storage", from: "a project", buckets: [] };
  const draft: Draft = {
    ...{ id: ID, startedAt: new Date(0), order: 0, formerly: [], objects: [], omitted: [], incomplete: false },
    fileKeys: new Map(),
    files: withFiles
      ? {
          stored: new Map([[storage, { manifest: files, index: INDEX }]]),
          report: { copied: 0, copiedBytes: 0, unchanged: 0, leftOut: [] },
          ...{ reused: new Set(), fileKeys: new Map() },
        }
      : undefined,
  };
  if (withFiles) await storage.upload(`prod/app/${ID}/${INDEX.file}`, Readable.from([Buffer.from("stored")]));
  for (const name of dumps) {
    const artifact = { name, format: "pg_dump-custom", required: true, covers: [], open: () => streamOf(DUMP) };
    await dumpArtifact(state, draft, artifact satisfies DatabaseArtifact);
  }
  const { database } = sampleManifest(ID);
  const { name, size, encoding, serverVersion, clientVersion, tables, roles } = database;
  const facts: DatabaseBackup["facts"] = {
    ...{ name, size, encoding, serverVersion, clientVersion, tables, roles },
    ...{ snapshotTime: new Date(0), identity: { systemIdentifier: null, name: null } },
  };
  await commit(state, draft, destination, facts);
  expect(destination.errors).toEqual([]);
  return readManifest(storage, JOB, ID, signal);
}

it.each<[string, object, readonly string[], boolean, 1 | 2, Manifest["objects"][number]["plain"][]]>([
  ["a CRC-32, in format 2", { level: 1 }, ["database.dump", "roles.sql"], false, 2, [CRC, CRC]],
  ["a CRC-32, where the job says so", { level: 1, plainSha256: false }, ["database.dump"], false, 2, [CRC]],
  [
    "a SHA-256, in format 1, where the job wants it",
    { level: 1, plainSha256: true },
    ["database.dump"],
    false,
    1,
    [SHA],
  ],
  ["a CRC-32 beside an index of files with its SHA-256", { level: 1 }, ["database.dump"], true, 2, [CRC, INDEX.plain]],
  ["nothing, in format 1, beside an index of files alone", { level: 1 }, [], true, 1, [INDEX.plain]],
])("a manifest has of a dump %s", async (_what, compression, dumps, withFiles, format, plain) => {
  const manifest = await manifestOf(compression, dumps, withFiles);
  expect(manifest.objects.map((object) => object.plain)).toEqual(plain);
  expect(manifest.format).toBe(format);
});
