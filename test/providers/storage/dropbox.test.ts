import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { dropbox } from "../../../providers/storage/dropbox.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { base, open } from "../../helpers/stores/dropbox.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf, streamThen } from "../../helpers/bytes.ts";
import { DropboxService } from "../../../tools/services/dropbox.ts";
import type { Fault } from "../../../tools/services/dropbox.ts";
import { redirectDropbox } from "../../../tools/services/dropbox-redirect.ts";
import { everythingIn, failureOf } from "../../helpers/failure.ts";
import { keysIn } from "../../helpers/store.ts";
import { expectBoundedMemory, LARGE as LARGE_MIB } from "../../helpers/upload-memory.ts";

const MiB = 1024 * 1024;

/** More than one request carries: goes through an upload session, in three parts. */
const LARGE = 32 * MiB + 12_345;

describe("dropbox storage", () => {
  let service: DropboxService;
  let storage: StorageProvider;
  let errors: ProviderError[];
  beforeEach(async () => {
    service = await DropboxService.start();
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
  const count = (endpoint: string) => service.requests.filter((request) => request.endpoint === endpoint).length;
  const read = async (key: string) => digestOf(await storage.download(key));

  /** No secret in any URL, header other than Authorization, description or error; the refresh token only in its form. */
  const expectNoSecrets = () => {
    const secrets = [service.appSecret, service.refreshToken, ...service.tokens];
    const seen = service.requests.flatMap(({ url, headers, endpoint, argument }) => [
      url,
      JSON.stringify({ ...headers, authorization: undefined }),
      endpoint === "oauth2/token" ? "" : argument,
    ]);
    const shown = errors.flatMap((error) => [everythingIn(error), JSON.stringify(error)]);
    for (const text of [...seen, ...shown, storage.description]) {
      for (const secret of secrets) expect(text.includes(secret), text).toBe(false);
      expect(text).not.toMatch(/Bearer [A-Za-z0-9]/);
    }
    expect(service.requests.every(({ url }) => !url.includes("?"))).toBe(true);
  };

  describe("requests", () => {
    it("sends a small object in one, and a large one in a session of 16 MiB parts", async () => {
      await put("small", bytesOf(16 * MiB));
      expect(count("files/upload")).toBe(1);
      await put("large", bytesOf(16 * MiB + 1));
      expect(count("files/upload")).toBe(1);
      expect(count("files/upload_session/append_v2")).toBe(2);
      expect(count("files/upload_session/finish")).toBe(1);
      expect(service.openSessions).toBe(0);
      expect(await read("large")).toBe(digest(bytesOf(16 * MiB + 1)));
    });

    it("goes on with other parts while one is not answered, and sends the last one after all others", async () => {
      storage = await open(service, { stallTimeoutSeconds: 4 });
      service.misbehave("files/upload_session/append_v2", { kind: "stall" });
      const bytes = bytesOf(80 * MiB, 5);
      await put("object", bytes);
      const sent = service.requests
        .filter(({ endpoint }) => endpoint === "files/upload_session/append_v2")
        .map(({ argument }) => JSON.parse(argument) as { cursor: { offset: number }; close: boolean })
        .map(({ cursor, close }) => `${cursor.offset / MiB}${close ? ", the last" : ""}`);
      const stalled = sent[0] ?? "";
      const others = ["0", "16", "32", "48"].filter((offset) => offset !== stalled);
      expect(sent.slice(1, -2).sort()).toEqual(others);
      expect(sent.slice(-2)).toEqual([stalled, "64, the last"]);
      expect(await read("object")).toBe(digest(bytes));
    });

    it("never overwrites, never renames, and gives each part's hash", async () => {
      await put("small");
      await put("large", bytesOf(LARGE));
      const argumentsOf = (endpoint: string) =>
        service.requests.filter((one) => one.endpoint === endpoint).map((one) => JSON.parse(one.argument) as object);
      const careful = { mode: { ".tag": "add" }, autorename: false, strict_conflict: true };
      expect(argumentsOf("files/upload")).toMatchObject([careful]);
      expect(argumentsOf("files/upload_session/finish")).toMatchObject([{ commit: careful }]);
      const hash = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
      expect(argumentsOf("files/upload_session/append_v2")).toMatchObject(Array(3).fill({ content_hash: hash }));
    });

    it("asks for one access token, in a form", async () => {
      await put("object");
      await keys();
      expect(count("oauth2/token")).toBe(1);
      const [request] = service.requests;
      expect(request?.url).toBe("/api.dropboxapi.com/oauth2/token");
      expect(request?.argument).toContain(service.refreshToken);
    });

    it("needs no secret of the app where there is none", async () => {
      service.needsSecret = false;
      storage = await open(service);
      await put("object");
      expect(service.requests[0]?.argument).not.toContain("client_secret");
      expect(await keys()).toEqual(["object"]);
    });

    it("works in a team's space", async () => {
      storage = await open(service, { namespace: "2002" });
      expect(storage.description).toBe("dropbox /Backups in namespace 2002");
      const bytes = bytesOf(LARGE);
      await put("object", bytes);
      expect(service.files("2002")).toEqual(["/Backups/object"]);
      expect(service.files("1001")).toEqual([]);
      expect(await read("object")).toBe(digest(bytes));
      await storage.remove(["object"]);
      expect(service.files("2002")).toEqual([]);
    });

    it("takes the root itself as its folder", async () => {
      storage = await open(service, { folder: "/" });
      await put("object");
      await put("a/b");
      expect(service.files()).toEqual(["/object", "/a/b"]);
      expect(await keys()).toEqual(["a/b", "object"]);
    });
  });

  describe("names", () => {
    it.each([
      ["back\\slash", "backslash"],
      ["emoji/🐘", "Basic Multilingual Plane"],
      ["a/ends with space /b", "ends with a space"],
      ["a/Thumbs.DB", "keeps for itself"],
      ["delete\x7F", "DEL"],
      ["e\u0301", "Normalization Form C"],
    ])("%j is refused without a request", async (key, why) => {
      for (const request of [
        () => put(key),
        () => storage.stat(key),
        () => storage.download(key),
        () => storage.remove([key]),
        () => keys(key),
      ]) {
        const error = await failure(request());
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.message).toContain(why);
      }
      expect(service.requests).toEqual([]);
    });

    it("with a folder that Dropbox does not take is refused at once", async () => {
      expect(await failure(open(service, { folder: "/a\\b" }))).toMatchObject({ code: "CONFIG" });
    });

    it.each([
      "with space/and  two",
      "quotes'\"`",
      "+&=?#%",
      "%2e%2e/%2F",
      "a:b;c,d@e!",
      "(x)[y]{z}~$^|<>*",
      "trailing.",
    ])("%j is kept as it is", async (key) => {
      await put(key, bytesOf(50));
      expect(await keys()).toEqual([key]);
      expect(await read(key)).toBe(digest(bytesOf(50)));
      await storage.remove([key]);
      expect(await keys()).toEqual([]);
    });

    it.each(["ünïcödé/日本語", "\u00e9"])("%j is kept as it is, too", async (key) => {
      await put(key, bytesOf(50));
      expect(await keys()).toEqual([key]);
      expect(await read(key)).toBe(digest(bytesOf(50)));
    });

    it("keep their case, also where the service shows only the last name of a path in its own", async () => {
      await put("Team/App/One.JSON");
      await put("Team/App/two");
      expect(await keys()).toEqual(["Team/App/One.JSON", "Team/App/two"]);
      expect(await keys("Team/App")).toEqual(["Team/App/One.JSON", "Team/App/two"]);
    });

    it("that differ by case only are one to Dropbox: a conflict, and not the same object", async () => {
      await put("a/Object", bytesOf(10));
      const error = await failure(put("a/object", bytesOf(20)));
      expect(error.code).toBe("CONFLICT");
      expect(`${error.message} ${error.fix ?? ""}`).toMatch(/upper case from lower case/);
      expect(await failure(put("a/object", bytesOf(LARGE)))).toMatchObject({ code: "CONFLICT" });
      expect(count("files/upload_session/start")).toBe(0);
      expect(await failure(storage.stat("a/object"))).toMatchObject({ code: "NOT_FOUND" });
      await storage.remove(["a/object"]);
      expect(await keys()).toEqual(["a/Object"]);
    });

    it("of a folder that somebody made in another case do not matter", async () => {
      service.put("/BACKUPS/prod/App", "folder");
      await put("prod/app/object");
      expect(await keys("prod/app")).toEqual(["prod/app/object"]);
      expect(await read("prod/app/object")).toBe(digest(bytesOf(100)));
    });
  });

  describe("a fault that passes", () => {
    const parts = ["files/upload_session/start", "files/upload_session/append_v2", "files/upload_session/finish"];
    const answers: [string, Fault][] = [
      ["503", { kind: "answer", status: 503, body: "Service unavailable" }],
      ["503 with Retry-After", { kind: "answer", status: 503, body: "wait", headers: { "Retry-After": "0" } }],
      ["500 with a page", { kind: "answer", status: 500, body: "<html>oops</html>" }],
      ["429", { kind: "answer", status: 429, body: { error_summary: "too_many_requests/..", error: { reason: {} } } }],
      ["429 in text", { kind: "answer", status: 429, body: "slow down", headers: { "Retry-After": "0" } }],
      ["a lost answer", { kind: "lost" }],
      ["a page of a proxy", { kind: "answer", status: 200, body: "<html>please log in</html>" }],
    ];
    const busy: Fault = {
      kind: "answer",
      status: 409,
      body: { error_summary: "too_many_write_operations/.", error: { ".tag": "too_many_write_operations" } },
    };
    for (const [name, fault] of answers) {
      it.each(parts)(`${name} at %s is tried again`, async (endpoint) => {
        service.misbehave(endpoint, fault, { after: endpoint.includes("append") ? 1 : 0 });
        const bytes = bytesOf(LARGE);
        expect(await put("object", bytes)).toMatchObject({ size: LARGE });
        expect(await read("object")).toBe(digest(bytes));
        expect(service.files()).toEqual(["/Backups/object"]);
      });

      it(`${name} at files/upload and everything else is tried again`, async () => {
        for (const endpoint of [
          "oauth2/token",
          "files/upload",
          "files/get_metadata",
          "files/download",
          "files/delete_batch",
        ]) {
          service.misbehave(endpoint, fault);
        }
        service.misbehave("files/list_folder", fault);
        await put("object");
        // What stands in place of the bytes of a download with 200 cannot be told from them before its end.
        if (name === "a page of a proxy") expect(await failure(read("object"))).toMatchObject({ code: "INTEGRITY" });
        else expect(await read("object")).toBe(digest(bytesOf(100)));
        expect(await keys()).toEqual(["object"]);
        await storage.remove(["object"]);
        expect(await keys()).toEqual([]);
      });
    }

    it("too many writes are tried again, in a commit and in a removal", async () => {
      service.misbehave("files/upload", {
        kind: "answer",
        status: 409,
        body: {
          error_summary: "path/too_many_write_operations/..",
          error: { ".tag": "path", reason: { ".tag": "too_many_write_operations" } },
        },
      });
      service.misbehave("files/upload_session/finish", busy, { times: 2 });
      await put("small");
      await put("large", bytesOf(LARGE));
      service.misbehave("files/delete_batch", {
        kind: "answer",
        status: 200,
        body: {
          ".tag": "complete",
          entries: Array(2).fill({ ".tag": "failure", failure: { ".tag": "too_many_write_operations" } }),
        },
      });
      await storage.remove(["small", "large"]);
      expect(count("files/delete_batch")).toBe(2);
      expect(await keys()).toEqual([]);
    });

    it("waits as long as the service asks, in a header or in the answer", async () => {
      service.misbehave("files/upload", { kind: "answer", status: 429, headers: { "Retry-After": "1" } });
      const begun = performance.now();
      await put("one");
      expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
      const error = { reason: { ".tag": "too_many_requests" }, retry_after: 1 };
      service.misbehave("files/upload", {
        kind: "answer",
        status: 429,
        body: { error_summary: "too_many_requests/", error },
      });
      const again = performance.now();
      await put("two");
      expect(performance.now() - again).toBeGreaterThanOrEqual(990);
    });

    it.each([
      [429, "too_many_requests"],
      [503, "temporarily_unavailable"],
      [500, "server_error"],
    ])("of the token's service (%i) is waited for, as long as it asks", async (status, error) => {
      service.misbehave("oauth2/token", { kind: "answer", status, body: { error }, headers: { "Retry-After": "1" } });
      const begun = performance.now();
      await put("object");
      expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
      expect(count("oauth2/token")).toBe(2);
    });

    it("of the token's service that lasts is no fault of the credentials", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("oauth2/token", { kind: "answer", status: 503, body: { error: "temporarily_unavailable" } });
      expect(await failure(put("object"))).toMatchObject({ code: "TRANSIENT" });
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("oauth2/token", { kind: "answer", status: 429, body: { error: "too_many_requests" } });
      expect(await failure(put("object"))).toMatchObject({ code: "RATE_LIMITED" });
    });

    it.each([429, 503])("waits until the date that the service names (%i)", async (status) => {
      const date = new Date(Date.now() + 2_000).toUTCString();
      service.misbehave("files/upload", { kind: "answer", status, headers: { "Retry-After": date } });
      await put("object");
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(date));
    });

    it("waits by the policy where the service names no time", async () => {
      const error = { reason: { ".tag": "too_many_requests" }, retry_after: null };
      const body = { error_summary: "too_many_requests/", error };
      service.misbehave("files/upload", { kind: "answer", status: 429, body });
      storage = await open(service, { retrySeconds: 0 });
      const refusal = await failure(put("object"));
      expect(refusal.code).toBe("RATE_LIMITED");
      expect(refusal.retryAfterMs).toBeUndefined();
    });

    it("that the service wants to last longer than the budget is reported at once", async () => {
      service.misbehave("files/upload", { kind: "answer", status: 429, headers: { "Retry-After": "300" } });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 300_000 });
      expect(await keys()).toEqual([]);
    });

    it("that does not pass is reported in the end, and leaves nothing", async () => {
      storage = await open(service, { retrySeconds: 0 });
      for (const endpoint of ["files/upload", ...parts]) {
        service.misbehave(endpoint, { kind: "answer", status: 503, body: "no" });
        const error = await failure(put("object", bytesOf(endpoint === "files/upload" ? 10 : LARGE)));
        expect(error, endpoint).toMatchObject({ code: "TRANSIENT" });
        expect(error.message).toMatch(/^Cannot upload object to dropbox \/Backups: .*\(503\), request [0-9a-f]{32}\.$/);
        expect(await keys()).toEqual([]);
      }
    });

    it("breaks uploads at any of 20 points: none hangs, and all succeed", { timeout: 120_000 }, async () => {
      const bytes = bytesOf(17 * MiB, 3);
      const random = bytesOf(400, 9);
      const endpoints = ["files/upload", "files/upload_session/append_v2"] as const;
      const cut = async (index: number) => {
        const large = index % 10 === 0;
        const own = large ? bytes : bytes.subarray(0, 300_000);
        service.misbehave(endpoints[large ? 1 : 0], {
          kind: "cut request",
          bytes: random.readUInt32LE(index * 4) % Math.min(own.length, 16 * MiB),
        });
        expect(await storage.upload(`cut/${index}`, streamOf(own, MiB))).toMatchObject({ size: own.length });
        expect(await read(`cut/${index}`)).toBe(digest(own));
      };
      for (let start = 0; start < 20; start += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, index) => cut(start + index)));
      }
      expect(await keys()).toHaveLength(20);
    });

    it(
      "breaks sources of large uploads at any point: none hangs, nothing is visible",
      { timeout: 120_000 },
      async () => {
        const bytes = bytesOf(50 * MiB, 3);
        const random = bytesOf(400, 11);
        for (let index = 0; index < 8; index += 1) {
          const length = random.readUInt32LE(index * 4) % bytes.length;
          const cause = new ProviderError("TRANSIENT", `cut at ${length}`);
          expect(await failure(storage.upload("object", failingStream(bytes.subarray(0, length), cause, MiB)))).toBe(
            cause,
          );
        }
        expect(await keys()).toEqual([]);
      },
    );
  });

  describe("an answer that is lost after the request took effect", () => {
    it.each(["not_found", "closed", "open"] as const)(
      "of a commit whose session is %s then is success",
      async (finished) => {
        service.finished = finished;
        service.misbehave("files/upload_session/finish", { kind: "lost" });
        const bytes = bytesOf(LARGE);
        expect(await put("object", bytes)).toMatchObject({ key: "object", size: LARGE });
        expect(await read("object")).toBe(digest(bytes));
      },
    );

    it("of a small object is success", async () => {
      service.misbehave("files/upload", { kind: "lost" });
      expect(await put("object")).toMatchObject({ size: 100 });
      expect(count("files/upload")).toBe(2);
      expect(await keys()).toEqual(["object"]);
    });

    it("and of every try, is success too", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("files/upload", { kind: "lost" });
      expect(await put("object")).toMatchObject({ size: 100 });
    });

    it("is a conflict where the same bytes were there before", async () => {
      service.put("/Backups/object", bytesOf(100));
      await sleep(1_100);
      service.misbehave("files/upload", { kind: "answer", status: 500 });
      expect(await failure(put("object"))).toMatchObject({ code: "CONFLICT" });
    });

    it("is reported as unknown where the service no longer answers", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("files/upload", { kind: "lost" });
      service.misbehave("files/get_metadata", { kind: "lost" });
      const error = await failure(put("object"));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/Whether \/Backups\/object was stored is not known/);
      expect(error.fix).toMatch(/Check whether/);
    });

    it.each(["accepted", "incorrect_offset"] as const)(
      "of a part that is %s once more is success",
      async (repeated) => {
        service.repeated = repeated;
        service.misbehave("files/upload_session/append_v2", { kind: "lost" });
        const bytes = bytesOf(LARGE);
        await put("object", bytes);
        expect(count("files/upload_session/append_v2")).toBe(4);
        expect(await read("object")).toBe(digest(bytes));
      },
    );

    it("of the part that closes the session is success", async () => {
      service.misbehave("files/upload_session/append_v2", { kind: "lost" }, { after: 2 });
      const bytes = bytesOf(LARGE);
      await put("object", bytes);
      expect(count("files/upload_session/append_v2")).toBe(4);
      expect(await read("object")).toBe(digest(bytes));
    });

    it("of a removal changes nothing", async () => {
      await put("object");
      service.misbehave("files/delete_batch", { kind: "lost" });
      await storage.remove(["object"]);
      expect(await keys()).toEqual([]);
    });
  });

  describe("an upload session", () => {
    const offset = (correct: number): Fault => ({
      kind: "answer",
      status: 409,
      body: {
        error_summary: "incorrect_offset/..",
        error: { ".tag": "incorrect_offset", correct_offset: correct },
      },
    });

    it("that expires is reported, and leaves nothing", async () => {
      for (const endpoint of ["files/upload_session/append_v2", "files/upload_session/finish"]) {
        service.misbehave(endpoint, { kind: "forget sessions" }, { after: endpoint.includes("append") ? 1 : 0 });
        const error = await failure(put("object", bytesOf(LARGE)));
        expect(error.code).toBe("TRANSIENT");
        expect(error.message).toMatch(/does not know the upload session any more, at byte \d+/);
        expect(error.fix).toMatch(/7 days/);
        expect(await keys()).toEqual([]);
      }
    });

    it("that holds other bytes than it was sent ends the upload", async () => {
      service.misbehave("files/upload_session/append_v2", offset(5), { after: 2 });
      const error = await failure(put("object", bytesOf(LARGE)));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      expect(error.message).toMatch(/holds 5 bytes of it, at byte 33554432/);
    });

    it.each([
      ["a part", 0, 16 * MiB],
      ["its end", 1, 16 * MiB + 1],
    ])("that lacks %s, though it said otherwise, ends the upload, and nothing is visible", async (_, after, said) => {
      service.misbehave("files/upload_session/append_v2", offset(said), { after });
      const error = await failure(put("object", bytesOf(16 * MiB + 1)));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      expect(error.message).toMatch(/Dropbox lacks parts of it, at byte 16777217/);
      expect(service.files()).toEqual([]);
    });

    it("is left at once when the source fails, though a part of it is not answered", async () => {
      service.misbehave("files/upload_session/append_v2", { kind: "stall" });
      const cause = new ProviderError("TRANSIENT", "cut");
      const source = streamThen(bytesOf(40 * MiB), async () => {
        while (count("files/upload_session/append_v2") === 0) await sleep(1);
        throw cause;
      });
      const begun = performance.now();
      expect(await failure(storage.upload("object", source))).toBe(cause);
      // The part would be given up after 30 s.
      expect(performance.now() - begun).toBeLessThan(10_000);
      expect(await keys()).toEqual([]);
    });

    it("is given bytes again that changed on their way", async () => {
      const mismatch = { error_summary: "content_hash_mismatch/.", error: { ".tag": "content_hash_mismatch" } };
      service.misbehave("files/upload_session/append_v2", { kind: "answer", status: 409, body: mismatch });
      await put("object", bytesOf(LARGE));
      expect(await keys()).toEqual(["object"]);
    });

    it.each(["shorter", "longer", "different"] as const)("of which a file of %s bytes is made", async (lie) => {
      service.misbehave("files/upload_session/finish", { kind: "lie", lie });
      const error = await failure(put("object", bytesOf(LARGE)));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/The file was removed again/);
      expect(service.files()).toEqual([]);
    });

    it("says so where such a file stays", async () => {
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("files/upload", { kind: "lie", lie: "different" });
      service.misbehave("files/delete_v2", { kind: "answer", status: 500 });
      const error = await failure(put("object"));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/\/Backups\/object could not be removed/);
    });
  });

  describe("an access token", () => {
    it("that expires in the middle of an upload, or is taken back, is renewed", async () => {
      service.misbehave("files/upload_session/append_v2", { kind: "expire tokens" }, { after: 1 });
      service.misbehave("files/upload_session/finish", { kind: "expire tokens" });
      service.misbehave("files/download", { kind: "expire tokens" });
      const bytes = bytesOf(LARGE);
      await put("object", bytes);
      expect(await read("object")).toBe(digest(bytes));
      // Two parts are under way at that moment, and each may be told.
      expect([4, 5]).toContain(count("oauth2/token"));
      service.tokens.clear();
      expect(await keys()).toEqual(["object"]);
    });

    it("is renewed before it expires", async () => {
      service.tokenSeconds = 1;
      await put("one");
      await sleep(600);
      await put("two");
      expect(count("oauth2/token")).toBe(2);
    });

    it("that is never accepted is AUTH", async () => {
      const body = { error_summary: "expired_access_token/..", error: { ".tag": "expired_access_token" } };
      service.misbehave("files/list_folder", { kind: "answer", status: 401, body }, { times: 2 });
      const error = await failure(keys());
      expect(error.code).toBe("AUTH");
      expect(error.fix).toMatch(/get a new refresh token/);
    });
  });

  describe("errors", () => {
    it.each([
      ["files.content.write", () => put("object")],
      ["files.metadata.read", () => keys()],
      ["files.content.read", () => read("object")],
    ])("say which scope is missing: %s", async (scope, request) => {
      service.put("/Backups/object", bytesOf(10));
      service.scopes.delete(scope);
      const error = await failure(request());
      expect(error.code).toBe("AUTH");
      expect(error.message).toContain(`the scope ${scope} is missing`);
      expect(error.fix).toMatch(new RegExp(`^Tick ${scope} .* get a new refresh token`));
    });

    it("say so where the app itself lacks it", async () => {
      const body =
        'Error in call to API function "files/list_folder": Your app (ID: 1) is not permitted to access this endpoint ' +
        "because it does not have the required scope 'files.metadata.read'.";
      service.misbehave("files/list_folder", { kind: "answer", status: 400, body });
      expect((await failure(keys())).message).toContain("the scope files.metadata.read is missing");
    });

    it("say how to get a new refresh token", async () => {
      redirectDropbox(service.origin);
      const config = dropbox.schema.parse({ ...base, appKey: service.appKey, appSecret: { env: "S" } });
      const secrets = { appSecret: service.appSecret, refreshToken: "revoked-token-77" };
      storage = await dropbox.create(config, { secrets });
      const error = await failure(put("object"));
      expect(error.code).toBe("AUTH");
      expect(error.message).toContain("invalid_grant: refresh token is invalid or revoked");
      expect(error.fix).toContain("token_access_type=offline");
      expect(everythingIn(error)).not.toContain("revoked-token-77");
    });

    it("tell a wrong app's key or secret", async () => {
      service.needsSecret = false;
      storage = await open(service);
      service.needsSecret = true;
      const error = await failure(keys());
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.fix).toContain("appSecret");
    });

    it("tell an empty refresh token", async () => {
      const config = dropbox.schema.parse({ ...base, appKey: service.appKey });
      for (const secrets of [{}, { refreshToken: "" }]) {
        expect(await failure(dropbox.create(config, { secrets }))).toMatchObject({ code: "CONFIG" });
      }
    });

    it("tell a namespace that is not the account's", async () => {
      storage = await open(service, { namespace: "999" });
      const error = await failure(keys());
      expect(error.code).toBe("CONFIG");
      expect(error.fix).toContain("namespace");
    });

    const written = (tag: string): Fault => ({
      kind: "answer",
      status: 409,
      body: { error_summary: `path/${tag}/..`, error: { ".tag": "path", reason: { ".tag": tag } } },
    });
    it.each([
      ["insufficient_space", "QUOTA"],
      ["disallowed_name", "CONFIG"],
      ["malformed_path", "CONFIG"],
      ["no_write_permission", "AUTH"],
      ["team_folder", "CONFIG"],
      ["upload_traffic_limit_reached", "QUOTA"],
    ])("of a write: %s is %s", async (tag, code) => {
      service.misbehave("files/upload", written(tag));
      const error = await failure(put("object"));
      expect(error.code).toBe(code);
      expect(error.message).toContain(`(path/${tag})`);
      expect(error.fix).toBeDefined();
    });

    it("of another kind are INTERNAL, and never repeat a header", async () => {
      const body = "Error in call: Invalid authorization value in HTTP header: 'Bearer sl.u.abcdefg'";
      service.misbehave("files/list_folder", { kind: "answer", status: 400, body });
      const error = await failure(keys());
      expect(error.code).toBe("INTERNAL");
      expect(error.message).toContain("Bearer …");
      expect(error.message).not.toContain("abcdefg");
    });

    it("of a parent that is a file, or a folder in the object's place, are CONFLICT", async () => {
      await put("object");
      service.put("/Backups/folder", "folder");
      expect(await failure(put("object/below"))).toMatchObject({ code: "CONFLICT" });
      expect(await failure(put("folder"))).toMatchObject({ code: "CONFLICT" });
      expect(await failure(put("folder", bytesOf(LARGE)))).toMatchObject({ code: "CONFLICT" });
    });

    it("of a service that cannot be reached are TRANSIENT", async () => {
      storage = await open(service, { retrySeconds: 0 });
      redirectDropbox("http://127.0.0.1:9");
      const error = await failure(keys());
      expect(error.code).toBe("TRANSIENT");
      expect(error.fix).toContain("api.dropboxapi.com");
      redirectDropbox(service.origin);
    });
  });

  describe("a listing", () => {
    const many = Array.from({ length: 25 }, (_, index) => `a/${index}`).sort();
    beforeEach(async () => {
      service.pageSize = 4;
      for (const key of many) await put(key);
    });

    it("goes on where a page fails", async () => {
      service.misbehave("files/list_folder/continue", { kind: "answer", status: 500 }, { after: 2 });
      service.misbehave("files/list_folder/continue", { kind: "lost" }, { after: 1 });
      expect(await keys()).toEqual(many);
    });

    const reset: Fault = {
      kind: "answer",
      status: 409,
      body: { error_summary: "reset/...", error: { ".tag": "reset" } },
    };
    it("begins again where the service wants it", async () => {
      service.misbehave("files/list_folder/continue", reset, { after: 3 });
      expect(await keys()).toEqual(many);
      expect(count("files/list_folder")).toBe(2);
    });

    it("does not begin again for ever", async () => {
      service.misbehave("files/list_folder/continue", reset, { times: 5 });
      expect(await failure(keys())).toMatchObject({ code: "TRANSIENT" });
    });

    it("follows what changes while it goes on", async () => {
      const listing = keys();
      while (count("files/list_folder/continue") < 2) await sleep(1);
      service.delete("/Backups/a");
      service.put("/Backups/a", bytesOf(5));
      service.put("/Backups/b/new", bytesOf(5));
      expect(await listing).toEqual(["a", "b/new"]);
    });
  });

  describe("remove", () => {
    it("works through batches in the background", async () => {
      service.background = true;
      await put("a");
      await put("b");
      await storage.remove(["a", "b", "missing"]);
      expect(count("files/delete_batch/check")).toBe(2);
      expect(await keys()).toEqual([]);
    });

    it("leaves what was replaced in between, removes the rest, and says which stayed", async () => {
      for (const key of ["a", "b", "c"]) await put(key);
      // The next try comes well after the replacement.
      service.misbehave("files/delete_batch", { kind: "answer", status: 503, headers: { "retry-after": "1" } });
      const removing = storage.remove(["a", "b", "c"]);
      while (count("files/delete_batch") === 0) await sleep(1);
      service.put("/Backups/b", bytesOf(7));
      const error = await failure(removing);
      expect(error.code).toBe("CONFLICT");
      expect(error.message).toMatch(/^1 of 3 objects could not be removed \(b\)/);
      expect(await keys()).toEqual(["b"]);
    });

    it("reports keys that could not be looked at, and removes the rest", async () => {
      storage = await open(service, { retrySeconds: 0 });
      for (const key of ["a", "b", "c"]) await put(key);
      service.misbehave("files/get_metadata", { kind: "answer", status: 500 });
      const error = await failure(storage.remove(["a", "b", "c"]));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(await keys()).toHaveLength(1);
    });
  });

  describe("a download", () => {
    it("goes on where it breaks", async () => {
      const bytes = bytesOf(LARGE);
      await put("object", bytes);
      for (const point of [0, 3 * MiB, 20 * MiB]) {
        service.misbehave("files/download", { kind: "cut response", bytes: point });
        expect(await read("object")).toBe(digest(bytes));
      }
      service.misbehave("files/download", { kind: "cut response", bytes: 10 * MiB }, { times: 3 });
      expect(await read("object")).toBe(digest(bytes));
      expect(service.requests.some((request) => request.headers.range !== undefined)).toBe(true);
    });

    it("that breaks again and again fails in the end", async () => {
      await put("object", bytesOf(LARGE));
      storage = await open(service, { retrySeconds: 0 });
      service.misbehave("files/download", { kind: "cut response", bytes: MiB });
      expect(await failure(read("object"))).toMatchObject({ code: "TRANSIENT" });
    });

    it("that stalls is given up", async () => {
      await put("object");
      storage = await open(service, { stallTimeoutSeconds: 1, retrySeconds: 0 });
      service.misbehave("files/download", { kind: "stall" });
      const error = await failure(read("object"));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/stalled/);
    });

    it("of a file that is removed at the same time fails", async () => {
      await put("object", bytesOf(LARGE));
      service.misbehave("files/download", { kind: "cut response", bytes: MiB });
      const stream = await storage.download("object");
      service.put("/Backups/object", bytesOf(LARGE, 2));
      expect(await failure(digestOf(stream))).toMatchObject({ code: "NOT_FOUND" });
    });
  });

  describe("one dead connection", () => {
    it.each([
      ["files/upload", 100],
      ["files/get_metadata", LARGE],
      ["files/upload_session/start", LARGE],
      ["files/upload_session/append_v2", LARGE],
      ["files/upload_session/finish", LARGE],
      ["oauth2/token", 100],
    ])("at %s does not end an upload", async (endpoint, size) => {
      storage = await open(service, { stallTimeoutSeconds: 4 });
      const bytes = bytesOf(size);
      service.misbehave(endpoint, { kind: "stall" });
      expect(await put("object", bytes)).toMatchObject({ size });
      expect(await read("object")).toBe(digest(bytes));
    });

    it("in the middle of a part does not end an upload", async () => {
      storage = await open(service, { stallTimeoutSeconds: 4 });
      const bytes = bytesOf(LARGE);
      service.misbehave("files/upload_session/append_v2", { kind: "stall", bytes: 70_000 }, { after: 1 });
      await put("object", bytes);
      expect(await read("object")).toBe(digest(bytes));
    });

    it.each(["files/download", "files/get_metadata"])("at %s does not end a download", async (endpoint) => {
      storage = await open(service, { stallTimeoutSeconds: 2 });
      const bytes = bytesOf(LARGE);
      await put("object", bytes);
      service.misbehave(endpoint, { kind: "stall" });
      expect(await read("object")).toBe(digest(bytes));
    });

    it("in the middle of its bytes does not end a download", async () => {
      storage = await open(service, { stallTimeoutSeconds: 2 });
      const bytes = bytesOf(LARGE);
      await put("object", bytes);
      service.misbehave("files/download", { kind: "stall response", bytes: 5 * MiB }, { times: 2 });
      expect(await read("object")).toBe(digest(bytes));
    });

    it("does not end a listing, a stat or a removal", async () => {
      storage = await open(service, { stallTimeoutSeconds: 1 });
      await put("object");
      service.misbehave("files/list_folder", { kind: "stall response", bytes: 20 });
      expect(await keys()).toEqual(["object"]);
      service.misbehave("files/get_metadata", { kind: "stall" });
      expect(await storage.stat("object")).toMatchObject({ size: 100 });
      service.misbehave("files/delete_batch", { kind: "stall" });
      await storage.remove(["object"]);
      expect(await keys()).toEqual([]);
    });
  });

  it("holds a bounded part of a stream of 384 MiB in memory", { timeout: 180_000 }, async () => {
    service.forgetful = true;
    await expectBoundedMemory(
      "dropbox",
      {
        config: { ...base, appKey: service.appKey, appSecret: { env: "SECRET" } },
        secrets: { appSecret: service.appSecret, refreshToken: service.refreshToken },
      },
      LARGE_MIB.shorter,
      {
        module: join(import.meta.dirname, "../../../tools/services/dropbox-redirect.ts"),
        environment: { DROPBOX_SERVICE: service.origin },
      },
    );
    expect(await storage.stat("o384")).toMatchObject({ size: 384 * MiB });
  });

  describe("a service that stalls", () => {
    it.each([
      ["files/upload", 100],
      ["files/upload_session/start", LARGE],
      ["files/upload_session/append_v2", LARGE],
      ["files/upload_session/finish", LARGE],
      ["oauth2/token", 100],
    ])("at %s is given up", async (endpoint, size) => {
      storage = await open(service, { stallTimeoutSeconds: 1, retrySeconds: 0 });
      service.misbehave(endpoint, { kind: "stall" });
      const begun = performance.now();
      const error = await failure(put("object", bytesOf(size)));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/stalled/);
      expect(performance.now() - begun).toBeLessThan(4_500);
      expect(await keys()).toEqual([]);
    });
  });

  describe("abort", () => {
    it("while the commit's answer is lost leaves nothing", async () => {
      const controller = new AbortController();
      service.misbehave("files/upload", { kind: "lost" });
      const source = streamThen(bytesOf(100), () => {
        setTimeout(() => {
          controller.abort();
        }, 0);
      });
      const outcome = await storage
        .upload("object", source, { signal: controller.signal })
        .catch((error: unknown) => error);
      expect(await keys()).toEqual(outcome instanceof Error ? [] : ["object"]);
    });
  });

  it("says that there are no unfinished uploads to find", async () => {
    expect(await storage.removeUnfinished("", new Date())).toBe(0);
    expect(await storage.removeUnfinished("a", new Date())).toBe(0);
  });

  it("ends what is under way when it is closed", async () => {
    service.misbehave("files/upload", { kind: "stall" });
    const upload = failure(put("object"));
    while (count("files/upload") === 0) await sleep(1);
    await storage.close();
    expect(await upload).toMatchObject({ code: "ABORTED" });
  });

  it.each([
    [{ folder: "backups" }, "absolute Dropbox path"],
    [{ folder: "/backups/" }, "absolute Dropbox path"],
    [{ appKey: "My Key" }, "App Console"],
    [{ namespace: "ns:1" }, "string of digits"],
    [{ refreshToken: "plain" }, "reference to a secret"],
  ])("refuses the configuration %j", (settings, problem) => {
    const { success, error } = dropbox.schema.safeParse({ ...base, appKey: "a1b2c3d4e5f6g7h", ...settings });
    expect(success).toBe(false);
    expect(error?.message).toContain(problem);
  });
});
