import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { copyBackup } from "../../../runner/operations/copy.ts";
import type { Manifest, ManifestObject } from "../../../runner/backups/documents/manifest.ts";
import { seal } from "../../../runner/backups/documents/sealed-json.ts";
import { folderTarget } from "../../../runner/operations/files/folder-target.ts";
import { restoreFiles } from "../../../runner/operations/files/restore-files.ts";
import type { Telemetry } from "../../../runner/run/telemetry.ts";
import { verify } from "../../../runner/operations/verify.ts";
import { objectOf } from "../../helpers/sample-files.ts";
import { sampleManifest } from "../../helpers/sample-manifest.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { fill, openStore } from "../../helpers/store.ts";

const ID = "20260101T000000Z-abcdef";
const job = { stack: "prod", name: "app" };
const { signal } = new AbortController();
/** Bytes that no compressor makes smaller, and some that it makes much smaller. */
const DUMP = randomBytes(700_000);
const FILES = [Buffer.alloc(500_000, "x"), randomBytes(300_000)];

const measured = (bytes: Buffer) => ({ size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });

let folder: TemporaryFolder;
let from: StorageProvider;
let to: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  from = await openStore(join(folder.path, "from"));
  to = await openStore(join(folder.path, "to"));
  await store(from);
});
afterEach(() => {
  folder.remove();
});

const put = (storage: StorageProvider, file: string, bytes: Buffer) =>
  storage.upload(`prod/app/${file}`, Readable.from([bytes]));

/** A backup of an archive that nobody here can decrypt, and of two files. */
async function store(storage: StorageProvider): Promise<void> {
  const entries = FILES.map((plain, index) => {
    const stored = zstdCompressSync(plain);
    const name = String(index);
    const file = { bucket: "b", path: name, size: plain.length, etag: "e", modified: "2026-01-01T00:00:00Z" };
    const id = name.repeat(64);
    return { stored, entry: { id, object: objectOf(name), stored: measured(stored), plain: measured(plain), file } };
  });
  for (const { stored, entry } of entries) await put(storage, entry.object, stored);
  const lines = Buffer.from(entries.map(({ entry }) => `${JSON.stringify(entry)}\n`).join(""));
  const index = zstdCompressSync(lines);
  const common = { compression: "zstd" as const, encryption: null };
  const objects: ManifestObject[] = [
    {
      ...{ file: "database.dump.zst.age", artifact: "database.dump", format: "pg_dump-custom", compression: "zstd" },
      ...{ encryption: "age", stored: measured(DUMP), plain: { size: 9_000_000, sha256: "0".repeat(64) } },
    },
    {
      ...{ file: "files.jsonl.zst", artifact: "files.jsonl", format: "file-index", ...common },
      ...{ stored: measured(index), plain: measured(lines) },
    },
  ];
  const bucket = { name: "b", public: false, fileSizeLimit: null, allowedMimeTypes: null, leftOut: 0 };
  const files: Manifest["files"] = {
    kind: "supabase",
    from: "a project",
    buckets: [{ ...bucket, files: FILES.length, bytes: FILES.reduce((sum, { length }) => sum + length, 0) }],
  };
  await put(storage, `${ID}/database.dump.zst.age`, DUMP);
  await put(storage, `${ID}/files.jsonl.zst`, index);
  await fill(storage, [`prod/app/${ID}/manifest.json`], seal({ ...sampleManifest(ID), objects, files }));
}

/** Hears how far something is. */
class Heard {
  readonly calls: (readonly [bytes: number, total: number])[] = [];
  readonly progress = (bytes: number, total = 0) => void this.calls.push([bytes, total]);

  get last() {
    return this.calls.at(-1);
  }

  get fallsBack(): boolean {
    return this.calls.some(([bytes], index) => bytes < (this.calls[index - 1]?.[0] ?? 0));
  }
}

const common = { job, id: ID, programs: { kind: "postgres" } as const, fileKeyOf: () => undefined, signal };

describe("verifying", () => {
  it("counts every byte of the objects and of the files once, up to the whole", async () => {
    const heard = new Heard();
    expect(await verify({ ...common, storage: from, progress: heard.progress })).toMatchObject({ outcome: "stored" });
    expect(heard.last).toEqual([1_500_000, 1_500_000]);
    expect(heard.calls.length).toBeGreaterThan(3);
    expect(heard.fallsBack).toBe(false);
  });

  it("leaves out of the whole what need not be read", async () => {
    const heard = new Heard();
    const skipContent = (object: string) => object === objectOf("0");
    await verify({ ...common, storage: from, skipContent, progress: heard.progress });
    expect(heard.last).toEqual([1_000_000, 1_000_000]);
  });

  it("counts once more what arrived damaged and is read again", async () => {
    const heard = new Heard();
    let isFirst = true;
    const flaky: StorageProvider = Object.assign(Object.create(from) as StorageProvider, {
      list: from.list.bind(from),
      upload: from.upload.bind(from),
      download: async (key: string, options: object) => {
        const bytes = await from.download(key, options);
        if (!key.endsWith(".age") || !isFirst) return bytes;
        isFirst = false;
        const damaged = await buffer(bytes);
        damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
        return Readable.from([damaged]);
      },
    });
    const { warnings } = await verify({ ...common, storage: flaky, progress: heard.progress });
    expect(warnings).toHaveLength(1);
    expect(heard.fallsBack).toBe(true);
    expect(heard.last).toEqual([1_500_000, 1_500_000]);
  });
});

/** A monitor that hears how far each step is, by its name. */
function listen(): { telemetry: Telemetry; heard: Map<string, Heard> } {
  const heard = new Map<string, Heard>();
  const telemetry: Telemetry = {
    trackError: () => undefined,
    checkIn: () => undefined,
    flush: () => Promise.resolve(true),
    measure: (name, _attributes, step) => {
      const progress = new Heard();
      heard.set(name, progress);
      return step({ set: () => undefined, progress: progress.progress });
    },
  };
  return { telemetry, heard };
}

describe("copying", () => {
  const copy = (telemetry: Telemetry) =>
    copyBackup({
      ...{ from: { storage: from, job }, to: { storage: to, job }, id: ID, telemetry, signal },
      verify: { programs: { kind: "postgres" }, identity: undefined },
    });
  const index = async () => (await buffer(await from.download(`prod/app/${ID}/files.jsonl.zst`))).length;

  it("counts what is copied, and then what is read back", async () => {
    const { telemetry, heard } = listen();
    await copy(telemetry);
    const whole = 1_500_000 + (await index());
    expect(heard.get("copy")?.last).toEqual([whole, whole]);
    expect(heard.get("verify")?.last).toEqual([1_500_000, 1_500_000]);
  });

  it("leaves out of the whole what an earlier attempt has copied", async () => {
    await put(to, `${ID}/database.dump.zst.age`, DUMP);
    await put(to, objectOf("1"), zstdCompressSync(FILES[1] ?? Buffer.alloc(0)));
    const { telemetry, heard } = listen();
    expect(await copy(telemetry)).toMatchObject({ copied: 2, kept: 2 });
    const whole = 500_000 + (await index());
    expect(heard.get("copy")?.last).toEqual([whole, whole]);
  });
});

it("restoring files counts those that are written, and none that are there already", async () => {
  const request = { storage: from, job, id: ID, identity: undefined, buckets: undefined, dryRun: false, signal };
  const target = await folderTarget(join(folder.path, "restored"));
  const [first, second] = [new Heard(), new Heard()];
  expect(await restoreFiles({ ...request, target, progress: first.progress })).toMatchObject({ files: 2, existing: 0 });
  expect(first.last).toEqual([800_000, 800_000]);
  expect(await restoreFiles({ ...request, target, progress: second.progress })).toMatchObject({ existing: 2 });
  expect(second.last?.[0] ?? 0).toBe(0);
});
