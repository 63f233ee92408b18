import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileFacts, FilesProvider } from "../../../providers/files/files.ts";
import { supabaseStorage } from "../../../providers/files/supabase-storage.ts";
import { describeFilesContract } from "../../contract/files.ts";
import { bytesOf, endlessStream, failingStream, streamOf } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { FaultyProxy } from "../../../tools/services/faulty-proxy.ts";
import { SupabaseStorageService } from "../../../tools/services/supabase-storage.ts";

const MiB = 1024 * 1024;
const { signal } = new AbortController();

let service: SupabaseStorageService;
let proxy: FaultyProxy;
let files: FilesProvider;
beforeEach(async () => {
  service = await SupabaseStorageService.start();
  service.makeBucket("papers");
  service.pageSize = 3;
  proxy = await FaultyProxy.start(service.url);
  const config = { kind: "supabase-storage", url: proxy.url, key: { env: "KEY" }, retrySeconds: 20 };
  files = await supabaseStorage.create(supabaseStorage.schema.parse(config), { secrets: { key: service.serviceKey } });
});
afterEach(async () => {
  expect(proxy.pending, "faults that nothing ran into").toBe(0);
  for (const { url, headers } of proxy.requests) {
    const others = Object.entries(headers).filter(([name]) => name !== "authorization" && name !== "apikey");
    expect(url + JSON.stringify(others)).not.toContain(service.serviceKey);
  }
  await files.close();
  await proxy.stop();
  await service.close();
});

async function listed(bucket = "papers") {
  const found = [];
  for await (const file of files.list(bucket, { signal })) found.push(file);
  return found;
}

/** Reads the one file of the bucket. */
async function readOnly() {
  const [file] = await listed();
  if (file === undefined) throw new RangeError("the bucket is empty");
  const { facts, source } = await files.read(file, { signal });
  return { facts, bytes: await buffer(source) };
}

const INTERNAL = JSON.stringify({
  statusCode: "500",
  error: "Internal",
  message: "Internal Server Error",
  code: "InternalError",
});

const factsOf = (path: string, size: number): FileFacts => ({
  bucket: "papers",
  path,
  size,
  etag: "e",
  modified: "2026-01-02T03:04:05.000Z",
  contentType: "application/pdf",
  cacheControl: "max-age=60",
  metadata: { pages: 3 },
});

describeFilesContract("supabase-storage", async () => {
  const fresh = await SupabaseStorageService.start();
  fresh.makeBucket("papers");
  const config = supabaseStorage.schema.parse({ kind: "supabase-storage", url: fresh.url, key: { env: "KEY" } });
  return {
    files: await supabaseStorage.create(config, { secrets: { key: fresh.serviceKey } }),
    put: (path, bytes) => {
      fresh.put(path, bytes, "papers");
    },
    remove: (path) => fresh.objects.delete(`papers/${path}`),
    dispose: () => fresh.close(),
  };
});

describe("files in Supabase Storage", () => {
  it("are listed over many pages, with what tells a changed one from an unchanged one", async () => {
    for (let n = 0; n < 10; n += 1) service.put(`a/${n}`, bytesOf(n), "papers");
    const before = await listed();
    expect(before.map(({ path }) => path)).toEqual(Array.from({ length: 10 }, (_, n) => `a/${n}`));
    expect(before.map(({ size }) => size)).toEqual(Array.from({ length: 10 }, (_, n) => n));
    expect(await listed()).toEqual(before);
    service.put("a/5", bytesOf(5, 2), "papers");
    expect((await listed())[5]?.etag).not.toBe(before[5]?.etag);
  });

  it("of a bucket that does not exist are not just none", async () => {
    expect((await failureOf(listed("gone"))).message).toMatch(/no such bucket/);
  });

  it("are read with all that belongs to them, through a connection that breaks", async () => {
    const bytes = bytesOf(3 * MiB);
    const about = { type: "application/pdf", cacheControl: "max-age=60", metadata: { pages: 3 } };
    service.put("odd name ?#%+&.pdf".replaceAll(/[#%]/g, "_"), bytes, "papers", about);
    proxy.misbehave({ kind: "cut-response", after: MiB }, ({ url }) => url.includes("/object/authenticated/"));
    const read = await readOnly();
    expect(read.bytes.equals(bytes)).toBe(true);
    expect(read.facts).toMatchObject({
      contentType: "application/pdf",
      cacheControl: "max-age=60",
      metadata: { pages: 3 },
    });
  });

  it("that were replaced since they were listed are other ones", async () => {
    service.put("a", bytesOf(100), "papers");
    const [file] = await listed();
    if (file === undefined) throw new RangeError("the bucket is empty");
    service.put("a", bytesOf(200), "papers");
    const { facts, source } = await files.read(file, { signal });
    expect(facts.size).toBe(200);
    expect(facts.etag).not.toBe(file.etag);
    expect((await buffer(source)).length).toBe(200);
  });

  it("that are gone are NOT_FOUND", async () => {
    service.put("a", bytesOf(100), "papers");
    const [file] = await listed();
    if (file === undefined) throw new RangeError("the bucket is empty");
    service.objects.delete("papers/a");
    expect(await failureOf(files.read(file, { signal }))).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/does not exist/) as string,
    });
  });

  it.each([0, 1_000, 6 * MiB, 13 * MiB + 5])("of %i bytes are written with all that belongs to them", async (size) => {
    const bytes = bytesOf(size);
    await files.write(factsOf("new/a (1).pdf", size), streamOf(bytes), { signal });
    const read = await readOnly();
    expect(read.bytes.equals(bytes)).toBe(true);
    expect(read.facts).toMatchObject({
      contentType: "application/pdf",
      cacheControl: "max-age=60",
      metadata: { pages: 3 },
    });
    expect(service.openUploads).toBe(0);
  });

  it.each(["max-age=60", "3600", "no-cache", "public, max-age=31536000, immutable"])(
    "keep the Cache-Control %s, as it was sent to the service and as it comes back",
    async (cacheControl) => {
      expect(await files.write({ ...factsOf("a", 9), cacheControl }, streamOf(bytesOf(9)), { signal })).toEqual([]);
      expect(service.objects.get("papers/a")?.cacheControl).toBe(cacheControl);
      expect((await readOnly()).facts.cacheControl).toBe(cacheControl);
    },
  );

  it.each([
    ["max-age=60", "max-age=60"],
    ["no-cache", "no-cache"],
    ["public, s-maxage=5, max-age=60", "max-age=60"],
    ["private", "no-cache"],
  ])("that are large and have the Cache-Control %s get %s, and a difference is reported", async (sent, kept) => {
    const size = 7 * MiB;
    const facts = { ...factsOf("a", size), cacheControl: sent };
    const told = await files.write(facts, streamOf(bytesOf(size)), { signal });
    expect(service.objects.get("papers/a")?.cacheControl).toBe(kept);
    expect(told).toEqual(sent === kept ? [] : [expect.stringContaining(`is ${kept}, and was ${sent}`)]);
  });

  it("of which the service does not tell all have what it tells", async () => {
    service.put("a", bytesOf(10), "papers", { type: null, cacheControl: null, metadata: null });
    const { facts } = await readOnly();
    expect(facts).not.toHaveProperty("contentType");
    expect(facts).not.toHaveProperty("cacheControl");
    expect(facts).not.toHaveProperty("metadata");
    service.objects.clear();
    await files.write(facts, streamOf(bytesOf(10)), { signal });
    expect(service.objects.get("papers/a")).toMatchObject({
      type: "application/octet-stream",
      cacheControl: "no-cache",
    });
  });

  it("are told apart by empty segments of their names", async () => {
    const names = ["a/b", "a//b", "a/b/", "a///b"];
    for (const [n, name] of names.entries()) {
      await files.write({ ...factsOf(name, n), cacheControl: "no-cache" }, streamOf(bytesOf(n)), { signal });
    }
    for (const file of await listed()) {
      const { source } = await files.read(file, { signal });
      expect((await buffer(source)).length, file.path).toBe(names.indexOf(file.path));
    }
    expect((await listed()).map(({ path }) => path).sort()).toEqual([...names].sort());
  });

  it.each(["../papers/b", "a/../b", "./b", "/b", ".", ".."])(
    "named %s are neither read nor written as another",
    async (path) => {
      service.put("b", bytesOf(10), "papers");
      const refused = [
        await failureOf(files.read({ ...factsOf(path, 10) }, { signal })),
        await failureOf(files.write(factsOf(path, 10), streamOf(bytesOf(10)), { signal })),
      ];
      for (const { code, message } of refused) {
        expect(code).toBe("CONFIG");
        expect(message).toContain(JSON.stringify(path));
      }
      expect([...service.objects.keys()]).toEqual(["papers/b"]);
      expect(service.downloaded).toEqual([]);
    },
  );

  it.each([1_000, 13 * MiB])("of %i bytes are written once where the answer was lost", async (size) => {
    const bytes = bytesOf(size);
    proxy.misbehave(
      { kind: "swallow" },
      ({ method, url, headers }) =>
        (method === "POST" && url.includes("/object/papers")) || headers["upload-length"] !== undefined,
    );
    await files.write(factsOf("a", size), streamOf(bytes), { signal });
    expect((await readOnly()).bytes.equals(bytes)).toBe(true);
  });

  it("are never written over others", async () => {
    service.put("a", bytesOf(10), "papers");
    const refused = await failureOf(files.write(factsOf("a", 20), streamOf(bytesOf(20)), { signal }));
    expect(refused.code).toBe("CONFLICT");
    expect(service.objects.get("papers/a")?.size).toBe(10);
  });

  it.each([100, 13 * MiB])("leave nothing where their source fails after %i bytes", async (size) => {
    await expect(
      files.write(factsOf("a", size * 2), failingStream(bytesOf(size), new Error("broken")), { signal }),
    ).rejects.toThrow();
    expect(await listed()).toEqual([]);
    expect(service.openUploads).toBe(0);
  });

  it("end with their signal", async () => {
    const controller = new AbortController();
    const endless = endlessStream();
    const writing = failureOf(files.write(factsOf("a", 1), endless, { signal: controller.signal }));
    controller.abort();
    expect((await writing).code).toBe("ABORTED");
    expect(endless.destroyed).toBe(true);
  });

  it("are in buckets that are listed and made with their settings", async () => {
    const bucket = { name: "avatars", public: true, fileSizeLimit: 5 * MiB, allowedMimeTypes: ["image/*"] };
    await files.makeBucket(bucket, { signal });
    expect(await files.buckets({ signal })).toContainEqual(bucket);
    expect((await files.buckets({ signal })).map(({ name }) => name)).toEqual(["avatars", "backups", "papers"]);
    expect((await failureOf(files.makeBucket(bucket, { signal }))).code).toBe("CONFLICT");
  });

  it("are refused to a key that policies bind", async () => {
    const config = supabaseStorage.schema.parse({ kind: "supabase-storage", url: proxy.url, key: { env: "KEY" } });
    const refused = await failureOf(supabaseStorage.create(config, { secrets: { key: service.anonKey } }));
    expect(refused.code).toBe("CONFIG");
    expect(refused.message).not.toContain(service.anonKey);
  });
});

describe.each(["file", "s3"] as const)("files whose content is lost, in Storage on %s", (backend) => {
  beforeEach(() => {
    service.backend = backend;
  });

  const requestsFor = (path: string) => proxy.requests.filter(({ url }) => url.includes(path)).length;

  it("are named as lost at once, at the cost of three requests", async () => {
    for (const name of ["a", "b", "lost"]) service.put(name, bytesOf(100), "papers");
    service.rowsAlone.add("papers/lost");
    const found = await listed();
    const refused = await failureOf(files.read({ ...factsOf("lost", 100) }, { signal }));
    expect(found.map(({ path }) => path)).toContain("lost");
    expect(refused.code).toBe("NOT_FOUND");
    expect(refused.message).toContain("The content of papers/lost");
    expect(refused.message).toContain("is missing in Storage");
    expect(refused.fix).toContain("restore --files");
    expect(requestsFor("/lost")).toBe(3);
  });

  it("are put behind their rows, which keep ids and times, with attributes and without leaving anything else", async () => {
    const names = Array.from({ length: 40 }, (_, n) => `a/${n}`);
    for (const name of names) {
      service.put(name, bytesOf(0), "papers");
      service.rowsAlone.add(`papers/${name}`);
    }
    const before = new Map(service.objects);
    const sizes = names.map((_, n) => (n === 7 ? 13 * MiB : n * 3));
    const one = (name: string, n: number) =>
      files.write(factsOf(name, sizes[n] ?? 0), streamOf(bytesOf(sizes[n] ?? 0)), { signal });
    await Promise.all(names.map(one));
    // Of each: its facts, its content twice, another one's, and it is written; the large one in four requests more.
    expect(proxy.requests.length).toBeLessThanOrEqual(names.length * 5 + 8);
    expect([...service.objects.keys()].sort()).toEqual(names.map((name) => `papers/${name}`).sort());
    for (const [n, file] of (await listed())
      .sort((x, y) => Number(x.path.slice(2)) - Number(y.path.slice(2)))
      .entries()) {
      const { facts, source } = await files.read(file, { signal });
      expect((await buffer(source)).equals(bytesOf(sizes[n] ?? 0)), file.path).toBe(true);
      expect(facts).toMatchObject({
        contentType: "application/pdf",
        cacheControl: "max-age=60",
        metadata: { pages: 3 },
      });
      const row = service.objects.get(`papers/${file.path}`);
      expect(row).toMatchObject({
        id: before.get(`papers/${file.path}`)?.id,
        created: before.get(`papers/${file.path}`)?.created,
      });
    }
  });

  it("leave no unfinished upload where their source fails", async () => {
    service.put("a", bytesOf(10), "papers");
    service.rowsAlone.add("papers/a");
    const source = failingStream(bytesOf(13 * MiB), new Error("broken"));
    await expect(files.write(factsOf("a", 26 * MiB), source, { signal })).rejects.toThrow("broken");
    expect(service.openUploads).toBe(0);
    expect(service.rowsAlone).toContain("papers/a");
  });

  it("are none while no content can be read: nothing is written over a file that is there", async () => {
    service.put("a", bytesOf(10), "papers");
    service.unreadable.add("*");
    setTimeout(() => {
      service.unreadable.clear();
    }, 1_500);
    const refused = await failureOf(files.write(factsOf("a", 20), streamOf(bytesOf(20)), { signal }));
    expect(refused.code).toBe("CONFLICT");
    expect([...service.objects]).toHaveLength(1);
    expect(service.objects.get("papers/a")?.size).toBe(10);
  });

  it("are none where the fault of one file passes", async () => {
    for (const name of ["a", "b"]) service.put(name, bytesOf(100), "papers");
    const [file] = await listed();
    if (file === undefined) throw new RangeError("the bucket is empty");
    proxy.misbehave({ kind: "answer", status: 500, body: INTERNAL }, ({ url }) =>
      url.includes("authenticated/papers/a"),
    );
    expect((await buffer((await files.read(file, { signal })).source)).length).toBe(100);
  });
});
