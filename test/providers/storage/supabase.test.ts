import type { IncomingHttpHeaders } from "node:http";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { supabase } from "../../../providers/storage/supabase.ts";
import { storageUrl } from "../../../providers/supabase/client.ts";
import { base, open } from "../../helpers/stores/supabase.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf, streamThen } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { Random } from "../../helpers/random.ts";
import { keysIn } from "../../helpers/store.ts";
import { expectBoundedMemory, LARGE as LARGE_MIB } from "../../helpers/upload-memory.ts";
import { eventually } from "../../helpers/eventually.ts";
import { FaultyProxy } from "../../../tools/services/faulty-proxy.ts";
import type { Fault, PassedRequest } from "../../../tools/services/faulty-proxy.ts";
import { SupabaseStorageService } from "../../../tools/services/supabase-storage.ts";

const MiB = 1024 * 1024;

/** Three requests of a resumable upload, the last of them short. */
const large = bytesOf(13 * MiB + 12_345, 3);

describe("supabase storage", () => {
  let service: SupabaseStorageService;
  let proxy: FaultyProxy;
  let storage: StorageProvider;
  beforeEach(async () => {
    service = await SupabaseStorageService.start();
    proxy = await FaultyProxy.start(service.url);
    storage = await open(proxy.url, service.serviceKey);
  });
  afterEach(async () => {
    expect(proxy.pending, "faults that nothing ran into").toBe(0);
    // The key is in the two headers that are for it, and nowhere else.
    for (const { url, headers } of proxy.requests) {
      const { authorization = "", apikey, ...others } = headers;
      for (const secret of [service.serviceKey, service.secretKey]) {
        expect(url + JSON.stringify(others)).not.toContain(secret);
      }
      expect([undefined, `Bearer ${String(apikey)}`]).toContain(authorization === "" ? undefined : authorization);
    }
    await storage.close();
    await proxy.stop();
    await service.close();
  });

  const put = (key: string, bytes = bytesOf(100)) => storage.upload(key, streamOf(bytes));
  const keys = (prefix = "") => keysIn(storage, prefix);
  const read = async (key: string) => digestOf(await storage.download(key));
  const use = async (settings: object, key = service.serviceKey) => {
    storage = await open(proxy.url, key, settings);
  };
  /** What a request fails with; no error holds a key, however deep one looks. */
  const failure = async (request: Promise<unknown>): Promise<ProviderError> => {
    const error = await failureOf(request);
    const text = inspect(error, { depth: 10, showHidden: true });
    for (const secret of [service.serviceKey, service.secretKey, service.anonKey, service.userKey]) {
      expect(text).not.toContain(secret);
    }
    expect(text).not.toMatch(/Bearer [A-Za-z0-9]/);
    return error;
  };
  const sent = (method: string, path = "") =>
    proxy.requests.filter((request) => request.method === method && request.url.includes(path));
  const expectNothing = async () => {
    proxy.reset();
    expect(await keys()).toEqual([]);
    await eventually(() => {
      expect(service.openUploads).toBe(0);
    });
  };

  describe("requests", () => {
    it("sends a small object in one, and a large one in chunks of 6 MiB of which the last tells the length", async () => {
      await put("small", bytesOf(6 * MiB));
      expect(sent("POST", "/upload/resumable")).toEqual([]);
      expect(sent("POST", "/object/backups/small")).toHaveLength(1);
      await put("large", large);
      const [begin] = sent("POST", "/upload/resumable");
      expect(begin?.headers).toMatchObject({
        "upload-defer-length": "1",
        "x-upsert": "false",
        "tus-resumable": "1.0.0",
      });
      const parts = sent("PATCH").map(({ headers, bytes }) => [
        headers["upload-offset"],
        bytes,
        headers["upload-length"],
      ]);
      expect(parts).toEqual([
        ["0", 6 * MiB, undefined],
        [String(6 * MiB), 6 * MiB, undefined],
        [String(12 * MiB), MiB + 12_345, String(large.length)],
      ]);
      expect(service.openUploads).toBe(0);
      expect(await read("large")).toBe(digest(large));
    });

    it("takes a large object that ends with a chunk", async () => {
      const bytes = bytesOf(12 * MiB);
      await put("object", bytes);
      expect(sent("PATCH")).toHaveLength(2);
      expect(await read("object")).toBe(digest(bytes));
    });

    it("tells type, caching and its own id, of small objects and large ones", async () => {
      await put("small");
      await put("large", large);
      for (const name of ["small", "large"]) {
        expect(service.objects.get(`backups/${name}`)).toMatchObject({
          type: "application/octet-stream",
          cacheControl: "max-age=0",
          metadata: { provisionUpload: expect.stringMatching(/^[0-9a-f-]{36}$/) as string },
        });
      }
    });

    it("takes one of the newer keys, too", async () => {
      await use({}, service.secretKey);
      await put("object", large);
      expect(await read("object")).toBe(digest(large));
    });

    it("understands services that are older", async () => {
      service.old = true;
      await put("object");
      expect(await failure(put("object"))).toMatchObject({ code: "CONFLICT" });
      expect(await failure(storage.stat("missing"))).toMatchObject({ code: "NOT_FOUND" });
      expect(await failure(read("missing"))).toMatchObject({ code: "NOT_FOUND" });
    });

    it.each([
      ["https://abcdefghijklmnopqrst.supabase.co", "https://abcdefghijklmnopqrst.storage.supabase.co/storage/v1"],
      ["https://supabase.example.com/", "https://supabase.example.com/storage/v1"],
      ["http://127.0.0.1:54321", "http://127.0.0.1:54321/storage/v1"],
    ])("goes for the project %s to %s", (url, expected) => {
      expect(storageUrl(url)).toBe(expected);
    });
  });

  describe("names", () => {
    it("that the service does not take are escaped, and shown as they are", async () => {
      await use({ prefix: "team" });
      await put("a b/é?=#");
      expect([...service.objects.keys()]).toEqual(["backups/team/a=20b/=C3=A9=3F=3D=23"]);
      expect(await keys()).toEqual(["a b/é?=#"]);
    });

    it("that others gave and this program would not are left out", async () => {
      for (const name of ["by hand.txt", "half=2", "lower=2f", "bad=FF", "plain"]) service.put(name, bytesOf(3));
      expect(await keys()).toEqual(["plain"]);
    });

    it("that are too long are refused", async () => {
      for (const key of [`${"x/".repeat(450)}y`, `${"é".repeat(100)}/${"é".repeat(60)}`]) {
        const error = await failure(put(key));
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.message).toMatch(/longer than 900 bytes/);
      }
      expect(proxy.requests).toEqual([]);
    });

    it("of folders that resemble each other are told apart", async () => {
      for (const key of ["a_b/one", "axb/two", "A_B/three", "a_b"]) await put(key);
      expect(await keys("a_b")).toEqual(["a_b/one"]);
    });
  });

  /** The requests of an upload, by what they do. */
  const requests: Readonly<Record<string, (request: PassedRequest) => boolean>> = {
    "the check of the bucket": ({ url }) => url.includes("/bucket/"),
    "a small object": ({ method, url }) => method === "POST" && url.includes("/object/backups/a"),
    "the check of the limits": ({ method }) => method === "OPTIONS",
    "the beginning of a resumable upload": ({ method, url }) => method === "POST" && url.endsWith("/upload/resumable"),
    "a chunk": ({ method, headers }) => method === "PATCH" && headers["upload-offset"] === String(6 * MiB),
    "the last chunk": ({ method, headers }) => method === "PATCH" && headers["upload-length"] !== undefined,
    "the check of what was stored": ({ url }) =>
      url.includes("/object/info/") &&
      proxy.requests.some(
        ({ method, headers, status }) => method === "PATCH" && headers["upload-length"] !== undefined && status === 204,
      ),
  };

  const passing: Readonly<Record<string, Fault>> = {
    "an error 500": {
      kind: "answer",
      status: 500,
      body: '{"statusCode":"500","error":"Internal","message":"Internal Server Error"}',
    },
    "an error 503 with a page of HTML": { kind: "answer", status: 503, body: "<html>Service unavailable</html>" },
    "an error 544": {
      kind: "answer",
      status: 544,
      body: '{"statusCode":"544","code":"DatabaseTimeout","message":"The connection to the database timed out"}',
    },
    "an error 503 with Retry-After": { kind: "answer", status: 503, headers: { "retry-after": "1" } },
    "an error 429": { kind: "answer", status: 429 },
    "a flattened 429 with Retry-After": {
      kind: "answer",
      status: 400,
      headers: { "retry-after": "1" },
      body: '{"statusCode":"429","code":"SlowDown","error":"too_many_connections","message":"Too many connections"}',
    },
    "a lost answer": { kind: "swallow" },
    "a cut connection": { kind: "cut-response", after: 0 },
    "a connection that is cut in the body": { kind: "cut-request", after: 50 },
  };

  describe.each(Object.entries(requests))("at %s", (what, strikes) => {
    const bytes = what === "a small object" ? bytesOf(100_000, 4) : large;
    it.each(Object.entries(passing))("survives %s", async (_name, fault) => {
      proxy.misbehave(fault, strikes);
      const begun = performance.now();
      expect(await put("a/object", bytes)).toMatchObject({ key: "a/object", size: bytes.length });
      if (fault.kind === "answer" && fault.headers !== undefined) {
        expect(performance.now() - begun).toBeGreaterThanOrEqual(1_000);
      }
      // Where there is no body, nothing is cut in it.
      if (fault.kind === "cut-request" || fault.kind === "cut-response") proxy.reset();
      expect(await read("a/object")).toBe(digest(bytes));
      expect(await keys()).toEqual(["a/object"]);
      await eventually(() => {
        // The answer to a beginning may be lost: that upload goes by itself.
        expect(service.openUploads).toBeLessThanOrEqual(what.includes("beginning") ? 1 : 0);
      });
    });
  });

  describe("one dead connection", () => {
    it.each(Object.keys(requests))("at %s does not end an upload", async (what) => {
      await use({ stallTimeoutSeconds: 4 });
      const bytes = what === "a small object" ? bytesOf(100_000, 4) : large;
      proxy.misbehave({ kind: "stall" }, requests[what]);
      await put("a/object", bytes);
      expect(proxy.pending).toBe(0);
      expect(await read("a/object")).toBe(digest(bytes));
    });

    it.each(["a chunk", "the last chunk"])("in the middle of %s does not end an upload", async (what) => {
      await use({ stallTimeoutSeconds: 4 });
      proxy.misbehave({ kind: "stall-request", after: 5_000 }, requests[what]);
      await put("a/object", large);
      expect(proxy.pending).toBe(0);
      expect(await read("a/object")).toBe(digest(large));
    });

    it("does not end a download", async () => {
      await put("object", large);
      await use({ stallTimeoutSeconds: 2 });
      for (const fault of [{ kind: "stall" }, { kind: "stall-response", after: 3 * MiB }] as const) {
        proxy.misbehave(fault, ({ url }) => url.includes("/object/authenticated/"));
        expect(await read("object")).toBe(digest(large));
        expect(proxy.pending).toBe(0);
      }
    });
  });

  it("does not send again what has arrived", async () => {
    proxy.misbehave({ kind: "swallow" }, requests["a chunk"]);
    proxy.misbehave({ kind: "swallow" }, requests["the last chunk"]);
    await put("object", large);
    expect(sent("PATCH").reduce((sum, { bytes }) => sum + bytes, 0)).toBe(large.length);
    expect(sent("HEAD")).toHaveLength(1);
  });

  it("goes on where a chunk was cut, and takes the length for told where it was", async () => {
    proxy.misbehave({ kind: "cut-request", after: 4 * MiB }, requests["a chunk"]);
    proxy.misbehave({ kind: "cut-request", after: MiB }, requests["the last chunk"]);
    await put("object", large);
    expect(await read("object")).toBe(digest(large));
    const last = sent("PATCH").at(-1);
    expect(last?.headers["upload-length"]).toBeUndefined();
    expect(last?.bytes).toBeLessThan(MiB + 12_345);
  });

  it("asks the service to finish again where it failed to", async () => {
    service.failsToFinish = true;
    await put("object", large);
    expect(await read("object")).toBe(digest(large));
  });

  it("neither hangs nor leaves anything at 40 random points of failure", { timeout: 240_000 }, async () => {
    const random = new Random(21);
    const one = async (index: number) => {
      const key = `cut/${index}`;
      const after = random.below(large.length);
      if (index % 2 === 0) {
        const cause = new ProviderError("TRANSIENT", `cut at ${after}`);
        const source = failingStream(large.subarray(0, after), cause, 65_536 + random.below(500_000));
        expect(await failure(storage.upload(key, source))).toBe(cause);
        return;
      }
      const own = index % 4 === 1 ? large : large.subarray(0, 1 + random.below(6 * MiB));
      const kind = random.pick(["cut-request", "swallow"] as const);
      const strikes = new RegExp(
        own === large
          ? `/upload/resumable/${Buffer.from(`backups/${key}/`).toString("base64url").slice(0, -2)}`
          : `/object/backups/${key}$`,
      );
      let seen = random.below(own === large ? 3 : 1);
      proxy.misbehave(
        { kind, after: random.below(MiB) },
        ({ method, url }) => (method === "PATCH" || method === "POST") && strikes.test(url) && seen-- === 0,
      );
      await storage.upload(key, streamOf(own));
      expect(await read(key)).toBe(digest(own));
      await storage.remove([key]);
    };
    for (let start = 0; start < 40; start += 4) {
      await Promise.all([0, 1, 2, 3].map((offset) => one(start + offset)));
    }
    expect(proxy.pending).toBe(0);
    await expectNothing();
  });

  const refusal = (status: number, code: string, message: string): Fault => ({
    kind: "answer",
    status: 400,
    body: JSON.stringify({ statusCode: String(status), code, error: code, message }),
  });

  describe("gives up, and leaves nothing, where", () => {
    const lasting: [string, Fault, string, RegExp][] = [
      [
        "the key has no right",
        refusal(403, "AccessDenied", "new row violates row-level security policy"),
        "AUTH",
        /secret key/,
      ],
      [
        "the key is not accepted",
        refusal(403, "InvalidJWT", "Invalid Compact JWS"),
        "AUTH",
        /Project Settings > API Keys/,
      ],
      [
        "a gateway does not accept the key",
        { kind: "answer", status: 401, body: '{"message":"Invalid API key"}' },
        "AUTH",
        /API Keys/,
      ],
      [
        "the object is too large",
        refusal(413, "EntityTooLarge", "The object exceeded the maximum allowed size"),
        "QUOTA",
        /file size limit/,
      ],
      [
        "the project's disk is full",
        refusal(503, "DatabaseReadOnly", "The database is currently in read-only mode"),
        "QUOTA",
        /enlarge its disk/,
      ],
      [
        "the organization is over its quota",
        { kind: "answer", status: 402, body: '{"message":"exceed_storage_size_quota"}' },
        "QUOTA",
        /usage and billing/,
      ],
      [
        "the project is paused",
        { kind: "answer", status: 540, body: '{"message":"project paused"}' },
        "CONFIG",
        /Restore it/,
      ],
      ["there is no such project", refusal(400, "TenantNotFound", "Missing tenant config"), "CONFIG", /Correct url/],
      ["the service stays away", { kind: "answer", status: 500 }, "TRANSIENT", /status\.supabase\.com/],
      [
        "the service asks for more time than there is",
        { kind: "answer", status: 429, headers: { "retry-after": "300" } },
        "RATE_LIMITED",
        /other times/,
      ],
    ];
    it.each(lasting)("%s", async (_what, fault, code, fix) => {
      for (const [what, bytes] of [
        ["a small object", bytesOf(100)],
        ["a chunk", large],
        ["the last chunk", large],
      ] as const) {
        await use({ retrySeconds: 1 });
        proxy.misbehave(fault, requests[what], Infinity);
        const error = await failure(put("a/object", bytes));
        expect(error.code).toBe(code);
        expect(error.fix).toMatch(fix);
        expect(error.message).toMatch(/^Cannot upload a\/object to supabase backups at http:/);
        await expectNothing();
      }
    });

    it.each(Object.keys(requests))("%s stalls", async (what) => {
      await use({ stallTimeoutSeconds: 1, retrySeconds: 1 });
      proxy.misbehave({ kind: "stall" }, requests[what], Infinity);
      const begun = performance.now();
      const error = await failure(put("a/object", what === "a small object" ? bytesOf(100) : large));
      expect(error).toMatchObject({
        code: "TRANSIENT",
        fix: expect.stringMatching(/stallTimeoutSeconds|network/) as string,
      });
      expect(performance.now() - begun).toBeLessThan(15_000);
      proxy.reset();
      // What stays where nobody can look: the service holds it, and says so when it can be asked again.
      if (what === "the check of what was stored") expect(error.message).toMatch(/could not be removed/);
      else await expectNothing();
    });

    it("the caller gives up while a chunk is under way", async () => {
      const controller = new AbortController();
      proxy.misbehave({ kind: "stall" }, requests["a chunk"]);
      setTimeout(() => {
        controller.abort();
      }, 300);
      const error = await failure(storage.upload("a/object", streamOf(large), { signal: controller.signal }));
      expect(error.code).toBe("ABORTED");
      await expectNothing();
    });

    it("the caller gives up when the service has begun the upload and its answer has not come yet", async () => {
      const controller = new AbortController();
      const change = (headers: IncomingHttpHeaders) => {
        controller.abort();
        return headers;
      };
      proxy.misbehave({ kind: "headers", change }, requests["the beginning of a resumable upload"]);
      const error = await failure(storage.upload("a/object", streamOf(large), { signal: controller.signal }));
      expect(error.code).toBe("ABORTED");
      await expectNothing();
    });

    it.each(["a chunk", "the last chunk"])("the upload expires before %s", async (what) => {
      const begun = performance.now();
      const source = streamThen(what === "a chunk" ? large.subarray(0, 9 * MiB) : large, async () => {
        await eventually(() => {
          expect(sent("PATCH").length).toBeGreaterThan(0);
        });
        service.expireUploads();
      });
      const error = await failure(storage.upload("object", source));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/does not know the upload any more, of which it had \d+ bytes/);
      expect(error.fix).toMatch(/Start the backup again/);
      expect(performance.now() - begun).toBeLessThan(10_000);
      proxy.reset();
      expect(await keys()).toEqual([]);
    });

    it("the service has lost bytes that it said it had", async () => {
      proxy.misbehave({ kind: "cut-request", after: MiB }, requests["a chunk"]);
      proxy.misbehave(
        { kind: "headers", change: (headers) => ({ ...headers, "upload-offset": "5" }) },
        ({ method }) => method === "HEAD",
      );
      const error = await failure(put("object", large));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      expect(error.message).toMatch(/holds 5 bytes of it, where it had 6291456/);
      await expectNothing();
    });

    it.each(["shorter", "longer"] as const)("a large object is kept %s", async (lie) => {
      service.lie = lie;
      const error = await failure(put("object", large));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(new RegExp(`but was sent ${large.length}\\. The object was removed again`));
      await expectNothing();
    });

    it("a large object is kept with other bytes", async () => {
      service.lie = "different";
      const error = await failure(put("object", large));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/the service has other bytes than it was sent .* The object was removed again/);
      await expectNothing();
    });
  });

  describe("limits", () => {
    const bucket = () => service.buckets.get("backups") ?? service.makeBucket("backups");

    it("of the bucket are known before the bytes are sent", async () => {
      bucket().fileSizeLimit = 7 * MiB;
      for (const bytes of [large, bytesOf(7 * MiB + 1)]) {
        const error = await failure(put("object", bytes));
        expect(error).toMatchObject({ code: "QUOTA" });
        expect(error.message).toMatch(/larger than the bucket backups takes, 7340032 bytes/);
        expect(error.fix).toMatch(/Storage > the bucket > Edit/);
      }
      expect(sent("PATCH").every(({ bytes }) => bytes === 6 * MiB)).toBe(true);
      bucket().fileSizeLimit = 50;
      await use({});
      expect(await failure(put("small"))).toMatchObject({ code: "QUOTA" });
      expect(sent("POST", "/object/backups/small")).toEqual([]);
      await expectNothing();
    });

    it("of the project are, too, where the service tells them", async () => {
      service.sizeLimit = 8 * MiB;
      const error = await failure(put("object", large));
      expect(error).toMatchObject({ code: "QUOTA" });
      expect(error.message).toMatch(/larger than the project takes, 8388608 bytes/);
      expect(error.fix).toMatch(/Storage > Settings/);
      await expectNothing();
    });

    it("that the service does not tell are in its refusal", async () => {
      service.sizeLimit = 8 * MiB;
      proxy.misbehave({ kind: "answer", status: 204 }, ({ method }) => method === "OPTIONS");
      const error = await failure(put("object", large));
      expect(error).toMatchObject({ code: "QUOTA" });
      expect(error.fix).toMatch(/file size limit/);
      await expectNothing();
    });

    it.each([[["image/*", "application/json"]], [["application/octet-streams"]]])(
      "of the types %j are refused at once",
      async (types) => {
        bucket().allowedMimeTypes = types;
        const error = await failure(put("object"));
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.message).toBe(
          `The bucket backups takes ${types.join(", ")} only, and not application/octet-stream.`,
        );
        expect(error.fix).toMatch(/allowed MIME types/);
        expect(sent("POST")).toEqual([]);
      },
    );

    it.each([[["application/*"]], [["image/png", "application/octet-stream"]]])(
      "of the types %j do not matter",
      async (types) => {
        bucket().allowedMimeTypes = types;
        await put("object", large);
        expect(await keys()).toEqual(["object"]);
      },
    );

    it("are looked at by the service, which may change its mind", async () => {
      await keys();
      bucket().allowedMimeTypes = ["image/*"];
      for (const bytes of [bytesOf(10), large]) {
        const error = await failure(put("object", bytes));
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.fix).toMatch(/application\/octet-stream/);
      }
    });

    it("are named where a service must know the length at the beginning", async () => {
      proxy.misbehave(
        { kind: "headers", change: (headers) => ({ ...headers, "tus-extension": "creation,expiration" }) },
        ({ method }) => method === "OPTIONS",
      );
      const error = await failure(put("object", large));
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.message).toMatch(/no uploads of unknown length/);
    });
  });

  it("says how to make the bucket that there is not, whatever is asked", async () => {
    await put("object");
    await use({ bucket: "missing" });
    for (const request of [
      () => put("object"),
      () => storage.stat("object"),
      () => read("object"),
      () => keys(),
      () => storage.remove(["object"]),
    ]) {
      const error = await failure(request());
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.message).toMatch(
        /there is no such bucket \(NoSuchBucket, status 404, Bucket not found\), request [0-9a-f-]{36}\./,
      );
      expect(error.fix).toMatch(/Storage > New bucket/);
    }
  });

  describe("a key", () => {
    it.each([
      ["that is the anon key", () => service.anonKey, /is the anon key/],
      ["that is the publishable key", () => "sb_publishable_abcdefghijk", /is the publishable key/],
      ["that is empty", () => "", /is empty/],
      ["with a line end", () => `${service.serviceKey}\n`, /no key has/],
    ])("%s is refused at once", async (_what, key, problem) => {
      const error = await failure(open(proxy.url, key()));
      expect(error.code).toBe("CONFIG");
      expect(error.message).toMatch(problem);
      expect(error.fix).toMatch(/Project Settings > API Keys/);
    });

    it("of another project is refused at once", async () => {
      const claims = Buffer.from(JSON.stringify({ role: "service_role", ref: "zyxwvutsrqponmlkjihg" })).toString(
        "base64url",
      );
      const error = await failure(open("https://abcdefghijklmnopqrst.supabase.co", `e30.${claims}.sig`));
      expect(error.code).toBe("CONFIG");
      expect(error.message).toMatch(/belongs to the project zyxwvutsrqponmlkjihg/);
    });

    it("that is wrong is AUTH", async () => {
      await use({}, "sb_secret_wrong-wrong-wrong");
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.message).toMatch(/the key is not accepted \(status 401, Invalid API key\)/);
      expect(inspect(error, { depth: 10 })).not.toContain("wrong-wrong");
    });

    it("of a user is bound by policies", async () => {
      await put("object");
      await use({}, service.userKey);
      for (const bytes of [bytesOf(10), large])
        expect(await failure(put("other", bytes))).toMatchObject({ code: "AUTH" });
      const error = await failure(storage.remove(["object", "missing"]));
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.message).toMatch(/^1 of 2 objects could not be removed \(object\)/);
    });

    it("never leaves for another host, wherever the service says that an upload is", async () => {
      // The service tells an address at storage.internal.
      await put("object", large);
      expect(sent("PATCH").every(({ headers }) => headers.host === new URL(proxy.url).host)).toBe(true);
    });
  });

  describe("what was stored", () => {
    it("of a large object is read back where its tag is not of its parts' MD5s, and only there", async () => {
      await put("plain", large);
      expect(service.downloaded).toEqual([]);
      service.etags = "encrypted";
      await put("encrypted", large);
      expect(service.downloaded).toEqual(["backups/encrypted"]);
    });

    it("is read back although the connection dies on the way", async () => {
      await use({ stallTimeoutSeconds: 2 });
      service.etags = "encrypted";
      const reads = ({ url }: PassedRequest) => url.includes("/object/authenticated/");
      for (const kind of ["stall-response", "cut-response"] as const) {
        proxy.misbehave({ kind, after: 3 * MiB }, reads);
        await put(kind, large);
        expect(proxy.pending).toBe(0);
      }
    });

    it("is read back where its tag is no MD5", async () => {
      service.etags = "encrypted";
      await put("object", bytesOf(5 * MiB));
      expect(sent("GET", "/object/authenticated/")).toHaveLength(1);
      service.lie = "different";
      const error = await failure(put("other"));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/other bytes than it was sent/);
      expect(await keys()).toEqual(["object"]);
    });

    it("and cannot be looked at, is removed again", async () => {
      await use({ retrySeconds: 0 });
      proxy.misbehave({ kind: "answer", status: 500 }, ({ url }) => url.includes("/object/info/"));
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.message).toMatch(/cannot be looked at.*removed again/);
      await expectNothing();
    });

    it("by another while the answer was lost is not taken for one's own", async () => {
      proxy.misbehave({ kind: "answer", status: 500 }, requests["a small object"]);
      const source = streamThen(bytesOf(100), () => {
        service.put("a", bytesOf(6));
      });
      expect(await failure(storage.upload("a", source))).toMatchObject({ code: "CONFLICT" });
      expect(await storage.stat("a")).toMatchObject({ size: 6 });
    });

    it("by another during a large upload stays", async () => {
      const source = streamThen(large, () => {
        service.put("object", bytesOf(6));
      });
      expect(await failure(storage.upload("object", source))).toMatchObject({ code: "CONFLICT" });
      expect(await storage.stat("object")).toMatchObject({ size: 6 });
      expect(service.openUploads).toBe(0);
    });

    it("before is found before a large upload begins", async () => {
      await put("object");
      expect(await failure(put("object", large))).toMatchObject({ code: "CONFLICT" });
      expect(sent("PATCH")).toEqual([]);
    });
  });

  describe("a download", () => {
    const reads = ({ url }: PassedRequest) => url.includes("/object/authenticated/");

    it("goes on where the connection was cut, at 20 random points", { timeout: 120_000 }, async () => {
      await put("object", large);
      const random = new Random(22);
      for (let round = 0; round < 5; round += 1) {
        for (let cuts = 0; cuts < 4; cuts += 1)
          proxy.misbehave({ kind: "cut-response", after: random.below(3 * MiB) }, reads);
        expect(await read("object")).toBe(digest(large));
        expect(proxy.pending).toBe(0);
      }
      expect(proxy.requests.some(({ headers }) => headers.range !== undefined)).toBe(true);
    });

    it.each(["an error 500", "an error 429", "a flattened 429 with Retry-After", "a lost answer"])(
      "survives %s",
      async (name) => {
        await put("object", large);
        const fault = passing[name];
        if (fault === undefined) throw new Error(name);
        proxy.misbehave(fault, reads);
        expect(await read("object")).toBe(digest(large));
      },
    );

    it("of an object that is replaced at the same time fails", async () => {
      await put("object", large);
      proxy.misbehave({ kind: "cut-response", after: MiB }, reads);
      const stream = await storage.download("object");
      service.put("object", bytesOf(large.length, 9));
      expect(await failure(digestOf(stream))).toMatchObject({ code: "INTEGRITY" });
    });

    it("of which nothing comes any more is given up", async () => {
      await put("object", large);
      await use({ stallTimeoutSeconds: 1, retrySeconds: 1 });
      proxy.misbehave({ kind: "stall-response", after: MiB }, reads);
      proxy.misbehave({ kind: "stall-response", after: 0 }, reads, Infinity);
      const error = await failure(read("object"));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.message).toMatch(/stalled/);
    });

    it("does not take a page of a proxy for the object", async () => {
      await put("object");
      proxy.misbehave({ kind: "headers", change: ({ etag }) => ({ etag }) }, reads);
      const error = await failure(read("object"));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.message).toMatch(/does not tell the object's size/);
    });
  });

  describe("list, stat and remove", () => {
    it.each(["an error 500", "an error 429", "a lost answer", "a flattened 429 with Retry-After"])(
      "survive %s",
      async (name) => {
        const fault = passing[name];
        if (fault === undefined) throw new Error(name);
        await put("object");
        proxy.misbehave(fault);
        expect(await keys()).toEqual(["object"]);
        proxy.misbehave(fault);
        expect(await storage.stat("object")).toMatchObject({ size: 100 });
        proxy.misbehave(fault);
        await storage.remove(["object"]);
        expect(await keys()).toEqual([]);
      },
    );

    it("survive a page of a proxy, and a page that fails in the middle of a listing", async () => {
      service.pageSize = 4;
      const many = Array.from({ length: 25 }, (_, index) => `a/${index}`).sort();
      for (const key of many) service.put(key, bytesOf(3));
      const pages = () => sent("POST", "/list-v2/").length;
      proxy.misbehave({ kind: "answer", status: 200, body: "<html>please log in</html>" }, () => pages() === 3);
      proxy.misbehave({ kind: "cut-response", after: 20 }, () => pages() === 5);
      expect(await keys("a")).toEqual(many);
    });

    it("remove more than a request takes, and say which stayed", async () => {
      const many = Array.from({ length: 1_203 }, (_, index) => `many/${index}`);
      for (const key of many) service.put(key, bytesOf(3));
      service.kept.add("many/7").add("many/1201");
      const error = await failure(storage.remove(many));
      expect(error).toMatchObject({ code: "AUTH" });
      expect(error.message).toMatch(/^2 of 1203 objects could not be removed \(many\/7, many\/1201\)/);
      expect(sent("DELETE", "/object/backups")).toHaveLength(2);
      expect(await keys()).toEqual(["many/1201", "many/7"]);
    });

    it("go on with the next batch where one fails", async () => {
      await use({ retrySeconds: 0 });
      const many = Array.from({ length: 1_001 }, (_, index) => `many/${index}`);
      for (const key of many) service.put(key, bytesOf(3));
      proxy.misbehave({ kind: "answer", status: 500 }, ({ method }) => method === "DELETE");
      const error = await failure(storage.remove(many));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.message).toMatch(/^1000 of 1001 .*, …\)/);
      expect(await keys()).toHaveLength(1_000);
    });
  });

  describe.each(["file", "s3"] as const)("of a Storage that keeps its files on %s, a download", (backend) => {
    beforeEach(async () => {
      service.backend = backend;
      await put("a");
      await put("b");
      service.rowsAlone.add("backups/a");
    });

    it("finds a lost content as soon as another can be read", async () => {
      expect(await keys()).toEqual(["a", "b"]);
      proxy.reset();
      const error = await failure(storage.download("a"));
      expect(error).toMatchObject({ code: "NOT_FOUND" });
      expect(error.message).toContain("The content of a is missing");
      expect(sent("GET", "/object/authenticated/backups/a").length).toBeLessThanOrEqual(2);
    });
  });

  it("takes no content for lost while none can be read", async () => {
    service.backend = "file";
    await use({ retrySeconds: 1 });
    await put("a");
    await put("b");
    service.unreadable.add("*");
    expect(await keys()).toEqual(["a", "b"]);
    expect(await failure(storage.download("a"))).toMatchObject({ code: "TRANSIENT" });
  });

  describe("records of uploads", () => {
    const later = new Date(Date.now() + 3_600_000);
    const records = () => [...service.objects.keys()].filter((name) => name.startsWith("backups/=uploads/"));
    /** An upload that fails and cannot be ended. */
    const leave = async (key: string) => {
      proxy.misbehave({ kind: "answer", status: 400 }, ({ method }) => method === "DELETE", Infinity);
      await failure(storage.upload(key, failingStream(large, new ProviderError("TRANSIENT", "No more."))));
      proxy.reset();
    };

    it("are there before any content is sent, and not in listings of keys", async () => {
      await leave("a/large");
      expect(service.openUploads).toBe(1);
      expect(records()).toHaveLength(1);
      expect(await keys()).toEqual([]);
      proxy.misbehave({ kind: "answer", status: 413 }, ({ url }) => url.includes("=uploads/"));
      expect(await failure(put("b/large", large))).toMatchObject({ code: "QUOTA" });
      expect(sent("PATCH")).toEqual([]);
      expect(service.openUploads).toBe(1);
    });

    it("end an upload that has expired", async () => {
      await leave("a/large");
      service.expireUploads();
      expect(await storage.removeUnfinished("", later)).toBe(1);
      expect([service.openUploads, records()]).toEqual([0, []]);
    });

    it("that a finished upload left go, and its object stays, until it is removed too", async () => {
      for (const key of ["one", "two"]) {
        proxy.misbehave({ kind: "answer", status: 400 }, ({ method }) => method === "DELETE", Infinity);
        await put(key, large);
        proxy.reset();
      }
      expect(records()).toHaveLength(2);
      await storage.remove(["two"]);
      expect(await storage.removeUnfinished("", later)).toBe(0);
      expect(sent("DELETE", "/upload/resumable")).toHaveLength(1);
      expect(records()).toEqual([]);
      expect(await keys()).toEqual(["one"]);
      expect(await read("one")).toBe(digest(large));
    });

    it("that name no upload stay and are reported, and the others' uploads are ended", async () => {
      await leave("a/large");
      service.put("=uploads/a", bytesOf(1), "backups", { metadata: { upload: "../../bucket", object: "a/large" } });
      const error = await failure(storage.removeUnfinished("a", later));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      expect(error.message).toContain("=uploads/a");
      expect([service.openUploads, records()]).toEqual([0, ["backups/=uploads/a"]]);
    });
  });

  it("ends what is under way when it is closed", async () => {
    proxy.misbehave({ kind: "stall" }, requests["a small object"]);
    const upload = failure(put("a"));
    await eventually(() => {
      expect(proxy.pending).toBe(0);
    });
    await storage.close();
    expect(await upload).toMatchObject({ code: "ABORTED" });
  });

  it("that cannot be reached is TRANSIENT", async () => {
    storage = await open("http://127.0.0.1:9", service.serviceKey, { retrySeconds: 0 });
    const error = await failure(put("object"));
    expect(error).toMatchObject({ code: "TRANSIENT" });
    expect(error.fix).toMatch(/Check url of the destination/);
  });

  it("holds a bounded part of a stream of 384 MiB in memory", { timeout: 180_000 }, async () => {
    const config = { kind: "supabase", url: service.url, bucket: "backups", key: { env: "KEY" } };
    await expectBoundedMemory("supabase", { config, secrets: { key: service.serviceKey } }, LARGE_MIB.shorter);
  });

  it.each([
    [{ url: "https://abc.supabase.co/storage/v1" }, "expected the project's URL"],
    [{ url: "https://user:password@abc.supabase.co" }, "expected the project's URL"],
    [{ bucket: "a/b" }, "expected a bucket's name"],
    [{ key: "plain" }, "reference to a secret"],
    [{ key: undefined }, "expected either key or s3"],
    [
      { s3: { region: "eu-central-1", accessKeyId: { env: "A" }, secretAccessKey: { env: "B" } } },
      "expected either key or s3",
    ],
    [
      { key: undefined, s3: { region: "eu-central-1", accessKeyId: "plain", secretAccessKey: { env: "B" } } },
      "reference to a secret",
    ],
  ])("refuses the configuration %j", (settings, problem) => {
    const { success, error } = supabase.schema.safeParse({ ...base, url: "https://abc.supabase.co", ...settings });
    expect(success).toBe(false);
    expect(error?.message).toContain(problem);
  });
});
