import { setTimeout as sleep } from "node:timers/promises";
import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { StoredObject } from "../../providers/transfer/object.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf, streamThen } from "../helpers/bytes.ts";
import { failureOf } from "../helpers/failure.ts";
import { describeLeaseContract } from "./lease.ts";
import { failAtRandomPoints, SEED, stallAtRandomPoints } from "../helpers/random-points.ts";

const MiB = 1024 * 1024;

/** Random points at which a source fails or stalls; `test/faults/random-points.test.ts` has many more. */
const POINTS = 10;

/** The limit of the tests of sources that stall. */
const STALL_SECONDS = 1;

/** How a store can be made to lie about an upload under way: to hold fewer or more bytes, or others, than it was sent. */
export type Lie = "shorter" | "longer" | "different";

/** What differs from store to store. Everything else every provider must do. */
export interface StorageCapabilities {
  /** Keys with characters outside ASCII are kept as they are. */
  readonly unicodeKeys: boolean;
  /** Keys with spaces, quotes and the characters that URLs and shells treat specially are kept as they are. */
  readonly oddKeys: boolean;
  /** The lies that the provider must notice: by the size at least, by a checksum too where the store reports one. */
  readonly lies: readonly Lie[];
  /** Bytes that one request of an upload carries: a longer stream takes several. */
  readonly chunkBytes: number;
  /** Bytes that a provider may hold between its source and the store, its chunks and look-ahead together. */
  readonly maxBuffered: number;
  /** The store itself refuses to overwrite, so that of several uploads at the same moment exactly one wins. */
  readonly refusesToOverwrite: boolean;
  /** Uploads interrupted by a kill leave something behind that `removeUnfinished` must find. */
  readonly leavesUnfinished: boolean;
}

/** A store under test: fresh, empty, and its own. */
export interface StorageSubject {
  readonly storage: StorageProvider;
  /** Makes the store lie about the upload of `key` that is under way and has sent `size` bytes. */
  tamper(key: string, size: number, lie: Lie): Promise<void>;
  /** Bytes that have reached the store for the upload of `key` that is under way. */
  received(key: string): Promise<number>;
  /** Leaves behind at `key` what a process killed in mid-upload would. */
  strand(key: string): Promise<void>;
  /** How many unfinished uploads the store holds, by other means than the provider's. */
  unfinished(): Promise<number>;
  /** Takes the store away. */
  dispose(): Promise<void>;
}

/** Opens a store; `stallTimeoutSeconds` is the provider's setting of that name. */
export type OpenStorage = (settings: { stallTimeoutSeconds: number }) => Promise<StorageSubject>;

/** The behaviour that every kind of storage has; see the documentation of `StorageProvider`. */
export function describeStorageContract(name: string, open: OpenStorage, capabilities: StorageCapabilities): void {
  describe(`${name} keeps the storage contract`, () => {
    let subject: StorageSubject;
    let storage: StorageProvider;
    const use = async (stallTimeoutSeconds: number) => {
      subject = await open({ stallTimeoutSeconds });
      storage = subject.storage;
    };
    beforeEach(() => use(60));
    afterEach(async () => {
      await storage.close();
      await subject.dispose();
    });

    const put = (key: string, bytes = bytesOf(100)) => storage.upload(key, streamOf(bytes));
    const keys = async (prefix = "") => (await collect(storage.list(prefix))).map((object) => object.key);

    /** Nothing is visible of a key, and nothing is left of its upload. */
    const expectNothing = async (key: string) => {
      expect(await failureOf(storage.stat(key))).toMatchObject({ code: "NOT_FOUND" });
      expect(await keys()).not.toContain(key);
      expect(await subject.unfinished()).toBe(0);
    };

    it("describes itself", () => {
      expect(storage.kind).toMatch(/^[a-z0-9-]+$/);
      expect(storage.description).toContain(storage.kind);
    });

    describe("upload and download", () => {
      const sizes = [
        0,
        1,
        65_537,
        4 * MiB - 1,
        4 * MiB,
        4 * MiB + 1,
        8 * MiB - 1,
        8 * MiB,
        8 * MiB + 1,
        20 * MiB + 12_345,
      ];
      it.each(sizes)("gives back %i bytes as they were", async (size) => {
        const bytes = bytesOf(size);
        const before = Date.now();
        const stored = await storage.upload("folder/object", streamOf(bytes));
        expect(stored).toMatchObject({ key: "folder/object", size });
        // A store's clock may differ from this one's by minutes.
        expect(Math.abs(stored.modified.getTime() - before)).toBeLessThan(600_000);
        expect(await digestOf(await storage.download("folder/object"))).toBe(digest(bytes));
        expect(await storage.stat("folder/object")).toMatchObject({ key: "folder/object", size });
        expect(await collect(storage.list(""))).toMatchObject([{ key: "folder/object", size }]);
        expect(await subject.unfinished()).toBe(0);
      });

      it.each([1, 1000, 3 * MiB])("takes pieces of %i bytes", async (pieceSize) => {
        const bytes = bytesOf(pieceSize === 1 ? 20_000 : 9 * MiB);
        await storage.upload("object", streamOf(bytes, pieceSize));
        expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
      });

      it.each([0, 1, 1024 ** 4])("takes a guess of the size that is wrong: %i", async (sizeEstimate) => {
        const bytes = bytesOf(5 * MiB);
        await storage.upload("object", streamOf(bytes), { sizeEstimate });
        expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
      });

      it("waits for a source that pauses", async () => {
        const bytes = bytesOf(200_000);
        const source = streamThen(bytes, () => sleep(300));
        await storage.upload("object", source);
        expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
      });

      it("keeps a secret-free description of where it is", async () => {
        await put("object");
        expect(storage.description).not.toMatch(/password|secret|:\/\/[^/]*@/i);
      });

      it("shows an object only when it is whole", async () => {
        const seen: unknown[] = [];
        const source = streamThen(bytesOf(6 * MiB), async () => {
          seen.push(await keys(), (await failureOf(storage.stat("object"))).code);
        });
        await storage.upload("object", source);
        expect(seen).toEqual([[], "NOT_FOUND"]);
        expect(await keys()).toEqual(["object"]);
      });

      it("does not read ahead of the store without bound", async () => {
        let sent = 0;
        let ahead = 0;
        const piece = bytesOf(MiB / 2);
        const source = Readable.from(
          (async function* () {
            for (let count = 0; count < 256; count += 1) {
              if (count % 8 === 0) ahead = Math.max(ahead, sent - (await subject.received("object")));
              sent += piece.length;
              yield piece;
            }
          })(),
          { objectMode: false },
        );
        await storage.upload("object", source);
        expect(sent).toBe(128 * MiB);
        // What the source itself has ready counts too: one piece.
        expect(ahead).toBeLessThanOrEqual(capabilities.maxBuffered + piece.length);
        // What it says of itself is what it holds, but for what waits before its chunks.
        if (storage.heldBytes !== undefined) {
          expect(capabilities.maxBuffered - storage.heldBytes).toBeGreaterThanOrEqual(0);
          expect(capabilities.maxBuffered - storage.heldBytes).toBeLessThanOrEqual(2 * MiB);
        }
      });
    });

    describe("a source that fails", () => {
      const cases: [string, number][] = [
        ["at its start", 0],
        ["in the middle", 3 * MiB],
        ["after its last byte, on a chunk's border", 8 * MiB],
        ["after its last byte", 5 * MiB + 7],
      ];
      it.each(cases)("%s leaves nothing", async (_when, size) => {
        const cause = new ProviderError("TRANSIENT", "pg_dump exited with 1");
        const source = failingStream(bytesOf(size), cause);
        expect(await failureOf(storage.upload("a/object", source))).toBe(cause);
        expect(source.destroyed).toBe(true);
        await expectNothing("a/object");
      });

      it("with an error of its own kind is reported as a ProviderError", async () => {
        const error = await failureOf(storage.upload("object", failingStream(bytesOf(10), new Error("pipe broke"))));
        expect(error).toMatchObject({ code: "INTERNAL", message: "pipe broke" });
        // The operating system's code of a source's error says nothing about the store.
        const noEntry = Object.assign(new Error("spawn pg_dump ENOENT"), { code: "ENOENT" });
        expect(await failureOf(storage.upload("object", failingStream(bytesOf(10), noEntry)))).toMatchObject({
          code: "INTERNAL",
          message: "spawn pg_dump ENOENT",
        });
        await expectNothing("object");
      });

      it("before the upload begins is noticed", async () => {
        const source = new PassThrough();
        source.on("error", () => undefined);
        source.destroy(new Error("failed early"));
        await sleep(5);
        expect(await failureOf(storage.upload("object", source))).toBeInstanceOf(ProviderError);
        await expectNothing("object");
      });

      it("is given up while it fails, without an unhandled error", async () => {
        const source = new PassThrough();
        const upload = storage.upload("object", source);
        source.destroy(new Error("failed at once"));
        expect(await failureOf(upload)).toMatchObject({ message: "failed at once" });
        await expectNothing("object");
      });

      it("by having been read already leaves nothing", async () => {
        const source = streamOf(bytesOf(100));
        await digestOf(source);
        expect(await failureOf(storage.upload("object", source))).toBeInstanceOf(ProviderError);
        await expectNothing("object");
      });

      it.each([0, 100, 5 * MiB])("by being closed without an error after %i bytes leaves nothing", async (size) => {
        const source = streamThen(bytesOf(size), async (stream) => {
          await sleep(5);
          stream.destroy();
        });
        expect(await failureOf(storage.upload("object", source))).toBeInstanceOf(ProviderError);
        await expectNothing("object");
      });

      it.each(["before", "after"])(
        "by being closed like a pipe, %s it has given its last byte, leaves nothing",
        async (when) => {
          const source = new PassThrough({ highWaterMark: 64 * MiB });
          source.write(bytesOf(100));
          const upload = storage.upload("object", source);
          await sleep(20);
          source.write(bytesOf(20 * MiB));
          if (when === "after") source.end();
          source.destroy();
          expect(await failureOf(upload)).toBeInstanceOf(ProviderError);
          await expectNothing("object");
        },
      );

      it(`at any of ${POINTS} points (seed ${SEED}) neither hangs nor leaves anything`, () =>
        failAtRandomPoints(subject, capabilities.chunkBytes, POINTS));
    });

    describe("a source that stalls", () => {
      beforeEach(async () => {
        await subject.dispose();
        await use(STALL_SECONDS);
      });

      it.each([0, 100, 5 * MiB, capabilities.chunkBytes, capabilities.chunkBytes + MiB + 7])(
        "after %i bytes is given up",
        async (size) => {
          const source = streamThen(bytesOf(size), () => new Promise(() => undefined));
          const begun = Date.now();
          const error = await failureOf(storage.upload("object", source));
          expect(error.code).toBe("TRANSIENT");
          expect(error.message).toMatch(/stalled/);
          expect(error.fix).toMatch(/stallTimeoutSeconds/);
          expect(Date.now() - begun).toBeGreaterThanOrEqual(STALL_SECONDS * 990);
          expect(source.destroyed).toBe(true);
          await expectNothing("object");
        },
      );

      it(`at any of ${POINTS} points (seed ${SEED}) never hangs an upload`, () =>
        stallAtRandomPoints(subject, capabilities.chunkBytes, POINTS));

      it("is not one that is merely slow", async () => {
        const source = Readable.from(
          (async function* () {
            for (let count = 0; count < 6; count += 1) {
              await sleep(250);
              yield bytesOf(10);
            }
          })(),
          { objectMode: false },
        );
        expect(await storage.upload("object", source)).toMatchObject({ size: 60 });
      });

      it("does not end a download whose reader is slow", async () => {
        const bytes = bytesOf(5 * MiB);
        await put("object", bytes);
        const stream = await storage.download("object");
        await sleep(STALL_SECONDS * 1_200);
        expect(await digestOf(stream)).toBe(digest(bytes));
      });
    });

    describe("abort", () => {
      it("before the upload", async () => {
        const source = streamOf(bytesOf(100));
        const error = await failureOf(storage.upload("object", source, { signal: AbortSignal.abort() }));
        expect(error.code).toBe("ABORTED");
        expect(source.destroyed).toBe(true);
        await expectNothing("object");
      });

      it.each([0, 100, 5 * MiB, capabilities.chunkBytes + MiB + 7])("after %i bytes", async (size) => {
        const controller = new AbortController();
        const source = streamThen(bytesOf(size), async () => {
          controller.abort();
          await sleep(10_000, undefined, { ref: false });
        });
        const error = await failureOf(storage.upload("object", source, { signal: controller.signal }));
        expect(error.code).toBe("ABORTED");
        expect(source.destroyed).toBe(true);
        await expectNothing("object");
      });

      it("keeps a ProviderError that is its reason", async () => {
        const reason = new ProviderError("ABORTED", "the time limit of 5 minutes was reached");
        const signal = AbortSignal.abort(reason);
        expect(await failureOf(storage.upload("object", streamOf(bytesOf(1)), { signal }))).toBe(reason);
      });

      it("right at the end gives an object or nothing", async () => {
        for (let count = 0; count < 20; count += 1) {
          const controller = new AbortController();
          const upload = storage.upload(`end/${count}`, streamOf(bytesOf(1000)), { signal: controller.signal });
          setTimeout(() => {
            controller.abort();
          }, count / 4);
          const outcome = await upload.catch((error: unknown) => error);
          const visible = await keys("end").then((all) => all.includes(`end/${count}`));
          expect(visible).toBe(!(outcome instanceof Error));
        }
      });

      it("after the upload changes nothing", async () => {
        const controller = new AbortController();
        await storage.upload("object", streamOf(bytesOf(100)), { signal: controller.signal });
        controller.abort();
        expect(await keys()).toEqual(["object"]);
      });

      it("of a listing, a stat and a remove", async () => {
        await put("object");
        const signal = AbortSignal.abort();
        expect(await failureOf(collect(storage.list("", { signal })))).toMatchObject({ code: "ABORTED" });
        expect(await failureOf(storage.stat("object", { signal }))).toMatchObject({ code: "ABORTED" });
        expect(await failureOf(storage.remove(["object"], { signal }))).toMatchObject({ code: "ABORTED" });
        expect(await keys()).toEqual(["object"]);
      });

      it("before and during a download", async () => {
        await put("object", bytesOf(30 * MiB));
        const aborted = AbortSignal.abort();
        expect(await failureOf(storage.download("object", { signal: aborted }))).toMatchObject({ code: "ABORTED" });
        const controller = new AbortController();
        const stream = await storage.download("object", { signal: controller.signal });
        let size = 0;
        const reading = (async () => {
          for await (const chunk of stream as AsyncIterable<Buffer>) {
            size += chunk.length;
            controller.abort();
          }
        })();
        expect(await failureOf(reading)).toMatchObject({ code: "ABORTED" });
        expect(size).toBeLessThan(30 * MiB);
      });
    });

    describe("a key that exists", () => {
      it("is never overwritten", async () => {
        const bytes = bytesOf(1000);
        await put("object", bytes);
        const source = streamOf(bytesOf(2000, 2));
        const error = await failureOf(storage.upload("object", source));
        expect(error.code).toBe("CONFLICT");
        expect(error.message).toContain("object");
        expect(error.fix).toBeDefined();
        expect(source.destroyed).toBe(true);
        expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
        expect(await subject.unfinished()).toBe(0);
      });

      it("after it was removed can be used again", async () => {
        await put("object");
        await storage.remove(["object"]);
        expect(await put("object", bytesOf(5))).toMatchObject({ size: 5 });
      });

      if (capabilities.refusesToOverwrite) {
        it("is won by exactly one of several uploads at the same time", async () => {
          const uploads = Array.from({ length: 6 }, (_, index) => put("race/object", bytesOf(300_000, index + 1)));
          const outcomes = await Promise.allSettled(uploads);
          const winners = outcomes.flatMap((outcome, index) => (outcome.status === "fulfilled" ? [index] : []));
          expect(winners).toHaveLength(1);
          for (const outcome of outcomes) {
            if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "CONFLICT" });
          }
          const [winner = 0] = winners;
          expect(await digestOf(await storage.download("race/object"))).toBe(digest(bytesOf(300_000, winner + 1)));
          expect(await subject.unfinished()).toBe(0);
        });
      }
    });

    describeLeaseContract(() => storage, capabilities.refusesToOverwrite);

    describe("a key that does not exist", () => {
      it.each(["missing", "missing/too", "object/below", "obj", "folder"])("%s is NOT_FOUND", async (key) => {
        await put("object");
        await put("folder/inside");
        for (const request of [() => storage.stat(key), () => storage.download(key)]) {
          const error = await failureOf(request());
          expect(error.code).toBe("NOT_FOUND");
          expect(error.message).toContain(key);
        }
      });

      it("is no error to remove", async () => {
        await put("object");
        await put("folder/inside");
        await storage.remove(["missing", "missing/too", "object/below", "folder"]);
        await storage.remove([]);
        expect(await keys()).toEqual(["folder/inside", "object"]);
      });
    });

    describe("remove", () => {
      it("removes what is asked for, and nothing else", async () => {
        for (const key of ["a/1", "a/10", "a/2", "a1", "b/1"]) await put(key);
        await storage.remove(["a/1", "missing", "b/1", "a/1"]);
        expect(await keys()).toEqual(["a/10", "a/2", "a1"]);
        expect(await failureOf(storage.stat("a/1"))).toMatchObject({ code: "NOT_FOUND" });
      });
    });

    describe("list", () => {
      it("takes a prefix as a whole folder", async () => {
        for (const key of ["a/b", "a/b.txt", "a/bc/d", "a/b-1/d", "ab", "a-b/c", "c/a/b"]) await put(key);
        expect(await keys("a")).toEqual(["a/b", "a/b-1/d", "a/b.txt", "a/bc/d"]);
        expect(await keys("a/bc")).toEqual(["a/bc/d"]);
        expect(await keys("a/b")).toEqual([]);
        expect(await keys("missing/folder")).toEqual([]);
        expect(await keys("")).toEqual(["a-b/c", "a/b", "a/b-1/d", "a/b.txt", "a/bc/d", "ab", "c/a/b"]);
      });

      it("is empty where there is nothing", async () => {
        expect(await keys()).toEqual([]);
        await put("object");
        await storage.remove(["object"]);
        expect(await keys()).toEqual([]);
      });

      it("gives over 1,000 objects, in order, each once", { timeout: 300_000 }, async () => {
        // Zero-padded and not, so that the order of numbers and that of code units differ.
        const expected = Array.from({ length: 1050 }, (_, index) => `many/${index % 3}/${index}`).sort();
        for (let start = 0; start < expected.length; start += 50) {
          await Promise.all(expected.slice(start, start + 50).map((key) => put(key, bytesOf(3))));
        }
        await put("other/object");
        expect(await keys("many")).toEqual(expected);
        await storage.remove(expected);
        expect(await keys()).toEqual(["other/object"]);
      });

      it("may be left early", async () => {
        for (const key of ["a", "b", "c"]) await put(key);
        for await (const object of storage.list("")) {
          expect(object.key).toBe("a");
          break;
        }
        expect(await keys()).toEqual(["a", "b", "c"]);
      });
    });

    const oddNames = [
      "with space/and  two",
      "quotes'\"`",
      "+&=?#%",
      "%2e%2e/%2F",
      "a:b;c,d@e!",
      "(x)[y]{z}~$^|<>*",
      "back\\slash",
      "-dash/--option",
      "...three/.hidden",
      "trailing.",
      " leading",
    ];
    const unicodeNames = ["ünïcödé/日本語", "emoji/🐘", "e\u0301 and \u00e9", "z\ufffd", "z😀"];
    const names = [...(capabilities.oddKeys ? oddNames : []), ...(capabilities.unicodeKeys ? unicodeNames : [])];
    it("keeps names as they are, in the order of their UTF-16 code units", async () => {
      const all = ["plain/name-1_2.3", ...names];
      for (const [index, key] of all.entries()) await put(key, bytesOf(index + 10));
      expect(await keys()).toEqual([...all].sort());
      for (const [index, key] of all.entries()) {
        expect(await digestOf(await storage.download(key))).toBe(digest(bytesOf(index + 10)));
        expect(await storage.stat(key)).toMatchObject({ key, size: index + 10 });
      }
      await storage.remove(all);
      expect(await keys()).toEqual([]);
    });

    const refusedKeys = [
      "",
      "/",
      "/absolute",
      "a//b",
      "a/",
      "..",
      "../a",
      "a/../b",
      "a/..",
      ".",
      "./a",
      "a/./b",
      "a\0b",
    ];
    it.each([...refusedKeys, `a/${"x".repeat(256)}`])("refuses the key %j", async (key) => {
      const source = streamOf(bytesOf(10));
      expect(await failureOf(storage.upload(key, source))).toMatchObject({ code: "CONFIG" });
      expect(source.destroyed).toBe(true);
      expect(await failureOf(storage.download(key))).toMatchObject({ code: "CONFIG" });
      expect(await failureOf(storage.stat(key))).toMatchObject({ code: "CONFIG" });
      expect(await failureOf(storage.remove([key]))).toMatchObject({ code: "CONFIG" });
      if (key !== "") expect(await failureOf(collect(storage.list(key)))).toMatchObject({ code: "CONFIG" });
      expect(await keys()).toEqual([]);
    });

    describe("download", () => {
      it("may be destroyed before, during and after", async () => {
        const bytes = bytesOf(12 * MiB);
        await put("object", bytes);
        (await storage.download("object")).destroy();
        const stream = await storage.download("object");
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
        expect(stream.destroyed).toBe(true);
        expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
      });

      it("may be done several times at once", async () => {
        const bytes = bytesOf(5 * MiB);
        await put("object", bytes);
        const digests = await Promise.all([1, 2, 3].map(async () => digestOf(await storage.download("object"))));
        expect(digests).toEqual([digest(bytes), digest(bytes), digest(bytes)]);
      });
    });

    if (capabilities.lies.length > 0) {
      it.each([...capabilities.lies])("notices a store that holds %s bytes", async (lie) => {
        const size = 3 * MiB;
        const source = streamThen(bytesOf(size), () => subject.tamper("a/object", size, lie));
        const error = await failureOf(storage.upload("a/object", source));
        expect(error.code).toBe("INTEGRITY");
        await expectNothing("a/object");
      });
    }

    if (capabilities.leavesUnfinished) {
      describe("removeUnfinished", () => {
        it("removes what killed uploads left, below the folder and begun before the moment", async () => {
          await put("a/object");
          await subject.strand("a/killed");
          await subject.strand("a/deep/killed");
          await subject.strand("ab/killed");
          expect(await keys()).toEqual(["a/object"]);
          expect(await subject.unfinished()).toBe(3);
          expect(await storage.removeUnfinished("a", new Date(Date.now() - 3_600_000))).toBe(0);
          expect(await storage.removeUnfinished("a", new Date(Date.now() + 3_600_000))).toBe(2);
          expect(await subject.unfinished()).toBe(1);
          expect(await storage.removeUnfinished("missing", new Date(Date.now() + 3_600_000))).toBe(0);
          expect(await storage.removeUnfinished("", new Date(Date.now() + 3_600_000))).toBe(1);
          expect(await keys()).toEqual(["a/object"]);
        });

        it("leaves the key free for the next upload", async () => {
          await subject.strand("a/object");
          expect(await put("a/object")).toMatchObject({ key: "a/object" });
        });
      });
    }

    it("may be closed twice", async () => {
      await put("object");
      await storage.close();
      await storage.close();
    });
  });
}

async function collect(objects: AsyncIterable<StoredObject>): Promise<StoredObject[]> {
  const all: StoredObject[] = [];
  for await (const object of objects) all.push(object);
  return all;
}
