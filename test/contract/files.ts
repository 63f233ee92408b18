import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileFacts, FilesProvider, ListedFile } from "../../providers/files/files.ts";
import { bytesOf, endlessStream, failingStream, streamOf } from "../helpers/bytes.ts";
import { failureOf } from "../helpers/failure.ts";

const MiB = 1024 * 1024;
const { signal } = new AbortController();

/** A source of files under test, fresh and without files; its bucket `papers` exists. */
export interface FilesSubject {
  readonly files: FilesProvider;
  /** Puts a file into `papers` as another program would, over one that is there. */
  put(path: string, bytes: Buffer): void;
  /** Removes a file of `papers` as another program would. */
  remove(path: string): void;
  dispose(): Promise<void>;
}

/** The behaviour that every kind of file source has; see the documentation of `FilesProvider`. */
export function describeFilesContract(kind: string, open: () => Promise<FilesSubject>): void {
  describe(`${kind} keeps the contract of files`, () => {
    let subject: FilesSubject;
    let files: FilesProvider;
    beforeEach(async () => {
      subject = await open();
      ({ files } = subject);
    });
    afterEach(async () => {
      await files.close();
      await files.close();
      await subject.dispose();
    });

    const listed = async (bucket = "papers"): Promise<ListedFile[]> => {
      const found: ListedFile[] = [];
      for await (const file of files.list(bucket, { signal })) found.push(file);
      return found;
    };
    const only = async (): Promise<ListedFile> => {
      const [file, second] = await listed();
      if (file === undefined || second !== undefined) throw new RangeError("expected one file in the bucket");
      return file;
    };
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

    it("names its kind, and describes itself", () => {
      expect(files.kind).toBe(kind);
      expect(files.description).toMatch(/\w/);
    });

    it("lists all files of a bucket, and of one that is changed other facts", async () => {
      const paths = Array.from({ length: 8 }, (_, n) => `a/${n % 2}/${n}`).sort();
      for (const [n, path] of paths.entries()) subject.put(path, bytesOf(n));
      const before = await listed();
      expect(before.map(({ bucket, path, size }) => [bucket, path, size]).sort()).toEqual(
        paths.map((path, n) => ["papers", path, n]),
      );
      expect(await listed()).toEqual(before);
      subject.put("a/0/4", bytesOf(4, 2));
      const changed = await listed();
      expect(changed.filter((file, n) => file.etag !== before[n]?.etag).map(({ path }) => path)).toEqual(["a/0/4"]);
    });

    it("refuses to list a bucket that does not exist", async () => {
      expect(["NOT_FOUND", "CONFIG"]).toContain((await failureOf(listed("gone"))).code);
    });

    it.each([0, 1_000, 7 * MiB])("writes a file of %i bytes with its attributes, and reads it back", async (size) => {
      const bytes = bytesOf(size);
      expect(await files.write(factsOf("new/a (1).pdf", size), streamOf(bytes), { signal })).toEqual([]);
      const { facts, source } = await files.read(await only(), { signal });
      expect((await buffer(source)).equals(bytes)).toBe(true);
      const { contentType, cacheControl, metadata } = factsOf("", size);
      expect(facts).toMatchObject({ path: "new/a (1).pdf", size, contentType, cacheControl, metadata });
    });

    it("reads a file that was replaced since it was listed as the new one", async () => {
      subject.put("a", bytesOf(100));
      const file = await only();
      subject.put("a", bytesOf(200));
      const { facts, source } = await files.read(file, { signal });
      expect(facts.size).toBe(200);
      expect(facts.etag).not.toBe(file.etag);
      expect((await buffer(source)).length).toBe(200);
    });

    it("finds no file that is gone since it was listed", async () => {
      subject.put("a", bytesOf(100));
      const file = await only();
      subject.remove("a");
      expect((await failureOf(files.read(file, { signal }))).code).toBe("NOT_FOUND");
    });

    it("never writes over a file", async () => {
      subject.put("a", bytesOf(10));
      const source = streamOf(bytesOf(20));
      expect((await failureOf(files.write(factsOf("a", 20), source, { signal }))).code).toBe("CONFLICT");
      expect(source.destroyed).toBe(true);
      expect((await only()).size).toBe(10);
    });

    it.each([100, 7 * MiB])("leaves nothing of a file whose source fails after %i bytes", async (size) => {
      const source = failingStream(bytesOf(size), new Error("broken"));
      await expect(files.write(factsOf("a", size * 2), source, { signal })).rejects.toThrow();
      expect(source.destroyed).toBe(true);
      expect(await listed()).toEqual([]);
    });

    it("ends a write with its signal", async () => {
      const controller = new AbortController();
      const endless = endlessStream();
      const writing = failureOf(files.write(factsOf("a", 1), endless, { signal: controller.signal }));
      controller.abort();
      expect((await writing).code).toBe("ABORTED");
      expect(endless.destroyed).toBe(true);
      expect(await listed()).toEqual([]);
    });

    it("makes a bucket with its settings, once", async () => {
      const bucket = { name: "avatars", public: true, fileSizeLimit: 5 * MiB, allowedMimeTypes: ["image/*"] };
      await files.makeBucket(bucket, { signal });
      const found = await files.buckets({ signal });
      expect(found).toContainEqual(bucket);
      const names = found.map(({ name }) => name);
      expect(names).toEqual([...names].sort());
      expect((await failureOf(files.makeBucket(bucket, { signal }))).code).toBe("CONFLICT");
    });
  });
}
