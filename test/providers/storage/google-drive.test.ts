import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { googleDrive } from "../../../providers/storage/google-drive.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf, streamThen } from "../../helpers/bytes.ts";
import { everythingIn, failureOf } from "../../helpers/failure.ts";
import { keysIn } from "../../helpers/store.ts";
import { expectBoundedMemory, LARGE as LARGE_MIB } from "../../helpers/upload-memory.ts";
import { googleError, GoogleDriveService } from "../../../tools/services/google-drive.ts";
import type { Endpoint, Fault } from "../../../tools/services/google-drive.ts";
import { base, open, openAsService } from "../../helpers/stores/google-drive.ts";
import { redirectGoogleDrive } from "../../../tools/services/google-drive-redirect.ts";

const MiB = 1024 * 1024;

/** Goes through an upload session, in three parts. */
const LARGE = 32 * MiB + 12_345;

const large = bytesOf(LARGE);
const largeDigest = digest(large);

describe("google-drive storage", () => {
  let service: GoogleDriveService;
  let storage: StorageProvider;
  let errors: ProviderError[];
  beforeEach(async () => {
    service = await GoogleDriveService.start();
    storage = await open(service);
    errors = [];
  });
  afterEach(async () => {
    expect(service.pendingFaults, "faults that nothing ran into").toBe(0);
    expectNoSecrets();
    await storage.close();
    await service.close();
  });

  const put = (key: string, bytes = bytesOf(100)) => storage.upload(key, streamOf(bytes));
  const keys = (prefix = "") => keysIn(storage, prefix);
  const failure = async (request: Promise<unknown>): Promise<ProviderError> => {
    const error = await failureOf(request);
    errors.push(error);
    return error;
  };
  const count = (endpoint: Endpoint) => service.requests.filter((request) => request.endpoint === endpoint).length;
  const read = async (key: string) => digestOf(await storage.download(key));
  const answer = (...error: Parameters<typeof googleError>): Fault => ({ kind: "answer", ...googleError(...error) });

  /** No secret in any URL, header other than Authorization, description or error; those of the form only in it. */
  const expectNoSecrets = () => {
    const pem = (JSON.parse(service.serviceAccountKey) as { private_key: string }).private_key.split("\n")[1] ?? "";
    const secrets = [service.clientSecret, service.refreshToken, pem, ...service.tokens];
    const seen = service.requests.flatMap(({ url, headers, endpoint, argument }) => [
      url,
      JSON.stringify({ ...headers, authorization: undefined }),
      endpoint === "token" ? "" : argument,
    ]);
    const shown = errors.flatMap((error) => [everythingIn(error), JSON.stringify(error)]);
    for (const text of shown) expect(text).not.toMatch(/upload_id=\w/);
    for (const text of [...seen, ...shown, storage.description]) {
      for (const secret of secrets) expect(text.includes(secret), text).toBe(false);
      expect(text).not.toMatch(/Bearer [A-Za-z0-9]/);
    }
  };

  describe("requests", () => {
    it("sends up to 5 MiB in one, and more in a session of 16 MiB parts", async () => {
      await put("small", bytesOf(5 * MiB));
      expect([count("multipart"), count("begin")]).toEqual([1, 0]);
      await put("medium", bytesOf(5 * MiB + 1));
      expect([count("multipart"), count("begin"), count("put")]).toEqual([1, 1, 1]);
      await put("large", large);
      expect([count("multipart"), count("begin"), count("put")]).toEqual([1, 2, 4]);
      const ranges = service.requests.flatMap(({ endpoint, headers }) =>
        endpoint === "put" ? [headers["content-range"]] : [],
      );
      expect(ranges.slice(1)).toEqual([
        `bytes 0-${16 * MiB - 1}/*`,
        `bytes ${16 * MiB}-${32 * MiB - 1}/*`,
        `bytes ${32 * MiB}-${LARGE - 1}/${LARGE}`,
      ]);
      expect(service.openSessions).toBe(0);
      expect(await read("large")).toBe(largeDigest);
    });

    it("asks for one access token, in a form, and for ids of files beforehand", async () => {
      await put("object");
      await keys();
      expect([count("token"), count("generateIds")]).toEqual([1, 1]);
      const [request] = service.requests;
      expect(request?.url).toBe("/oauth2.googleapis.com/token");
      expect(request?.argument).toContain(encodeURIComponent(service.refreshToken));
    });

    it("marks what it makes, and keeps it from a Workspace's default visibility", async () => {
      await put("a/object");
      const made = service.requests.filter(({ endpoint }) => endpoint === "create" || endpoint === "multipart");
      expect(made).toHaveLength(3);
      for (const { url } of made) expect(url).toMatch(/ignoreDefaultVisibility=true/);
      expect(made[0]?.argument).toContain('"appProperties":{"provision":"folder"}');
    });

    it("makes folders with the names of a key, and removes them with what was in them", async () => {
      await put("prod/app/1/manifest.json");
      await put("prod/app/2/manifest.json");
      expect(service.files()).toEqual(["/Backups/prod/app/1/manifest.json", "/Backups/prod/app/2/manifest.json"]);
      await storage.remove(["prod/app/1/manifest.json"]);
      expect(service.paths()).toEqual([
        "/Backups/",
        "/Backups/prod/",
        "/Backups/prod/app/",
        "/Backups/prod/app/2/",
        "/Backups/prod/app/2/manifest.json",
      ]);
      await put("prod/app/1/manifest.json");
      expect(await keys("prod/app")).toEqual(["prod/app/1/manifest.json", "prod/app/2/manifest.json"]);
    });

    it("takes the root itself as its folder", async () => {
      storage = await open(service, { folder: "/" });
      await put("object");
      await put("a/b");
      expect(service.files()).toEqual(["/a/b", "/object"]);
      expect(await keys()).toEqual(["a/b", "object"]);
    });
  });

  describe("what others have made", () => {
    it("of the same name is neither read, nor listed, nor overwritten, nor removed", async () => {
      service.scope = "drive";
      const folder = service.put("Backups", "folder");
      service.put("object", bytesOf(7), { parent: folder });
      service.put("note", bytesOf(7), { parent: folder });
      expect(await keys()).toEqual([]);
      expect(await failure(storage.stat("object"))).toMatchObject({ code: "NOT_FOUND" });
      await put("object");
      expect(await keys()).toEqual(["object"]);
      await storage.remove(["object", "note"]);
      expect(service.files()).toEqual(["/Backups/note", "/Backups/object"]);
    });

    it("as folders is used, and stays when it is empty", async () => {
      service.scope = "drive";
      const folder = service.put("Backups", "folder");
      service.put("prod", "folder", { parent: folder });
      await put("prod/object");
      expect(service.paths()).toEqual(["/Backups/", "/Backups/prod/", "/Backups/prod/object"]);
      await storage.remove(["prod/object"]);
      expect(service.paths()).toEqual(["/Backups/", "/Backups/prod/"]);
    });

    it("in another case is something else", async () => {
      await put("a/Object", bytesOf(10));
      expect(await failure(storage.stat("a/object"))).toMatchObject({ code: "NOT_FOUND" });
      await put("a/object", bytesOf(20));
      await put("A/object", bytesOf(30));
      expect(await keys()).toEqual(["A/object", "a/Object", "a/object"]);
      await storage.remove(["a/object"]);
      expect(await keys()).toEqual(["A/object", "a/Object"]);
    });

    it("in the trash is not there", async () => {
      await put("a/object");
      service.trash(service.idOf("/Backups/a"));
      expect(await keys()).toEqual([]);
      expect(await failure(storage.stat("a/object"))).toMatchObject({ code: "NOT_FOUND" });
      storage = await open(service);
      await put("a/object", bytesOf(5));
      expect(await read("a/object")).toBe(digest(bytesOf(5)));
    });
  });

  describe("two at the same moment", () => {
    it("make each folder once, and both store into it", async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => open(service)));
      await Promise.all(stores.map((one, index) => one.upload(`a/b/${index}`, streamOf(bytesOf(10)))));
      expect(service.paths().filter((path) => path.endsWith("/"))).toEqual([
        "/Backups/",
        "/Backups/a/",
        "/Backups/a/b/",
      ]);
      expect(await keys()).toEqual(["a/b/0", "a/b/1", "a/b/2", "a/b/3"]);
    });

    it("make each folder once also within a store", async () => {
      await Promise.all(Array.from({ length: 10 }, (_, index) => put(`a/b/${index}`)));
      expect(count("create")).toBe(3);
    });

    it("keep the older folder although the search of who made it shows only the younger", async () => {
      await put("first");
      const parent = service.idOf("/Backups");
      const id = service.put("a", "folder", { parent, byApp: true, properties: { provision: "folder" } });
      const younger = { id, name: "a", mimeType: "application/vnd.google-apps.folder" };
      const createdTime = new Date(Date.now() + 60_000).toISOString();
      service.misbehave("list", { kind: "answer", status: 200, body: { files: [] } });
      service.misbehave("list", { kind: "answer", status: 200, body: { files: [{ ...younger, createdTime }] } });
      await put("a/one");
      // Who made the younger sees both, gives way, and removes its own.
      expect(service.paths().filter((path) => path === "/Backups/a/")).toHaveLength(2);
      service.trash(id);
      expect(service.files()).toContain("/Backups/a/one");
    });

    it("whose folders remain because they were killed are read as one", async () => {
      const mark = { byApp: true, properties: { provision: "folder" } };
      await put("a/one");
      const [first, second] = [service.put("Backups", "folder", mark), service.put("Backups", "folder", mark)];
      const a = service.put("a", "folder", { ...mark, parent: first });
      const object = { byApp: true, properties: { provision: "object" } };
      service.put("two", bytesOf(20), { ...object, parent: a });
      service.put("three", bytesOf(30), { ...object, parent: second });
      expect(await keys()).toEqual(["a/one", "a/two", "three"]);
      expect(await read("a/two")).toBe(digest(bytesOf(20)));
      await put("a/four");
      expect(service.files().filter((path) => path.endsWith("four"))).toHaveLength(1);
      await storage.remove(["a/two", "three"]);
      expect(await keys()).toEqual(["a/four", "a/one"]);
    });

    it("store one key: the oldest stays, the other is reported and removes its own", async () => {
      const [one, other] = [await open(service), await open(service)];
      await put("x");
      const outcomes = await Promise.allSettled(
        [one, other].map((store, index) => store.upload("object", streamOf(bytesOf(LARGE, index + 1), MiB))),
      );
      const won = outcomes.findIndex(({ status }) => status === "fulfilled");
      expect(outcomes.filter(({ status }) => status === "rejected")).toMatchObject([{ reason: { code: "CONFLICT" } }]);
      expect(service.files()).toEqual(["/Backups/object", "/Backups/x"]);
      expect(await read("object")).toBe(digest(bytesOf(LARGE, won + 1)));
      expect(service.openSessions).toBe(0);
    });

    it("whose second file remains because it was killed: the oldest is read, and both are removed", async () => {
      await put("object", bytesOf(10));
      const parent = service.idOf("/Backups");
      service.put("object", bytesOf(20), { parent, byApp: true, properties: { provision: "object" } });
      storage = await open(service);
      expect(await read("object")).toBe(digest(bytesOf(10)));
      expect(await keys()).toEqual(["object"]);
      await storage.remove(["object"]);
      expect(service.files()).toEqual([]);
    });
  });

  it("finds what it has stored although searches do not show it yet", async () => {
    service.searchLag = 1_000;
    await put("a/object");
    expect(await storage.stat("a/object")).toMatchObject({ size: 100 });
    expect(await read("a/object")).toBe(digest(bytesOf(100)));
    await storage.remove(["a/object"]);
    expect(service.files()).toEqual([]);
  });

  describe("a fault that passes", () => {
    const parts: Endpoint[] = ["generateIds", "begin", "put"];
    const answers: [string, Fault][] = [
      ["503", { kind: "answer", status: 503, body: "Service unavailable" }],
      ["500", answer(500, "backendError", "Backend Error")],
      ["500 with a page", { kind: "answer", status: 500, body: "<html>oops</html>" }],
      ["429", answer(429, "rateLimitExceeded", "Rate Limit Exceeded")],
      ["429 with Retry-After", { kind: "answer", status: 429, body: "slow down", headers: { "Retry-After": "0" } }],
      ["403 userRateLimitExceeded", answer(403, "userRateLimitExceeded", "User Rate Limit Exceeded.")],
      ["403 rateLimitExceeded", answer(403, "rateLimitExceeded", "Rate Limit Exceeded")],
      ["a lost answer", { kind: "lost" }],
      ["an expired token", { kind: "expire tokens" }],
    ];
    // Two parts are enough where every fault is tried.
    const two = large.subarray(0, 16 * MiB + 5);
    const twoDigest = digest(two);
    for (const [name, fault] of answers) {
      it.each(parts)(`${name} at %s is tried again`, async (endpoint) => {
        service.misbehave(endpoint, fault);
        expect(await put("object", two)).toMatchObject({ size: two.length });
        expect(await read("object")).toBe(twoDigest);
        expect(service.files()).toEqual(["/Backups/object"]);
      });

      it(`${name} at the last part is tried again`, async () => {
        service.misbehave("put", fault, { after: 1 });
        expect(await put("object", two)).toMatchObject({ size: two.length });
        expect(await read("object")).toBe(twoDigest);
        expect(service.files()).toEqual(["/Backups/object"]);
      });

      it(`${name} at everything else is tried again`, async () => {
        const others: Endpoint[] = ["create", "multipart", "list", "get", "download", "delete", "update"];
        if (name !== "an expired token") others.push("token");
        for (const endpoint of others) service.misbehave(endpoint, fault);
        await put("a/object");
        expect(service.paths()).toEqual(["/Backups/", "/Backups/a/", "/Backups/a/object"]);
        expect(await read("a/object")).toBe(digest(bytesOf(100)));
        expect(await keys()).toEqual(["a/object"]);
        await storage.remove(["a/object"]);
        expect(service.paths()).toEqual(["/Backups/"]);
      });
    }

    it("of a proxy's page in the place of an answer is tried again", async () => {
      const page: Fault = { kind: "answer", status: 200, body: "<html>please log in</html>" };
      for (const endpoint of ["token", "list", "generateIds", "create", "multipart", "begin"] as const) {
        service.misbehave(endpoint, page);
      }
      await put("object");
      await put("large", large);
      expect(await keys()).toEqual(["large", "object"]);
    });

    it("waits as long as the service asks, in seconds or until a date", async () => {
      service.misbehave("multipart", { kind: "answer", status: 429, headers: { "Retry-After": "1" } });
      const begun = performance.now();
      await put("one");
      expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
      const date = new Date(Date.now() + 2_000).toUTCString();
      service.misbehave("multipart", { kind: "answer", status: 503, headers: { "Retry-After": date } });
      const again = Date.now();
      await put("two");
      expect(Date.now()).toBeGreaterThanOrEqual(Math.max(again, Date.parse(date)));
    });

    it("that the service wants to last longer than the budget is reported at once", async () => {
      service.misbehave("multipart", { kind: "answer", status: 429, headers: { "Retry-After": "300" } });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 300_000 });
      expect(await keys()).toEqual([]);
    });

    it("that does not pass is reported in the end, and leaves nothing", async () => {
      storage = await open(service, { retrySeconds: 0 });
      await put("first");
      for (const endpoint of ["multipart", "begin", "put", "list"] as const) {
        service.misbehave(endpoint, { kind: "answer", status: 503, body: "no" });
        const error = await failure(put("object", bytesOf(endpoint === "multipart" ? 10 : LARGE)));
        expect(error, endpoint).toMatchObject({ code: "TRANSIENT" });
        expect(error.message).toMatch(/^Cannot upload object to google-drive \/Backups: .*\(503\)\.$/);
        expect(await keys()).toEqual(["first"]);
        expect(service.openSessions).toBe(0);
      }
    });

    it("breaks uploads at any of 100 points: none hangs, and all succeed", { timeout: 120_000 }, async () => {
      const bytes = bytesOf(17 * MiB, 3);
      const random = bytesOf(400, 9);
      const cut = async (index: number) => {
        const large = index % 10 === 0;
        const own = large ? bytes : bytes.subarray(0, 300_000);
        const point = random.readUInt32LE(index * 4) % Math.min(own.length, 16 * MiB);
        service.misbehave(large ? "put" : "multipart", { kind: "cut request", bytes: point });
        expect(await storage.upload(`cut/${index}`, streamOf(own, MiB))).toMatchObject({ size: own.length });
        expect(await read(`cut/${index}`)).toBe(digest(own));
      };
      for (let start = 0; start < 100; start += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, index) => cut(start + index)));
      }
      expect(await keys()).toHaveLength(100);
    });

    it("breaks sources of large uploads at any point: none hangs, nothing is left", { timeout: 120_000 }, async () => {
      const bytes = bytesOf(34 * MiB, 3);
      const random = bytesOf(400, 11);
      for (let index = 0; index < 8; index += 1) {
        const length = random.readUInt32LE(index * 4) % bytes.length;
        const cause = new ProviderError("TRANSIENT", `cut at ${length}`);
        const source = failingStream(bytes.subarray(0, length), cause, MiB);
        expect(await failure(storage.upload("object", source))).toBe(cause);
      }
      expect(await keys()).toEqual([]);
      expect(service.openSessions).toBe(0);
    });
  });

  describe("an answer that is lost after the request took effect", () => {
    it("of the last part is success: the service is asked what became of it", async () => {
      service.misbehave("put", { kind: "lost" }, { after: 2 });
      expect(await put("object", large)).toMatchObject({ key: "object", size: LARGE });
      expect([count("put"), count("probe")]).toEqual([3, 1]);
      expect(await read("object")).toBe(largeDigest);
    });

    it("of the last part is success also where the session is gone then", async () => {
      service.misbehave("put", { kind: "lost" }, { after: 2 });
      service.misbehave("probe", { kind: "forget sessions" });
      expect(await put("object", large)).toMatchObject({ size: LARGE });
      expect(await read("object")).toBe(largeDigest);
    });

    it("of a small object is success: its id is taken", async () => {
      service.misbehave("multipart", { kind: "lost" });
      expect(await put("object")).toMatchObject({ size: 100 });
      expect(count("multipart")).toBe(2);
      expect(service.files()).toEqual(["/Backups/object"]);
    });

    it("and of every try, is success too", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("multipart", { kind: "lost" });
      expect(await put("object")).toMatchObject({ size: 100 });
      service.misbehave("put", { kind: "lost" }, { after: 2 });
      expect(await put("large", large)).toMatchObject({ size: LARGE });
    });

    it("is reported as unknown where the service no longer answers", async () => {
      await put("first");
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("multipart", { kind: "lost" });
      service.misbehave("get", { kind: "lost" });
      const error = await failure(put("object"));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/Whether object was stored is not known/);
      expect(error.fix).toMatch(/Check whether/);
    });

    it("of a part is recognised by what is held, and nothing is sent twice", async () => {
      service.misbehave("put", { kind: "lost" });
      await put("object", large);
      expect([count("put"), count("probe")]).toEqual([3, 1]);
      expect(service.received).toBe(LARGE);
      expect(await read("object")).toBe(largeDigest);
    });

    it("of a folder that was made does not make another", async () => {
      service.misbehave("create", { kind: "lost" }, { times: 2 });
      await put("a/object");
      expect(service.paths()).toEqual(["/Backups/", "/Backups/a/", "/Backups/a/object"]);
    });

    it("of a removal changes nothing", async () => {
      await put("object");
      service.misbehave("delete", { kind: "lost" });
      await storage.remove(["object"]);
      expect(await keys()).toEqual([]);
    });
  });

  describe("an upload session", () => {
    it.each([404, 410] as const)("that has expired (%i) is reported, and leaves nothing", async (status) => {
      service.forgotten = status;
      for (const after of [1, 2]) {
        service.misbehave("put", { kind: "forget sessions" }, { after });
        const error = await failure(put("object", large));
        expect(error.code).toBe("TRANSIENT");
        expect(error.message).toMatch(/does not know the upload session any more, which held \d+ bytes/);
        expect(error.fix).toMatch(/a week/);
        expect(await keys()).toEqual([]);
      }
    });

    it("that has a part of a request is given the rest of it", async () => {
      service.misbehave("put", { kind: "take", bytes: 5 * MiB });
      service.misbehave("put", { kind: "cut request", bytes: 3 * MiB + 1 });
      await put("object", large);
      const starts = service.requests.flatMap(({ endpoint, headers }) =>
        endpoint === "put" ? [Number(/^bytes (\d+)/.exec(String(headers["content-range"]))?.[1])] : [],
      );
      // What came of the second is kept in whole grains.
      expect(starts).toEqual([0, 5 * MiB, 8 * MiB, 16 * MiB, 32 * MiB]);
      expect(await read("object")).toBe(largeDigest);
    });

    it("of whose last part the service has taken all, or some, is finished", async () => {
      service.misbehave(
        "put",
        { kind: "answer", status: 308, headers: { Range: `bytes=0-${LARGE - 1}` } },
        { after: 2 },
      );
      service.misbehave("probe", { kind: "answer", status: 308, headers: { Range: `bytes=0-${32 * MiB - 1}` } });
      const error = await failure(put("object", large));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      service.misbehave("put", { kind: "take", bytes: MiB }, { after: 1 });
      expect(await put("object", bytesOf(17 * MiB + 5))).toMatchObject({ size: 17 * MiB + 5 });
      expect(await read("object")).toBe(digest(bytesOf(17 * MiB + 5)));
    });

    it("that takes nothing is tried again, and given up in the end", async () => {
      service.misbehave("put", { kind: "take", bytes: 0 });
      await put("object", large);
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("put", { kind: "take", bytes: 0 }, { after: 1 });
      const error = await failure(put("other", large));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/took none of the bytes after the first 16777216/);
    });

    it("that holds less than it said ends the upload", async () => {
      service.misbehave("put", { kind: "answer", status: 308, headers: { Range: "bytes=0-262143" } }, { after: 1 });
      const error = await failure(put("object", large));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      expect(error.message).toMatch(/holds 262144 bytes of it, where it had 16777216/);
    });

    it("elsewhere than at Google is not used", async () => {
      storage = await open(service, { retrySeconds: 0 });
      for (const Location of ["https://example.com/upload", "http://www.googleapis.com/upload", "/upload"]) {
        service.misbehave("begin", { kind: "answer", status: 200, headers: { Location } });
        expect(await failure(put("object", large))).toMatchObject({ code: "TRANSIENT" });
      }
    });

    it("is ended when the source fails", async () => {
      const cause = new ProviderError("TRANSIENT", "pg_dump exited with 1");
      expect(await failure(storage.upload("object", failingStream(large, cause)))).toBe(cause);
      expect(count("cancel")).toBe(1);
      expect(service.openSessions).toBe(0);
    });
  });

  describe("a file that is not what was sent", () => {
    it.each(["shorter", "longer", "different", "renamed"] as const)("(%s) is removed again", async (lie) => {
      service.misbehave("put", { kind: "lie", lie }, { after: 2 });
      service.misbehave("multipart", { kind: "lie", lie });
      for (const size of [LARGE, 100]) {
        expect(await failure(put("object", bytesOf(size)))).toMatchObject({ code: "INTEGRITY" });
        expect(service.files()).toEqual([]);
      }
    });

    it.each(["md5", "sha256"] as const)("is noticed by %s alone, in an upload and in a download", async (checksum) => {
      service.checksums = [checksum];
      service.misbehave("multipart", { kind: "lie", lie: "different" });
      expect(await failure(put("object"))).toMatchObject({ code: "INTEGRITY" });
      await put("object", large);
      expect(await read("object")).toBe(largeDigest);
      const stream = await storage.download("object");
      service.replace(service.idOf("/Backups/object"), bytesOf(LARGE, 2));
      stream.destroy();
      service.misbehave("download", { kind: "cut response", bytes: MiB });
      expect(await read("object")).toBe(digest(bytesOf(LARGE, 2)));
    });

    it("is taken for one where the service tells no checksum", async () => {
      service.checksums = [];
      expect(await failure(put("object"))).toMatchObject({ code: "INTEGRITY" });
      expect(service.files()).toEqual([]);
    });

    it("is named where it stays", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("multipart", { kind: "lie", lie: "different" });
      service.misbehave("delete", { kind: "answer", status: 500 });
      const error = await failure(put("object"));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/What was stored of object, file \S+, could not be removed/);
      expect(error.fix).toMatch(/^Remove that file\./);
    });
  });

  describe("an access token", () => {
    it("that expires in the middle of an upload or a download is renewed", async () => {
      service.misbehave("put", { kind: "expire tokens" }, { after: 1 });
      service.misbehave("put", { kind: "expire tokens" }, { after: 1 });
      service.misbehave("download", { kind: "expire tokens" });
      await put("object", large);
      expect(await read("object")).toBe(largeDigest);
      expect(count("token")).toBe(4);
    });

    it("is renewed before it expires", async () => {
      service.tokenSeconds = 1;
      await put("one");
      await sleep(600);
      await put("two");
      expect(count("token")).toBeGreaterThan(1);
      expect(service.requests.every(({ endpoint }) => endpoint !== "unknown")).toBe(true);
    });

    it("that is never accepted is AUTH", async () => {
      service.misbehave("list", answer(401, "authError", "Invalid Credentials"), { times: 2 });
      const error = await failure(keys());
      expect(error.code).toBe("AUTH");
      expect(error.fix).toMatch(/get a new refresh token/);
    });
  });

  describe("a service account", () => {
    it("keeps objects in a shared drive", async () => {
      storage = await openAsService(service, { driveId: service.driveId, prefix: "team" });
      expect(storage.description).toBe(`google-drive /Backups/team in shared drive ${service.driveId}`);
      await put("a/object", large);
      await put("b");
      expect(service.files(service.driveId)).toEqual(["/Backups/team/a/object", "/Backups/team/b"]);
      expect(await read("a/object")).toBe(largeDigest);
      expect(await keys()).toEqual(["a/object", "b"]);
      await storage.remove(["a/object", "b"]);
      expect(service.files(service.driveId)).toEqual([]);
    });

    it("keeps objects in a folder of a shared drive, whose drive it finds", async () => {
      const folderId = service.put("Team", "folder", { parent: service.driveId });
      storage = await openAsService(service, { folderId, folder: "/" });
      await put("a/object");
      expect(service.files(service.driveId)).toEqual(["/Team/a/object"]);
      expect(await keys()).toEqual(["a/object"]);
    });

    it("that may not delete puts into the trash", async () => {
      service.manager = false;
      storage = await openAsService(service, { driveId: service.driveId });
      await put("a/object");
      await storage.remove(["a/object"]);
      expect(await keys()).toEqual([]);
      expect(count("update")).toBe(2);
      await put("a/object", bytesOf(5));
      expect(await read("a/object")).toBe(digest(bytesOf(5)));
    });

    it("without a shared drive gets a message that says what to do", async () => {
      const folderId = service.put("Team", "folder");
      service.share(folderId);
      for (const settings of [{}, { folderId }]) {
        storage = await openAsService(service, settings);
        for (const size of [100, LARGE]) {
          const error = await failure(put("object", bytesOf(size)));
          expect(error.code).toBe("QUOTA");
          expect(error.message).toContain(`the service account ${service.email} has no storage of its own`);
          expect(error.fix).toMatch(/^Use a shared drive: .*driveId.* refreshToken/);
        }
      }
    });

    it("acts for a person who let it", async () => {
      storage = await openAsService(service, { impersonate: "person@example.com" });
      await put("object");
      expect(service.files()).toEqual(["/Backups/object"]);
      storage = await openAsService(service, { impersonate: "other@example.com" });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.message).toContain("may not act in the name of other@example.com");
      expect(error.fix).toContain("Domain-wide delegation");
    });

    it("to which a folder is not shared gets a message that says so", async () => {
      const folderId = service.put("Team", "folder");
      storage = await openAsService(service, { folderId });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.message).toContain(`does not see the folder ${folderId}`);
      expect(error.fix).toContain(`share the folder with the service account ${service.email} as an Editor`);
    });

    it("that is no member of the shared drive gets a message that says so", async () => {
      service.members.delete("service");
      storage = await openAsService(service, { driveId: service.driveId });
      for (const request of [() => put("object"), () => keys(), () => storage.stat("object")]) {
        const error = await failure(request());
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.message).toContain(`or the service account ${service.email} is not a member of it`);
        expect(error.fix).toContain("driveId");
      }
    });

    it.each([
      [-3_600_000, "60 min ahead"],
      [7_200_000, "120 min behind"],
    ])("on a machine whose clock is wrong is reported with the difference (%i ms)", async (offset, skew) => {
      service.clockOffset = offset;
      storage = await openAsService(service, { driveId: service.driveId });
      const error = await failure(keys());
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.message).toContain(`does not accept the time of this machine, whose clock is ${skew}`);
      expect(error.fix).toContain("timedatectl set-ntp true");
    });

    it("whose key was deleted gets a message that says so", async () => {
      redirectGoogleDrive(service.origin);
      const config = googleDrive.schema.parse({ ...base, serviceAccountKey: { env: "KEY" } });
      const key = JSON.parse(service.serviceAccountKey) as Record<string, string>;
      const deleted = JSON.stringify({ ...key, client_email: "gone@example-project.iam.gserviceaccount.com" });
      storage = await googleDrive.create(config, { secrets: { serviceAccountKey: deleted } });
      const error = await failure(keys());
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.fix).toContain("make a new key");
    });

    it.each([
      ["", "is empty"],
      ["not JSON, s3cret", "it is not JSON"],
      ["null", "its type"],
      ['{"type":"authorized_user","refresh_token":"s3cret"}', "its type is not service_account"],
      ['{"type":"service_account","client_email":"a@b.c"}', "no private_key"],
      ['{"type":"service_account","client_email":"a@b.c","private_key":"s3cret"}', "cannot be read"],
    ])("whose key is %j is refused at once, without repeating it", async (serviceAccountKey, why) => {
      const config = googleDrive.schema.parse({ ...base, serviceAccountKey: { env: "KEY" } });
      const error = await failure(googleDrive.create(config, { secrets: { serviceAccountKey } }));
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.message).toContain(why);
      expect(everythingIn(error)).not.toContain("s3cret");
    });
  });

  describe("errors", () => {
    it("say that the scope is missing", async () => {
      service.scope = "drive.metadata.readonly";
      for (const request of [() => put("object"), () => keys()]) {
        const error = await failure(request());
        expect(error.code).toBe("AUTH");
        expect(error.message).toContain("the access that was granted does not cover it");
        expect(error.fix).toContain("with the scope https://www.googleapis.com/auth/drive.file");
      }
    });

    it("say that a folder made by hand is not seen with the scope drive.file", async () => {
      const folderId = service.put("Team", "folder");
      storage = await open(service, { folderId });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.fix).toContain("only sees what its own app made");
      service.scope = "drive";
      storage = await open(service, { folderId });
      await put("object");
      expect(service.files()).toEqual(["/Team/Backups/object"]);
    });

    it("say that folderId is a file", async () => {
      service.scope = "drive";
      storage = await open(service, { folderId: service.put("file", bytesOf(5)) });
      expect(await failure(keys())).toMatchObject({ code: "CONFIG" });
    });

    it("say that the account is full", async () => {
      await put("first");
      service.full = true;
      for (const size of [100, LARGE]) {
        const error = await failure(put("object", bytesOf(size)));
        expect(error.code).toBe("QUOTA");
        expect(error.message).toContain("the Google account is full (403 storageQuotaExceeded)");
        expect(error.fix).toMatch(/trash counts/);
      }
    });

    it("say how to get a new refresh token", async () => {
      redirectGoogleDrive(service.origin);
      const { clientId, clientSecret } = service;
      const fields = { clientId, clientSecret: { env: "S" }, refreshToken: { env: "T" } };
      const config = googleDrive.schema.parse({ ...base, ...fields });
      storage = await googleDrive.create(config, { secrets: { clientSecret, refreshToken: "revoked-token-77" } });
      const error = await failure(put("object"));
      expect(error.code).toBe("AUTH");
      expect(error.message).toContain("(invalid_grant: Token has been expired or revoked.)");
      expect(error.fix).toMatch(/Get a new one as docs\/stores\.md says.* 7 days .*In production/);
      expect(everythingIn(error)).not.toContain("revoked-token-77");
    });

    it("tell a wrong client, and an empty secret", async () => {
      storage = await open(service, { clientId: "1-other.apps.googleusercontent.com" });
      const error = await failure(keys());
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.fix).toContain("clientSecret");
      const fields = { clientId: service.clientId, clientSecret: { env: "S" }, refreshToken: { env: "T" } };
      const config = googleDrive.schema.parse({ ...base, ...fields });
      for (const secrets of [{}, { clientSecret: "x", refreshToken: "" }]) {
        expect(await failure(googleDrive.create(config, { secrets }))).toMatchObject({ code: "CONFIG" });
      }
    });

    it("tell that the Workspace wants its user to sign in again", async () => {
      const body = { error: "invalid_grant", error_description: "reauth related error (invalid_rapt)" };
      service.misbehave("token", { kind: "answer", status: 400, body });
      expect((await failure(keys())).fix).toContain("session control");
    });

    it.each([
      [403, "accessNotConfigured", "CONFIG", "Enable it at https://console.cloud.google.com"],
      [403, "dailyLimitExceeded", "QUOTA", "raise the quota"],
      [403, "teamDriveFileLimitExceeded", "QUOTA", "keep fewer backups"],
      [403, "insufficientFilePermissions", "AUTH", "Content manager"],
      [403, "appNotAuthorizedToFile", "AUTH", "drive.file"],
      [403, "domainPolicy", "AUTH", "admin"],
      [403, "somethingNew", "AUTH", "Share the folder"],
    ])("of a write: %i %s is %s", async (status, reason, code, fix) => {
      service.misbehave("multipart", answer(status, reason, "No."));
      const error = await failure(put("object"));
      expect(error.code).toBe(code);
      expect(error.message).toContain(`(${status} ${reason})`);
      expect(error.fix).toContain(fix);
    });

    it("of a scope in the newer form are recognised", async () => {
      const details = [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT" },
      ];
      service.misbehave("list", {
        kind: "answer",
        status: 403,
        body: { error: { code: 403, message: "No.", details } },
      });
      expect((await failure(keys())).fix).toContain("drive.file");
    });

    it("of another kind are INTERNAL, and never repeat a header or a session", async () => {
      const text = "Bad Authorization: 'Bearer ya29.abcdefg' for ?upload_id=AHxyz123";
      service.misbehave("list", { kind: "answer", status: 418, body: text });
      const error = await failure(keys());
      expect(error.code).toBe("INTERNAL");
      expect(error.message).toContain("Bearer …");
      expect(error.message).not.toMatch(/abcdefg|AHxyz/);
    });

    it("of a malware warning say what to do", async () => {
      await put("object");
      service.misbehave(
        "download",
        answer(403, "cannotDownloadAbusiveFile", "This file has been identified as malware."),
      );
      expect((await failure(read("object"))).fix).toContain("by hand");
    });

    it("of a service that cannot be reached are TRANSIENT", async () => {
      storage = await open(service, { retrySeconds: 0 });
      redirectGoogleDrive("http://127.0.0.1:9");
      const error = await failure(keys());
      expect(error.code).toBe("TRANSIENT");
      expect(error.fix).toContain("www.googleapis.com");
      redirectGoogleDrive(service.origin);
    });
  });

  describe("a listing", () => {
    const many = Array.from({ length: 25 }, (_, index) => `a/${index}`).sort();
    beforeEach(async () => {
      service.pageSize = 4;
      for (const key of many) await put(key);
    });

    it("looks once into a folder that a search gives twice", async () => {
      const folder = {
        id: service.idOf("/Backups"),
        name: "Backups",
        mimeType: "application/vnd.google-apps.folder",
        createdTime: new Date().toISOString(),
      };
      const other = await open(service);
      const all = await keysIn(other, "");
      const before = count("list");
      service.misbehave("list", { kind: "answer", status: 200, body: { files: [folder, folder] } });
      expect(await keysIn(await open(service), "")).toEqual(all);
      const whole = count("list") - before;
      await keysIn(await open(service), "");
      expect(count("list") - before).toBe(2 * whole);
    });

    it("goes on where a page fails", async () => {
      service.misbehave("list", { kind: "answer", status: 500 }, { after: 4 });
      service.misbehave("list", { kind: "lost" }, { after: 1 });
      expect(await keys()).toEqual(many);
    });

    it("fails where a page does not come, and where the service has not searched everything", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("list", { kind: "answer", status: 500 }, { after: 4 });
      expect(await failure(keys())).toMatchObject({ code: "TRANSIENT" });
      service.misbehave(
        "list",
        { kind: "answer", status: 200, body: { incompleteSearch: true, files: [] } },
        { after: 2 },
      );
      expect(await failure(keys())).toMatchObject({ code: "TRANSIENT" });
    });

    it("tells what is stored, for one request where it was listed", async () => {
      storage = await open(service);
      expect(await keys("a")).toEqual(many);
      const before = service.requests.length;
      expect(await storage.stat("a/7")).toMatchObject({ key: "a/7", size: 100 });
      expect(service.requests.slice(before).map(({ endpoint }) => endpoint)).toEqual(["get"]);
    });
  });

  describe("remove", () => {
    it("reports what could not be removed, and removes the rest", async () => {
      storage = await open(service, { retrySeconds: 0 });
      for (const key of ["a", "b", "c/d"]) await put(key);
      service.misbehave("delete", answer(500, "backendError", "No."));
      const error = await failure(storage.remove(["a", "b", "c/d"]));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.message).toMatch(/^1 of 3 objects could not be removed \([ab]\)/);
      expect(await keys()).toHaveLength(1);
    });

    it("reports keys of a folder that could not be looked into, and removes the rest", async () => {
      storage = await open(service, { retrySeconds: 0 });
      for (const key of ["a", "c/d", "c/e"]) await put(key);
      service.misbehave("list", { kind: "answer", status: 500 }, { after: 2 });
      const error = await failure(storage.remove(["a", "c/d", "c/e"]));
      expect(error.message).toMatch(/^2 of 3 objects could not be removed \(c\/d, c\/e\)/);
      expect(await keys()).toEqual(["c/d", "c/e"]);
    });
  });

  describe("a download", () => {
    it("goes on where it breaks", async () => {
      await put("object", large);
      for (const point of [0, 3 * MiB, 20 * MiB]) {
        service.misbehave("download", { kind: "cut response", bytes: point });
        expect(await read("object")).toBe(largeDigest);
      }
      service.misbehave("download", { kind: "cut response", bytes: 10 * MiB }, { times: 3 });
      expect(await read("object")).toBe(largeDigest);
      expect(service.requests.some((request) => request.headers.range !== undefined)).toBe(true);
    });

    it("that breaks again and again fails in the end", async () => {
      await put("object", large);
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("download", { kind: "cut response", bytes: MiB });
      expect(await failure(read("object"))).toMatchObject({ code: "TRANSIENT" });
    });

    it("that stalls is given up", async () => {
      await put("object");
      storage = await open(service, { stallTimeoutSeconds: 1, retrySeconds: 0 });
      service.misbehave("download", { kind: "stall" });
      const error = await failure(read("object"));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/stalled/);
    });

    it("of a file that is replaced at the same time fails", async () => {
      await put("object", large);
      service.misbehave("download", { kind: "cut response", bytes: MiB });
      const stream = await storage.download("object");
      service.replace(service.idOf("/Backups/object"), bytesOf(LARGE, 2));
      expect(await failure(digestOf(stream))).toMatchObject({ code: "INTEGRITY" });
    });

    it("of a file that is removed at the same time fails", async () => {
      await put("object", large);
      service.misbehave("download", { kind: "cut response", bytes: MiB });
      const stream = await storage.download("object");
      await storage.remove(["object"]);
      expect(await failure(digestOf(stream))).toMatchObject({ code: "NOT_FOUND" });
    });
  });

  describe("one dead connection", () => {
    it.each([
      ["token", 100],
      ["list", 100],
      ["generateIds", 100],
      ["create", 100],
      ["multipart", 100],
      ["begin", LARGE],
      ["put", LARGE],
    ] as const)("at %s does not end an upload", async (endpoint, size) => {
      storage = await open(service, { stallTimeoutSeconds: 4 });
      const bytes = bytesOf(size);
      service.misbehave(endpoint, { kind: "stall" });
      expect(await put("object", bytes)).toMatchObject({ size });
      expect(await read("object")).toBe(digest(bytes));
    });

    it.each([1, 2])("in the middle of a part, or at the last one, does not end an upload", async (after) => {
      storage = await open(service, { stallTimeoutSeconds: 4 });
      service.misbehave("put", { kind: "stall", bytes: after === 1 ? 70_000 : 5_000 }, { after });
      await put("object", large);
      expect(await read("object")).toBe(largeDigest);
    });

    it("does not end a download: at its beginning or in its middle", async () => {
      storage = await open(service, { stallTimeoutSeconds: 2 });
      await put("object", large);
      service.misbehave("download", { kind: "stall" });
      service.misbehave("download", { kind: "stall response", bytes: 5 * MiB }, { times: 2 });
      expect(await read("object")).toBe(largeDigest);
    });

    it("does not end a listing, a stat or a removal", async () => {
      storage = await open(service, { stallTimeoutSeconds: 1 });
      await put("object");
      service.misbehave("list", { kind: "stall response", bytes: 20 });
      expect(await keys()).toEqual(["object"]);
      service.misbehave("get", { kind: "stall" });
      expect(await storage.stat("object")).toMatchObject({ size: 100 });
      service.misbehave("delete", { kind: "stall" });
      await storage.remove(["object"]);
      expect(await keys()).toEqual([]);
    });
  });

  describe("a service that stalls", () => {
    it.each([
      ["token", 100],
      ["list", 100],
      ["generateIds", 100],
      ["multipart", 100],
      ["begin", LARGE],
      ["put", LARGE],
    ] as const)("at %s is given up", async (endpoint, size) => {
      storage = await open(service, { stallTimeoutSeconds: 1, retrySeconds: 0 });
      service.misbehave(endpoint, { kind: "stall" });
      const begun = performance.now();
      const error = await failure(put("object", bytesOf(size)));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/stalled/);
      expect(performance.now() - begun).toBeLessThan(5_500);
      storage = await open(service);
      expect(await keys()).toEqual([]);
    });

    it("at the last part, and at the session's end, is given up", async () => {
      await put("first");
      storage = await open(service, { stallTimeoutSeconds: 1, retrySeconds: 0 });
      service.misbehave("put", { kind: "stall" }, { after: 2 });
      service.misbehave("cancel", { kind: "stall" });
      expect((await failure(put("object", large))).message).toMatch(/stalled/);
      storage = await open(service);
      expect(await keys()).toEqual(["first"]);
    });
  });

  it("leaves nothing where the abort comes while the answer of a commit is lost", async () => {
    for (const [endpoint, size, after] of [
      ["multipart", 100, 0],
      ["put", LARGE, 2],
    ] as const) {
      const controller = new AbortController();
      service.misbehave(endpoint, { kind: "lost" }, { after });
      const source = streamThen(bytesOf(size), () => {
        setTimeout(() => {
          controller.abort();
        }, 5);
      });
      const uploading = storage.upload(`object-${endpoint}`, source, { signal: controller.signal });
      const outcome = await uploading.catch((error: unknown) => error);
      const visible = (await keys()).includes(`object-${endpoint}`);
      expect(visible).toBe(!(outcome instanceof Error));
      // Where the abort came first, nothing ran into the fault.
      while (service.pendingFaults > 0) await put(`other-${endpoint}`, bytesOf(size)).catch(() => undefined);
    }
  });

  it("cancels a session that the service has begun when the caller gives up, and whose answer has not come yet", async () => {
    const controller = new AbortController();
    const watch = () => {
      if (service.openSessions === 0) setImmediate(watch);
      else controller.abort();
    };
    watch();
    const error = await failureOf(storage.upload("object", streamOf(bytesOf(LARGE)), { signal: controller.signal }));
    expect(error.code).toBe("ABORTED");
    expect(service.openSessions).toBe(0);
  });

  it("holds a bounded part of a stream of 1.25 GiB in memory", { timeout: 180_000 }, async () => {
    service.forgetful = true;
    await expectBoundedMemory(
      "google-drive",
      {
        config: { ...base, clientId: service.clientId, clientSecret: { env: "S" }, refreshToken: { env: "T" } },
        secrets: { clientSecret: service.clientSecret, refreshToken: service.refreshToken },
      },
      LARGE_MIB.whole,
      {
        module: join(import.meta.dirname, "../../../tools/services/google-drive-redirect.ts"),
        environment: { GOOGLE_DRIVE_SERVICE: service.origin },
      },
    );
    expect(await storage.stat("o1280")).toMatchObject({ size: 1280 * MiB });
  });

  it("says that there are no unfinished uploads to find", async () => {
    expect(await storage.removeUnfinished("", new Date())).toBe(0);
    expect(await storage.removeUnfinished("a", new Date())).toBe(0);
  });

  it("removes the empty folders that failed uploads left, and no others", async () => {
    const soon = () => new Date(Date.now() + 3_600_000);
    await put("kept/object");
    const handMade = service.put("by hand", "folder", { parent: service.idOf("/Backups") });
    service.put("below", "folder", { parent: handMade });
    const fail = async (key: string) => {
      // Not before the upload has made its folder.
      const source = streamThen(large.subarray(0, 17 * MiB), async () => {
        while (!service.paths().includes(`/Backups/${dirname(key)}/`)) await sleep(1);
        throw new Error("pg_dump failed");
      });
      await failure(storage.upload(key, source));
    };
    await fail("stack/job/run/dump");
    await fail("other/run/dump");
    const left = service.paths();
    expect(left).toContain("/Backups/stack/job/run/");
    expect(await storage.removeUnfinished("", new Date(Date.now() - 3_600_000))).toBe(0);
    expect(service.paths()).toEqual(left);
    expect(await storage.removeUnfinished("stack/job", soon())).toBe(1);
    expect(service.paths()).toContain("/Backups/stack/job/");
    expect(await storage.removeUnfinished("", soon())).toBe(4);
    expect(service.paths()).toEqual([
      "/Backups/",
      "/Backups/by hand/",
      "/Backups/by hand/below/",
      "/Backups/kept/",
      "/Backups/kept/object",
    ]);
    await put("stack/job/run/object");
    expect(service.files()).toContain("/Backups/stack/job/run/object");
  });

  it("does not remove a folder whose object searches do not show yet", async () => {
    service.searchLag = 100;
    await put("a/object");
    await storage.removeUnfinished("", new Date(Date.now() + 3_600_000));
    expect(service.files()).toEqual(["/Backups/a/object"]);
  });

  it("ends what is under way when it is closed", async () => {
    service.misbehave("multipart", { kind: "stall" });
    const upload = failure(put("object"));
    while (count("multipart") === 0) await sleep(1);
    await storage.close();
    expect(await upload).toMatchObject({ code: "ABORTED" });
  });

  it.each([
    [{ folder: "backups" }, "absolute path of folders"],
    [{ folder: "/backups/" }, "absolute path of folders"],
    [{ folder: "/a/../b" }, "absolute path of folders"],
    [{ clientId: "My client" }, ".apps.googleusercontent.com"],
    [{ driveId: "https://drive.google.com/x" }, "expected the id of a shared drive"],
    [{ folderId: "Team" }, "expected the id of a folder"],
    [{ driveId: "0AFSharedDriveUk9PVA", folderId: "0AFSharedDriveUk9PVB" }, "driveId or folderId, not both"],
    [{ refreshToken: "plain" }, "reference to a secret"],
    [{ clientSecret: undefined }, "either clientId, clientSecret and refreshToken, or serviceAccountKey"],
    [{ serviceAccountKey: { env: "KEY" } }, "either clientId, clientSecret and refreshToken, or serviceAccountKey"],
    [{ impersonate: "me" }, "e-mail address"],
    [{ impersonate: "me@example.com" }, "serviceAccountKey with impersonate"],
  ])("refuses the configuration %j", (settings, problem) => {
    const whole = {
      clientId: "1-a.apps.googleusercontent.com",
      clientSecret: { env: "S" },
      refreshToken: { env: "T" },
    };
    const { success, error } = googleDrive.schema.safeParse({ ...base, ...whole, ...settings });
    expect(success).toBe(false);
    expect(error?.message).toContain(problem);
  });
});
