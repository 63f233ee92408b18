import type { IncomingHttpHeaders } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { s3 } from "../../../providers/storage/s3.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { newBucket, open, proxy, service, unfinished } from "../../helpers/stores/s3.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf, streamThen } from "../../helpers/bytes.ts";
import { Random } from "../../helpers/random.ts";
import type { Fault, PassedRequest } from "../../../tools/services/faulty-proxy.ts";
import { failureOf } from "../../helpers/failure.ts";
import { keysIn } from "../../helpers/store.ts";
import { expectBoundedMemory, LARGE as LARGE_MIB } from "../../helpers/upload-memory.ts";
import { eventually } from "../../helpers/eventually.ts";

const MiB = 1024 * 1024;

describe("s3 storage", () => {
  let bucket: string;
  let storage: StorageProvider;
  const use = async (settings: object = {}, of?: string) => {
    bucket = of ?? (await newBucket());
    storage = await open(bucket, settings);
  };
  beforeEach(async () => {
    proxy.reset();
    await use();
  });

  const put = (key: string, bytes = bytesOf(100)) => storage.upload(key, streamOf(bytes));
  const keys = (prefix = "") => keysIn(storage, prefix);
  const failure = async (request: Promise<unknown>): Promise<ProviderError> => {
    const error = await failureOf(request);
    expectNoSecret(error);
    return error;
  };
  const expectNothing = async () => {
    proxy.reset();
    expect(await keys()).toEqual([]);
    expect(await unfinished(bucket)).toBe(0);
  };

  /** Three parts, the last of them short. */
  const large = bytesOf(12 * MiB, 3);

  it("needs a bucket, and says so", async () => {
    const config = s3.schema.parse({ kind: "s3" });
    const error = await failure(s3.create(config, { secrets: {} }));
    expect(error).toMatchObject({ code: "CONFIG", message: "The storage of kind s3 has no bucket." });
    expect(error.fix).toMatch(/Set bucket/);
  });

  it.each([
    { accessKeyId: { env: "KEY" } },
    { secretAccessKey: { env: "SECRET" } },
    { accessKeyId: "AKIDPLAIN", secretAccessKey: "plain" },
    { bucket: "Upper_Case" },
    { endpoint: "https://user:password@host" },
    { endpoint: "host:9000" },
    { storageClass: "DEEP_ARCHIVE" },
    { objectLock: { mode: "governance", days: 0 } },
    { partSizeMiB: 4 },
  ])("refuses the settings %j", (settings) => {
    expect(s3.schema.safeParse({ kind: "s3", ...settings }).success).toBe(false);
  });

  it("keeps everything below its prefix, and reports keys without it", async () => {
    await use({ prefix: "team/a" });
    await put("stack/object");
    await service.client.putObject({ Bucket: bucket, Key: "team/ab", Body: "not ours", ContentLength: 8 });
    expect(await keys()).toEqual(["stack/object"]);
    expect(storage.description).toBe(`s3 ${bucket}/team/a at ${proxy.url}`);
    const { ContentLength } = await service.client.headObject({ Bucket: bucket, Key: "team/a/stack/object" });
    expect(ContentLength).toBe(100);
  });

  it("does not list the folders that consoles make", async () => {
    await service.client.putObject({ Bucket: bucket, Key: "folder/", Body: "", ContentLength: 0 });
    await put("folder/object");
    expect(await keys()).toEqual(["folder/object"]);
  });

  it("refuses keys that S3 cannot list", async () => {
    for (const key of ["a\u0001b", "a\uffff", "a\ud800", "x".repeat(200) + "/y".repeat(500)]) {
      expect(await failure(put(key))).toMatchObject({ code: "CONFIG" });
    }
  });

  it("sends how objects are to be stored", async () => {
    await use({ sse: { kmsKeyId: "alias/backups" }, storageClass: "STANDARD_IA" });
    // The server has no keys: only what reaches it is of interest here.
    await storage.upload("small", streamOf(bytesOf(10))).catch(() => undefined);
    await storage.upload("large", streamOf(large)).catch(() => undefined);
    const sent = proxy.requests.filter(
      ({ url, method }) => url.includes("?uploads") || (method === "PUT" && url.includes("/small")),
    );
    expect(sent).toHaveLength(2);
    for (const { headers } of sent) {
      expect(headers).toMatchObject({
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/backups",
        "x-amz-storage-class": "STANDARD_IA",
      });
    }
  });

  /** The requests of an upload, by what they do. */
  const requests: Readonly<Record<string, (request: PassedRequest) => boolean>> = {
    "the check that it exists": ({ method }) => method === "HEAD",
    "a small object": ({ method, url }) => method === "PUT" && !url.includes("partNumber"),
    "the beginning of an upload in parts": ({ method, url }) => method === "POST" && url.includes("?uploads"),
    "a part": ({ url }) => url.includes("partNumber=2"),
    "the completion": ({ method, url }) => method === "POST" && url.includes("uploadId="),
    "the check of what was stored": ({ method }) =>
      method === "HEAD" &&
      proxy.requests.some((request) => request.method === "POST" && request.url.includes("uploadId=")),
  };

  const passing: Readonly<Record<string, Fault>> = {
    "an error 500": { kind: "answer", status: 500 },
    "an error 503 with a page of HTML": { kind: "answer", status: 503, body: "<html>Service unavailable</html>" },
    "an error 429": { kind: "answer", status: 429 },
    "an error 429 with Retry-After": { kind: "answer", status: 429, headers: { "retry-after": "1" } },
    "SlowDown with Retry-After": {
      kind: "answer",
      status: 503,
      headers: { "retry-after": "1", "content-type": "application/xml" },
      body: "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    },
    "a lost answer": { kind: "swallow" },
    "a cut connection": { kind: "cut-response", after: 0 },
    "a connection that is cut in the body": { kind: "cut-request", after: 50 },
  };

  describe.each(Object.entries(requests))("at %s", (what, strikes) => {
    const bytes = what === "a small object" ? bytesOf(100_000, 4) : large;
    it.each(Object.entries(passing))("survives %s", async (_fault, fault) => {
      proxy.misbehave(fault, strikes);
      const begun = performance.now();
      expect(await storage.upload("a/object", streamOf(bytes))).toMatchObject({ key: "a/object", size: bytes.length });
      if (fault.kind === "answer" && fault.headers !== undefined) {
        expect(proxy.pending).toBe(0);
        expect(performance.now() - begun).toBeGreaterThanOrEqual(1_000);
      }
      proxy.reset();
      expect(await digestOf(await storage.download("a/object"))).toBe(digest(bytes));
      expect(await keys()).toEqual(["a/object"]);
      expect(await unfinished(bucket)).toBe(0);
    });
  });

  describe("one dead connection", () => {
    it.each(Object.keys(requests))("at %s does not end an upload", async (what) => {
      await use({ stallTimeoutSeconds: 4 });
      const bytes = what === "a small object" ? bytesOf(100_000, 4) : large;
      proxy.misbehave({ kind: "stall" }, requests[what]);
      await put("object", bytes);
      expect(proxy.pending).toBe(0);
      expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
      expect(await unfinished(bucket)).toBe(0);
    });

    it.each(["a small object", "a part"])("in the middle of %s does not end an upload", async (what) => {
      await use({ stallTimeoutSeconds: 4 });
      const bytes = what === "a small object" ? large.subarray(0, 5 * MiB) : large;
      proxy.misbehave({ kind: "stall-request", after: 70_000 }, requests[what]);
      await put("object", bytes);
      expect(proxy.pending).toBe(0);
      expect(await digestOf(await storage.download("object"))).toBe(digest(bytes));
    });

    it("does not end a download", async () => {
      await put("object", large);
      await use({ stallTimeoutSeconds: 2 }, bucket);
      for (const fault of [{ kind: "stall" }, { kind: "stall-response", after: 3 * MiB }] as const) {
        proxy.misbehave(fault, ({ method }) => method === "GET");
        expect(await digestOf(await storage.download("object"))).toBe(digest(large));
        expect(proxy.pending).toBe(0);
      }
    });
  });

  const answer = (status: number, code: string, message = "No."): Fault => ({
    kind: "answer",
    status,
    headers: { "content-type": "application/xml" },
    body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  });

  describe("an answer that is lost after the request took effect", () => {
    /** The look that comes after a commit, and not the one before it. */
    const looksAfter = ({ method }: PassedRequest) =>
      method === "HEAD" && proxy.requests.some((one) => isCommit(one) && one.status === 200);
    const isCommit = ({ method, url }: PassedRequest) =>
      (method === "PUT" && !url.includes("partNumber")) || (method === "POST" && url.includes("uploadId="));
    const sizes = [100, large.length];

    it.each(sizes)("of %i bytes is success, although its check fails at first", async (size) => {
      proxy.misbehave({ kind: "swallow" }, isCommit);
      proxy.misbehave({ kind: "answer", status: 500 }, looksAfter, 3);
      expect(await put("object", large.subarray(0, size))).toMatchObject({ size });
      expect(proxy.pending).toBe(0);
      expect(await unfinished(bucket)).toBe(0);
    });

    it.each(sizes)("of every try, of %i bytes, is success", async (size) => {
      await use({ retrySeconds: 0 });
      proxy.misbehave({ kind: "swallow" }, isCommit);
      expect(await put("object", large.subarray(0, size))).toMatchObject({ size });
    });

    it.each(sizes)("of %i bytes is TRANSIENT, and leaves nothing, where nobody can look", async (size) => {
      await use({ retrySeconds: 0 });
      proxy.misbehave({ kind: "swallow" }, isCommit);
      // The next look, before the object is removed, is successful.
      proxy.misbehave({ kind: "answer", status: 500 }, looksAfter);
      const error = await failure(put("object", large.subarray(0, size)));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/Whether s3:.*object was stored is not known.* The object was removed again\.$/);
      await expectNothing();
    });

    it("is reported where the object could neither be checked nor removed", async () => {
      await use({ retrySeconds: 0 });
      proxy.misbehave({ kind: "swallow" }, isCommit);
      proxy.misbehave({ kind: "answer", status: 500 }, looksAfter, Infinity);
      const error = await failure(put("object"));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/s3:\/\/bucket-\d+\/object could not be removed/);
    });

    it.each(["lost", "refused"])("of the beginning of an upload (%s then) leaves none behind", async (how) => {
      await use({ retrySeconds: how === "lost" ? 0 : 5 });
      for (let index = 0; index < 3; index += 1) {
        await service.client.createMultipartUpload({ Bucket: bucket, Key: `object-${index}` });
      }
      proxy.misbehave({ kind: "swallow" }, requests["the beginning of an upload in parts"]);
      if (how === "refused")
        proxy.misbehave(answer(403, "AccessDenied"), requests["the beginning of an upload in parts"]);
      await failure(put("object", large));
      const { Uploads = [] } = await service.client.listMultipartUploads({ Bucket: bucket });
      expect(Uploads.map(({ Key }) => Key)).toEqual(["object-0", "object-1", "object-2"]);
    });

    it("of the beginning leaves none behind where a listing has several pages", async () => {
      const page = "<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>";
      const first: Fault = {
        kind: "answer",
        status: 200,
        headers: { "content-type": "application/xml" },
        body: `<ListMultipartUploadsResult>${page}</ListMultipartUploadsResult>`,
      };
      proxy.misbehave(first, ({ method, url }) => method === "GET" && url.includes("uploads"));
      proxy.misbehave({ kind: "swallow" }, requests["the beginning of an upload in parts"]);
      await put("object", large);
      expect(proxy.pending).toBe(0);
      expect(proxy.requests.some(({ url }) => url.includes("key-marker=a"))).toBe(true);
      expect(await unfinished(bucket)).toBe(0);
    });

    it("of an upload's end is no failure: it is ended again", async () => {
      const ends = ({ method, url }: PassedRequest) => method === "DELETE" && url.includes("uploadId=");
      proxy.misbehave({ kind: "swallow" }, ends);
      proxy.misbehave({ kind: "answer", status: 500 }, ends);
      const cause = new ProviderError("TRANSIENT", "pg_dump exited with 1");
      expect(await failure(storage.upload("object", failingStream(large, cause)))).toBe(cause);
      expect(await unfinished(bucket)).toBe(0);
    });

    it("says so where an upload cannot be ended", async () => {
      proxy.misbehave(answer(403, "AccessDenied"), ({ method }) => method === "DELETE", Infinity);
      const cause = new ProviderError("TRANSIENT", "pg_dump exited with 1");
      const error = await failure(storage.upload("object", failingStream(large, cause)));
      expect(error).toMatchObject({ code: "TRANSIENT", cause });
      expect(error.message).toMatch(
        /^pg_dump exited with 1 Its parts stay until a prune removes them: .*access is denied/,
      );
    });
  });

  it.each(["a part", "the completion"])("tells an upload that was ended before %s", async (what) => {
    const begun = performance.now();
    const source = streamThen(large.subarray(0, 9 * MiB), async () => {
      // The server itself answers to a part before it has read all of it, and closes the connection: whether its answer is
      // seen, or that the connection broke, is chance.
      proxy.misbehave(answer(404, "NoSuchUpload"), requests[what]);
      if (what === "the completion") return;
      await eventually(() => {
        expect(proxy.requests.some(({ url, status }) => url.includes("partNumber=1") && status === 200)).toBe(true);
      });
      const { Uploads = [] } = await service.client.listMultipartUploads({ Bucket: bucket });
      for (const { Key, UploadId } of Uploads) {
        await service.client.abortMultipartUpload({ Bucket: bucket, Key, UploadId });
      }
    });
    const error = await failure(storage.upload("object", source));
    expect(error.code).toBe("TRANSIENT");
    expect(error.message).toMatch(/the upload is gone .*: \d parts of it had been sent when somebody ended it/);
    expect(error.fix).toMatch(/Start the backup again.*AbortIncompleteMultipartUpload/);
    expect(performance.now() - begun).toBeLessThan(10_000);
    await expectNothing();
  });

  it("takes it for its own, and no other's, what a lost answer leaves in doubt", async () => {
    // The service stored another's object while the answer was lost: a try that then finds one must not call it its own.
    proxy.misbehave({ kind: "answer", status: 500 }, requests["a small object"]);
    const source = streamThen(bytesOf(100), async () => {
      await service.client.putObject({ Bucket: bucket, Key: "object", Body: "theirs", ContentLength: 6 });
    });
    expect(await failure(storage.upload("object", source))).toMatchObject({ code: "CONFLICT" });
    expect(await storage.stat("object")).toMatchObject({ size: 6 });
  });

  it.each([100, large.length])("loses a race for the key, of %i bytes, without a trace", async (size) => {
    const source = streamThen(large.subarray(0, size), async () => {
      await service.client.putObject({ Bucket: bucket, Key: "object", Body: "theirs", ContentLength: 6 });
    });
    const error = await failure(storage.upload("object", source));
    expect(error).toMatchObject({ code: "CONFLICT" });
    expect(error.message).toContain("object");
    expect(await storage.stat("object")).toMatchObject({ size: 6 });
    expect(await unfinished(bucket)).toBe(0);
  });

  it("stores where AWS does not tell a missing object from a forbidden one, but the folder can be listed", async () => {
    // A role that may list its own folder only; both of the requests with which the provider checks a key.
    const looks = ({ method, url }: PassedRequest) => method !== "PUT" && /\/a\/object$|\/a\/object\?/.test(url);
    proxy.misbehave(answer(403, "AccessDenied"), looks, 2);
    await storage.upload("a/object", streamOf(bytesOf(100)));
    expect(proxy.pending).toBe(0);
    expect(await storage.stat("a/object")).toMatchObject({ size: 100 });
  });

  describe("gives up, and leaves nothing, where", () => {
    const lasting: [string, Fault, string, RegExp][] = [
      [
        "permission is missing",
        answer(403, "AccessDenied"),
        "AUTH",
        /Allow s3:PutObject on s3:\/\/bucket-\d+\/a\/object/,
      ],
      ["the store is full", answer(507, "StorageFull"), "QUOTA", /keep fewer backups/],
      ["a quota is reached", answer(403, "QuotaExceeded"), "QUOTA", /keep fewer backups/],
      ["the key is disabled", answer(400, "KMS.DisabledException"), "CONFIG", /kmsKeyId/],
      [
        "the key's policy refuses",
        answer(403, "AccessDenied", "User is not authorized to perform: kms:GenerateDataKey"),
        "CONFIG",
        /kms:Decrypt/,
      ],
      ["the session has ended", answer(400, "ExpiredToken"), "AUTH", /Renew/],
      ["a byte is changed on the way", { kind: "corrupt-request", at: 70 }, "INTEGRITY", /changes bytes/],
      ["the service stays away", { kind: "answer", status: 500 }, "TRANSIENT", /status page/],
      ["nothing is done", answer(501, "NotImplemented"), "CONFIG", /Leave out/],
    ];
    it.each(lasting)("%s", async (_what, fault, code, fix) => {
      for (const [strikes, bytes] of [
        [requests["a small object"], bytesOf(100)],
        [requests["a part"], large],
      ] as const) {
        await use({ retrySeconds: 1 });
        proxy.misbehave(fault, strikes, Infinity);
        const error = await failure(storage.upload("a/object", streamOf(bytes)));
        expect(error.code).toBe(code);
        expect(error.fix).toMatch(fix);
        await expectNothing();
      }
    });

    it.each(Object.keys(requests))("%s stalls", async (what) => {
      await use({ stallTimeoutSeconds: 1, retrySeconds: 1 });
      proxy.misbehave({ kind: "stall" }, requests[what], Infinity);
      const bytes = what === "a small object" ? bytesOf(100) : large;
      const begun = performance.now();
      const error = await failure(storage.upload("a/object", streamOf(bytes)));
      expect(error).toMatchObject({ code: "TRANSIENT", fix: expect.stringMatching(/stallTimeoutSeconds/) as string });
      expect(performance.now() - begun).toBeLessThan(10_000);
      // What is still tidied up when the error is reported has ended soon after.
      proxy.reset();
      await eventually(expectNothing);
    });

    it("the caller gives up while parts are under way", async () => {
      const controller = new AbortController();
      proxy.misbehave({ kind: "stall" }, requests["a part"]);
      setTimeout(() => {
        controller.abort();
      }, 300);
      const error = await failure(storage.upload("a/object", streamOf(large), { signal: controller.signal }));
      expect(error.code).toBe("ABORTED");
      await expectNothing();
    });
  });

  it("neither hangs nor leaves anything at 100 random points of failure", { timeout: 240_000 }, async () => {
    const random = new Random(11);
    const one = async (index: number) => {
      const key = `cut/${index}`;
      const after = random.below(large.length);
      if (index % 2 === 0) {
        const cause = new ProviderError("TRANSIENT", `cut at ${after}`);
        const source = failingStream(large.subarray(0, after), cause, 65_536 + random.below(500_000));
        expect(await failure(storage.upload(key, source))).toBe(cause);
      } else {
        const part = `partNumber=${1 + Math.floor(after / (5 * MiB))}`;
        proxy.misbehave(
          { kind: index % 4 === 1 ? "cut-request" : "swallow", after: after % (5 * MiB) },
          ({ url }) => url.includes(`/${key}?`) && url.includes(part),
        );
        await storage.upload(key, streamOf(large));
        expect(await digestOf(await storage.download(key))).toBe(digest(large));
        await storage.remove([key]);
      }
    };
    for (let start = 0; start < 100; start += 4) {
      await Promise.all([0, 1, 2, 3].map((offset) => one(start + offset)));
    }
    expect(proxy.pending).toBe(0);
    await expectNothing();
  });

  describe("download", () => {
    const reads = ({ method }: PassedRequest) => method === "GET";

    it("goes on where the connection was cut, at 100 random points", { timeout: 120_000 }, async () => {
      await put("object", large);
      const random = new Random(12);
      for (let round = 0; round < 25; round += 1) {
        for (let cuts = 0; cuts < 4; cuts += 1) {
          proxy.misbehave({ kind: "cut-response", after: random.below(3 * MiB) }, reads);
        }
        expect(await digestOf(await storage.download("object"))).toBe(digest(large));
        expect(proxy.pending).toBe(0);
      }
      expect(proxy.requests.some(({ headers }) => headers.range !== undefined)).toBe(true);
    });

    it.each(["an error 500", "an error 429", "SlowDown with Retry-After", "a lost answer"])(
      "survives %s",
      async (name) => {
        await put("object", large);
        const fault = passing[name];
        if (fault === undefined) throw new Error(name);
        proxy.misbehave(fault, reads);
        expect(await digestOf(await storage.download("object"))).toBe(digest(large));
        expect(proxy.pending).toBe(0);
      },
    );

    it.each([100, large.length])("notices a changed byte among %i", async (size) => {
      await put("object", large.subarray(0, size));
      proxy.misbehave({ kind: "corrupt-response", at: 77 }, reads);
      expect(await failure(storage.download("object").then(digestOf))).toMatchObject({ code: "INTEGRITY" });
    });

    it("notices a byte that was changed before a cut", async () => {
      await put("object", large);
      proxy.misbehave({ kind: "corrupt-response", at: 12 * MiB - 1 }, reads);
      proxy.misbehave({ kind: "cut-response", after: 3 * MiB }, reads);
      expect(await failure(storage.download("object").then(digestOf))).toMatchObject({ code: "INTEGRITY" });
    });

    it("gives up where nothing comes any more", async () => {
      await put("object", large);
      await use({ stallTimeoutSeconds: 1, retrySeconds: 1 }, bucket);
      proxy.misbehave({ kind: "stall-response", after: MiB }, reads);
      proxy.misbehave({ kind: "stall-response", after: 0 }, reads, Infinity);
      const error = await failure(storage.download("object").then(digestOf));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.message).toMatch(/stalled/);
    });

    it("gives up where the connection is cut again and again without a byte", async () => {
      await put("object", large);
      await use({ retrySeconds: 1 }, bucket);
      proxy.misbehave({ kind: "cut-response", after: 0 }, reads, Infinity);
      expect(await failure(storage.download("object").then(digestOf))).toMatchObject({ code: "TRANSIENT" });
    });

    it("refuses at once what a cache answers that ignores Range, after the connection was cut", async () => {
      await put("object", large);
      const { length } = proxy.requests;
      proxy.misbehave({ kind: "cut-response", after: 3 * MiB }, reads);
      const whole = {
        kind: "answer",
        status: 200,
        headers: { "content-length": String(large.length) },
        body: large,
      } as const;
      proxy.misbehave(whole, ({ headers }) => headers.range !== undefined, Infinity);
      const error = await failure(storage.download("object").then(digestOf));
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.message).toMatch(/^The answer for object does not begin at byte \d+, as was asked for\.$/);
      expect(proxy.requests.length - length).toBe(2);
    });

    it.each(["GET", "HEAD"])("takes no answer to %s without Content-Length for an empty object", async (method) => {
      await put("object", large);
      const change = (headers: IncomingHttpHeaders) => {
        delete headers["content-length"];
        return { ...headers, "transfer-encoding": "chunked" };
      };
      proxy.misbehave({ kind: "headers", change }, (request) => request.method === method);
      const read = method === "GET" ? storage.download("object").then(digestOf) : storage.stat("object");
      expect(await failure(read)).toMatchObject({
        code: "CONFIG",
        message: "The answer for object has no Content-Length, so its size is unknown.",
      });
    });
  });

  describe("list, stat and remove", () => {
    it.each(["an error 500", "an error 429", "a lost answer"])("survive %s", async (name) => {
      const fault = passing[name];
      if (fault === undefined) throw new Error(name);
      await put("object");
      proxy.misbehave(fault);
      expect(await keys()).toEqual(["object"]);
      proxy.misbehave(fault);
      expect(await storage.stat("object")).toMatchObject({ size: 100 });
      proxy.misbehave(fault);
      await storage.remove(["object"]);
      expect(proxy.pending).toBe(0);
      expect(await keys()).toEqual([]);
    });

    it("survive a page that fails in the middle of a listing", { timeout: 120_000 }, async () => {
      const many = Array.from({ length: 1_001 }, (_, index) => `many/${String(index).padStart(4, "0")}`);
      for (let start = 0; start < many.length; start += 100) {
        await Promise.all(
          many
            .slice(start, start + 100)
            .map((Key) => service.client.putObject({ Bucket: bucket, Key, Body: "x", ContentLength: 1 })),
        );
      }
      proxy.misbehave({ kind: "cut-response", after: 20 }, ({ url }) => url.includes("continuation-token"));
      expect(await keys("many")).toEqual(many);
      expect(proxy.pending).toBe(0);
    });

    it("do not take an answer that tells nothing for a removal", async () => {
      await use({ retrySeconds: 1 });
      for (const key of ["a", "b"]) await put(key);
      const page: Fault = {
        kind: "answer",
        status: 200,
        headers: { "content-type": "application/xml" },
        body: "<html/>",
      };
      const deletes = ({ url }: PassedRequest) => url.includes("?delete");
      proxy.misbehave(page, deletes, Infinity);
      const error = await failure(storage.remove(["a", "b", "missing"]));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/^2 of 3 objects could not be removed \(a, b\)\./);
      proxy.reset();
      proxy.misbehave(page, deletes);
      await storage.remove(["a", "b", "missing"]);
      expect(await keys()).toEqual([]);
    });

    it("name the keys that stay, and remove the others", async () => {
      await use({ removeVersions: true }, await newBucket({ locks: true }));
      await put("a/free");
      const locked = await open(bucket, { objectLock: { mode: "governance", days: 1 }, removeVersions: true });
      await locked.upload("a/locked", streamOf(bytesOf(10)));
      const error = await failure(storage.remove(["a/free", "a/locked", "a/missing"]));
      expect(error.code).toBe("AUTH");
      expect(error.message).toMatch(/^1 of 2 objects could not be removed \(a\/locked\)\. .*Object Lock protects it/);
      expect(error.fix).toMatch(/Wait until the lock has ended/);
      expect(await keys()).toEqual(["a/locked"]);
    });
  });

  describe("a lock with an end", () => {
    const until = new Date("2099-01-01T00:00:00.000Z");
    const lock = { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: until } as const;

    it.each([false, true])("has its date, also where the object itself may not be read: %s", async (refused) => {
      await use({}, await newBucket({ locks: true }));
      await service.client.putObject({ Bucket: bucket, Key: "a/locked", Body: "x", ...lock });
      await put("a/free");
      if (refused) refuseAllBut("retention");
      expect(await storage.lockedUntil?.("a/locked")).toEqual(until);
      expect(await storage.lockedUntil?.("a/free")).toBeUndefined();
    });

    it("is none in a bucket without locks", async () => {
      await put("a/object");
      expect(await storage.lockedUntil?.("a/object")).toBeUndefined();
      refuseAllBut("retention");
      expect(await storage.lockedUntil?.("a/object")).toBeUndefined();
    });

    it("stays unknown, with an error, to those who may ask neither way", async () => {
      await put("a/object");
      refuseAllBut("nothing");
      const asked = storage.lockedUntil?.("a/object") ?? Promise.resolve();
      expect(await failure(asked)).toMatchObject({
        code: "AUTH",
        fix: expect.stringContaining("s3:GetObjectRetention") as string,
      });
    });

    function refuseAllBut(query: string): void {
      const body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
      const answer = { kind: "answer", status: 403, headers: { "content-type": "application/xml" }, body } as const;
      proxy.misbehave(answer, ({ url }) => !url.includes(query), Infinity);
    }
  });

  describe("a hold", () => {
    const statusOf = async (key: string) =>
      (await service.client.getObjectLegalHold({ Bucket: bucket, Key: key })).LegalHold?.Status;

    it("locks objects until it is taken off, in a bucket with Object Lock", async () => {
      await use({ removeVersions: true }, await newBucket({ locks: true }));
      for (const key of ["a/held", "a/free"]) await put(key);
      expect(await storage.setHold?.(["a/held"], true)).toBe(true);
      expect(await statusOf("a/held")).toBe("ON");
      const error = await failure(storage.remove(["a/held", "a/free"]));
      expect(error.message).toMatch(/1 of 2 objects could not be removed \(a\/held\)\. .*Object Lock protects it/);
      expect(await keys()).toEqual(["a/held"]);
      expect(await storage.setHold?.(["a/held"], false)).toBe(true);
      await storage.remove(["a/held"]);
      expect(await keys()).toEqual([]);
    });

    it("does nothing in a bucket without", async () => {
      await use({});
      await put("a/object");
      expect(await storage.setHold?.(["a/object"], true)).toBe(false);
    });

    it("of an object that is not there fails", async () => {
      await use({}, await newBucket({ locks: true }));
      const missing = storage.setHold?.(["a/missing"], true) ?? Promise.resolve(true);
      expect(await failure(missing)).toMatchObject({ code: "NOT_FOUND" });
    });
  });

  describe("on a bucket with versions", () => {
    const versions = async () => {
      const { Versions = [], DeleteMarkers = [] } = await service.client.listObjectVersions({ Bucket: bucket });
      return { versions: Versions.length, markers: DeleteMarkers.length };
    };

    it("hides what is removed, and keeps its version", async () => {
      await use({}, await newBucket({ versions: true }));
      await put("a/object");
      await storage.remove(["a/object"]);
      expect(await keys()).toEqual([]);
      expect(await versions()).toEqual({ versions: 1, markers: 1 });
    });

    it("removes all versions where it is configured to, and touches no other object", async () => {
      await use({ removeVersions: true }, await newBucket({ versions: true }));
      for (const key of ["a/object", "a/object2", "a/b/object", "object"]) await put(key);
      await service.client.deleteObject({ Bucket: bucket, Key: "a/object" });
      await service.client.putObject({ Bucket: bucket, Key: "a/object", Body: "newer", ContentLength: 5 });
      await storage.remove(["a/object", "object"]);
      expect(await keys()).toEqual(["a/b/object", "a/object2"]);
      expect(await versions()).toEqual({ versions: 2, markers: 0 });
    });

    /** Stores an object of which the store then tells a wrong size. */
    const storeWrong = () => {
      const source = streamThen(bytesOf(100), () => {
        proxy.misbehave(
          { kind: "headers", change: (headers) => ({ ...headers, "content-length": "99" }) },
          ({ method }) => method === "HEAD",
        );
      });
      return failure(storage.upload("a/object", source));
    };

    it("leaves no version of an object that the store got wrong", async () => {
      await use({}, await newBucket({ versions: true }));
      const error = await storeWrong();
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/The object was removed again\.$/);
      expect(await versions()).toEqual({ versions: 0, markers: 0 });
    });

    it("hides it, and says so, where it may not remove a version", async () => {
      await use({}, await newBucket({ versions: true }));
      proxy.misbehave(
        answer(403, "AccessDenied"),
        ({ method, url }) => method === "DELETE" && url.includes("versionId="),
      );
      const error = await storeWrong();
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).not.toMatch(/was removed/);
      expect(error.message).toMatch(/It is hidden, but its version \S+ stays: .*access is denied/);
      expect(await keys()).toEqual([]);
      expect(await versions()).toEqual({ versions: 1, markers: 1 });
    });
  });

  describe("with Object Lock", () => {
    const objectLock = { mode: "compliance", days: 2 };

    it.each([100, large.length])("locks objects of %i bytes", async (size) => {
      await use({ objectLock }, await newBucket({ locks: true }));
      await put("object", large.subarray(0, size));
      const { Retention } = await service.client.getObjectRetention({ Bucket: bucket, Key: "object" });
      expect(Retention?.Mode).toBe("COMPLIANCE");
      const days = ((Retention?.RetainUntilDate?.getTime() ?? 0) - Date.now()) / 86_400_000;
      expect(days).toBeGreaterThan(1.99);
      expect(days).toBeLessThanOrEqual(2);
    });

    it("says what to do about a bucket without it", async () => {
      await use({ objectLock });
      for (const bytes of [bytesOf(100), large]) {
        const error = await failure(put("object", bytes));
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.message).toMatch(/the bucket has no Object Lock/);
        expect(error.fix).toMatch(/Remove objectLock/);
      }
      await expectNothing();
    });
  });

  describe("says what is wrong, and what to do about it:", () => {
    it("a bucket that does not exist", async () => {
      await use({}, "no-such-bucket");
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(error.message).toMatch(/there is no such bucket \(NoSuchBucket/);
      expect(error.fix).toMatch(/set bucket, region and endpoint/);
    });

    it("a bucket in another region", async () => {
      await use({ region: "eu-west-1" });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "CONFIG", fix: "Set region of the destination to us-east-1." });
    });

    it("a bucket in another region, as Amazon puts it", async () => {
      const redirect: Fault = {
        kind: "answer",
        status: 301,
        headers: { "x-amz-bucket-region": "sa-east-1", "content-type": "application/xml" },
        body: "<Error><Code>PermanentRedirect</Code><Message>Use the endpoint.</Message></Error>",
      };
      proxy.misbehave(redirect, undefined, 2);
      expect(await failure(put("object"))).toMatchObject({
        code: "CONFIG",
        fix: "Set region of the destination to sa-east-1.",
      });
    });

    it("a secret that is wrong", async () => {
      const config = s3.schema.parse({
        kind: "s3",
        bucket,
        endpoint: proxy.url,
        accessKeyId: { env: "KEY" },
        secretAccessKey: { env: "SECRET" },
      });
      for (const secrets of [
        { accessKeyId: service.accessKeyId, secretAccessKey: "wrong-secret-0123456789" },
        { accessKeyId: "AKIDWRONG", secretAccessKey: "wrong-secret-0123456789" },
      ]) {
        storage = await s3.create(config, { secrets });
        const error = await failure(put("object"));
        expect(error).toMatchObject({ code: "AUTH" });
        expect(error.message).toMatch(/the credentials are not valid/);
        expect(error.fix).toMatch(/accessKeyId and secretAccessKey/);
        expect(inspect(error, { depth: 10 })).not.toContain("wrong-secret");
      }
    });

    it("no credentials at all", async () => {
      for (const name of [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
      ]) {
        vi.stubEnv(name, undefined);
      }
      vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
      vi.stubEnv("HOME", "/nonexistent");
      try {
        storage = await s3.create(s3.schema.parse({ kind: "s3", bucket, endpoint: proxy.url }), { secrets: {} });
        const error = await failure(put("object"));
        expect(error).toMatchObject({ code: "AUTH" });
        expect(error.message).toMatch(/there are no credentials/);
      } finally {
        vi.unstubAllEnvs();
      }
    });

    it("credentials of the environment are taken where the destination has none", async () => {
      vi.stubEnv("AWS_ACCESS_KEY_ID", service.accessKeyId);
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", service.secretAccessKey);
      try {
        storage = await s3.create(s3.schema.parse({ kind: "s3", bucket, endpoint: proxy.url }), { secrets: {} });
        expect(await put("object")).toMatchObject({ size: 100 });
      } finally {
        vi.unstubAllEnvs();
      }
    });

    it("a clock that is wrong", async () => {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
      try {
        const error = await failure(put("object"));
        expect(error).toMatchObject({ code: "CONFIG" });
        expect(error.message).toMatch(/clock is wrong/);
        expect(error.fix).toMatch(/timedatectl/);
      } finally {
        vi.useRealTimers();
      }
    });

    it("a permission that is missing, by its name", async () => {
      await put("object");
      const denied = answer(403, "AccessDenied");
      const cases: [RegExp, () => Promise<unknown>][] = [
        [/s3:GetObject/, () => storage.stat("object")],
        [/s3:GetObject/, () => storage.download("object")],
        [/s3:ListBucket on/, () => keys()],
        [/s3:DeleteObject on/, () => storage.remove(["object"])],
        [/s3:ListBucketMultipartUploads/, () => storage.removeUnfinished("", new Date())],
      ];
      for (const [fix, request] of cases) {
        proxy.reset();
        proxy.misbehave(denied, undefined, 2);
        const error = await failure(request());
        expect(error.code).toBe("AUTH");
        expect(error.fix).toMatch(fix);
      }
    });

    it("a permission that is missing, not that an object is, where its folder's listing shows it", async () => {
      await put("object");
      proxy.misbehave(answer(403, "AccessDenied"), ({ method, url }) => method !== "PUT" && url.includes("/object"), 2);
      expect(await failure(put("object"))).toMatchObject({ code: "AUTH" });
    });

    it("a service that cannot be reached", async () => {
      await use({ endpoint: "http://127.0.0.1:9", retrySeconds: 0 });
      const error = await failure(put("object"));
      expect(error).toMatchObject({ code: "TRANSIENT" });
      expect(error.fix).toMatch(/endpoint and region/);
    });
  });

  it("signs in headers alone: no URL holds a signature or a key", async () => {
    await put("small");
    await put("large", large);
    await digestOf(await storage.download("large"));
    await keys();
    await storage.remove(["small", "large"]);
    expect(proxy.requests.length).toBeGreaterThan(8);
    for (const { url, headers } of proxy.requests) {
      expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256/);
      expect(url).not.toMatch(/signature|credential|AKID/i);
    }
  });

  it("holds a bounded part of a stream of 1.25 GiB in memory", { timeout: 180_000 }, async () => {
    const keys = { accessKeyId: { env: "KEY" }, secretAccessKey: { env: "SECRET" } };
    const { accessKeyId, secretAccessKey } = service;
    await expectBoundedMemory(
      "s3",
      { config: { kind: "s3", endpoint: service.url, bucket, ...keys }, secrets: { accessKeyId, secretAccessKey } },
      LARGE_MIB.whole,
    );
    await service.client.deleteObjects({ Bucket: bucket, Delete: { Objects: [{ Key: "o1" }, { Key: "o1280" }] } });
  });

  it("may be closed while a transfer is going on, and fails then", async () => {
    await use({ retrySeconds: 0 });
    const source = streamThen(large, () => sleep(50));
    const ended = storage.upload("object", source).catch(() => undefined);
    await storage.close();
    await ended;
    expect(await unfinished(bucket)).toBe(0);
  });
});

/** No error may hold what signs, however deep one looks. */
function expectNoSecret(error: unknown): void {
  const text = inspect(error, { depth: 10, showHidden: true });
  expect(text).not.toContain(service.secretAccessKey);
  expect(text).not.toMatch(/AWS4-HMAC|Signature=|authorization:|StringToSign/i);
}
