import { inspect } from "node:util";
import { beforeEach, describe, expect, it } from "vitest";
import type { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { behind, newBucket, open, proxy, service, unfinished } from "../../helpers/stores/supabase-s3.ts";
import { bytesOf, digest, digestOf, failingStream, streamAround, streamOf, streamThen } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { Random } from "../../helpers/random.ts";
import { keysIn } from "../../helpers/store.ts";
import { eventually } from "../../helpers/eventually.ts";
import type { Fault, PassedRequest } from "../../../tools/services/faulty-proxy.ts";

const MiB = 1024 * 1024;

describe("supabase storage by S3", () => {
  let bucket: string;
  let storage: StorageProvider;
  beforeEach(async () => {
    proxy.reset();
    service.etags = "md5";
    bucket = await newBucket();
    storage = await open(bucket);
  });

  const large = bytesOf(20 * MiB, 3);
  const put = (key: string, bytes = bytesOf(100)) => storage.upload(key, streamOf(bytes));
  const keys = (prefix = "") => keysIn(storage, prefix);
  const read = async (key: string) => digestOf(await storage.download(key));
  const part = (number: number) => (request: PassedRequest) => request.url.includes(`partNumber=${number}&`);
  const firstPartAnswered = () =>
    eventually(() => {
      expect(proxy.requests.some((request) => part(1)(request) && request.status === 200)).toBe(true);
    });
  const failure = async (request: Promise<unknown>): Promise<ProviderError> => {
    const error = await failureOf(request);
    const text = inspect(error, { depth: 10, showHidden: true });
    expect(text).not.toContain(service.secretAccessKey);
    expect(text).not.toMatch(/AWS4-HMAC|Signature=|StringToSign/i);
    return error;
  };

  it("signs for the project's path, in headers alone", async () => {
    await put("object", large);
    expect(await read("object")).toBe(digest(large));
    expect(storage.description).toBe(`supabase ${bucket} at ${proxy.url} (S3)`);
    // A request of the test before, which was given up there, may come as late as now.
    const own = proxy.requests.filter(({ url }) => [undefined, bucket].includes(/\/(bucket-\d+)/.exec(url)?.[1]));
    expect(own.length).toBeGreaterThan(6);
    for (const { url, headers } of own) {
      expect(url).toMatch(new RegExp(`^/storage/v1/s3/${bucket}`));
      expect(url).not.toMatch(/signature|credential/i);
      expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256/);
    }
  });

  const faults: [string, Fault][] = [
    ["an error 500", { kind: "answer", status: 500 }],
    ["an error 429", { kind: "answer", status: 429 }],
    ["an error 429 with Retry-After", { kind: "answer", status: 429, headers: { "retry-after": "1" } }],
    [
      "SlowDown with Retry-After",
      {
        kind: "answer",
        status: 503,
        headers: { "retry-after": "1", "content-type": "application/xml" },
        body: "<Error><Code>SlowDown</Code><Message>Too many connections issued to the database</Message></Error>",
      },
    ],
    ["a lost answer", { kind: "swallow" }],
    ["a cut connection", { kind: "cut-request", after: 50 }],
  ];
  /** The requests of an upload, by what they do. */
  const requests: Readonly<Record<string, (request: PassedRequest) => boolean>> = {
    "a small object": ({ method, url }) => method === "PUT" && !url.includes("partNumber"),
    "the beginning of an upload in parts": ({ method, url }) => method === "POST" && url.includes("?uploads"),
    "a part": ({ url }) => url.includes("partNumber=2"),
    "the completion": ({ method, url }) => method === "POST" && url.includes("uploadId="),
  };
  const bytesFor = (what: string) => (what === "a small object" ? bytesOf(1_000) : large);

  it.each(faults)("survives %s", async (_name, fault) => {
    for (const [what, strikes] of Object.entries(requests)) {
      const bytes = bytesFor(what);
      proxy.reset();
      proxy.misbehave(fault, strikes);
      const begun = performance.now();
      await put("object", bytes);
      expect(proxy.pending).toBe(0);
      if (fault.kind === "answer" && fault.headers !== undefined) {
        expect(performance.now() - begun).toBeGreaterThanOrEqual(1_000);
      }
      expect(await read("object")).toBe(digest(bytes));
      await storage.remove(["object"]);
      expect(await unfinished(bucket)).toBe(0);
    }
  });

  it.each(Object.keys(requests))("survives one dead connection at %s", async (what) => {
    storage = await open(bucket, { stallTimeoutSeconds: 4 });
    proxy.misbehave({ kind: "stall" }, requests[what]);
    await put("object", bytesFor(what));
    expect(proxy.pending).toBe(0);
    expect(await read("object")).toBe(digest(bytesFor(what)));
    expect(await unfinished(bucket)).toBe(0);
  });

  const answer = (status: number, code: string, message = "No."): Fault => ({
    kind: "answer",
    status,
    headers: { "content-type": "application/xml" },
    body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  });

  describe("gives up, and leaves nothing, where", () => {
    const expectNothing = async () => {
      proxy.reset();
      expect(await keys()).toEqual([]);
      expect(await unfinished(bucket)).toBe(0);
    };
    const lasting: [string, Fault, string, RegExp][] = [
      ["a permission is missing", answer(403, "AccessDenied"), "AUTH", /dashboard \(Storage > S3\)/],
      ["the object is too large", answer(413, "EntityTooLarge"), "QUOTA", /file size limit/],
      ["the service stays away", { kind: "answer", status: 500 }, "TRANSIENT", /status page/],
      [
        "the service asks for more time than there is",
        { kind: "answer", status: 429, headers: { "retry-after": "300" } },
        "RATE_LIMITED",
        /Try again later/,
      ],
      ["no answer ever comes", { kind: "stall" }, "TRANSIENT", /stallTimeoutSeconds/],
    ];
    it.each(lasting)("%s", async (_what, fault, code, fix) => {
      for (const [what, strikes] of Object.entries(requests)) {
        storage = await open(bucket, { retrySeconds: 1, stallTimeoutSeconds: 2 });
        proxy.misbehave(fault, strikes, Infinity);
        const error = await failure(put("a/object", bytesFor(what)));
        expect(error.code, what).toBe(code);
        expect(error.fix).toMatch(fix);
        await expectNothing();
      }
    });

    it.each(Object.keys(requests))("the caller does so during %s", async (what) => {
      const controller = new AbortController();
      proxy.misbehave({ kind: "stall" }, (request) => {
        if (requests[what]?.(request) !== true) return false;
        setTimeout(() => {
          controller.abort();
        }, 50);
        return true;
      });
      const source = streamOf(bytesFor(what));
      const error = await failure(storage.upload("a/object", source, { signal: controller.signal }));
      expect(error.code).toBe("ABORTED");
      await expectNothing();
    });

    it("the upload is ended by somebody else", async () => {
      const source = streamThen(large.subarray(0, 8 * MiB + 100), async () => {
        await firstPartAnswered();
        const { Uploads = [] } = await behind.client.listMultipartUploads({ Bucket: bucket });
        for (const { Key, UploadId } of Uploads) {
          await behind.client.abortMultipartUpload({ Bucket: bucket, Key, UploadId });
        }
      });
      const error = await failure(storage.upload("a/object", source));
      expect(error.code).toBe("TRANSIENT");
      expect(error.message).toMatch(/parts of it had been sent when somebody ended it/);
      await expectNothing();
    });
  });

  it("survives a page that fails in the middle of a listing, and a dead connection", { timeout: 120_000 }, async () => {
    const many = Array.from({ length: 1_001 }, (_, index) => `many/${String(index).padStart(4, "0")}`);
    for (let start = 0; start < many.length; start += 100) {
      const some = many.slice(start, start + 100);
      await Promise.all(
        some.map((Key) => behind.client.putObject({ Bucket: bucket, Key, Body: "x", ContentLength: 1 })),
      );
    }
    storage = await open(bucket, { stallTimeoutSeconds: 4 });
    for (const fault of [
      { kind: "answer", status: 500 },
      { kind: "cut-response", after: 20 },
      { kind: "stall" },
    ] as const) {
      proxy.misbehave(fault, ({ url }) => url.includes("continuation-token"));
      expect(await keys("many")).toEqual(many);
      expect(proxy.pending).toBe(0);
    }
  });

  describe("bytes that change on their way", () => {
    it("are sent again, in a part that comes after one that was right", async () => {
      proxy.misbehave({ kind: "corrupt-request", at: 77 }, part(3));
      const source = streamThen(large.subarray(0, 17 * MiB), firstPartAnswered);
      await storage.upload("object", source);
      expect(proxy.requests.filter(part(3))).toHaveLength(2);
      expect(await read("object")).toBe(digest(large.subarray(0, 17 * MiB)));
    });

    const first = 8 * MiB + 100;
    it.each([
      ["a small object", ({ method }: PassedRequest) => method === "PUT", () => streamOf(large.subarray(0, 1_000))],
      [
        "the first part of a large one",
        part(1),
        // A part that is answered before the first of them would show that tags are MD5s here.
        () => streamAround(large.subarray(0, first), firstPartAnswered, large.subarray(first)),
      ],
    ])("are noticed in %s, which does not stay", async (_what, strikes, source) => {
      proxy.misbehave({ kind: "corrupt-request", at: 77 }, strikes);
      const error = await failure(storage.upload("object", source()));
      expect(error.code).toBe("INTEGRITY");
      expect(error.message).toMatch(/other bytes than were sent/);
      expect(error.message).toMatch(/The object was removed again\.$/);
      expect(await keys()).toEqual([]);
    });

    it.each([1_000, 20 * MiB])("are not suspected where no tag is an MD5: of %i bytes", async (size) => {
      service.etags = "encrypted";
      await put("object", large.subarray(0, size));
      expect(await read("object")).toBe(digest(large.subarray(0, size)));
    });
  });

  it("neither hangs nor leaves anything at 24 random points of failure", { timeout: 240_000 }, async () => {
    const random = new Random(31);
    const small = large.subarray(0, 9 * MiB);
    const one = async (index: number) => {
      const key = `cut/${index}`;
      if (index % 2 === 0) {
        const cause = new Error(`cut ${index}`);
        const source = failingStream(small.subarray(0, random.below(small.length)), cause, 300_000);
        expect(await failure(storage.upload(key, source))).toMatchObject({ message: cause.message });
        return;
      }
      proxy.misbehave(
        { kind: "cut-request", after: random.below(MiB) },
        ({ url }) => url.includes(`/${key}?`) && url.includes("partNumber="),
      );
      await storage.upload(key, streamOf(small));
      expect(await read(key)).toBe(digest(small));
      await storage.remove([key]);
    };
    for (let start = 0; start < 24; start += 4) await Promise.all([0, 1, 2, 3].map((offset) => one(start + offset)));
    expect(proxy.pending).toBe(0);
    expect(await keys()).toEqual([]);
    expect(await unfinished(bucket)).toBe(0);
  });

  it.each([100, large.length])(
    "does not overwrite what another has stored during an upload of %i bytes",
    async (size) => {
      const source = streamThen(large.subarray(0, size), async () => {
        await behind.client.putObject({ Bucket: bucket, Key: "object", Body: "theirs", ContentLength: 6 });
      });
      expect(await failure(storage.upload("object", source))).toMatchObject({ code: "CONFLICT" });
      expect(await storage.stat("object")).toMatchObject({ size: 6 });
      expect(await unfinished(bucket)).toBe(0);
    },
  );

  it("does not take a missing object for a missing permission", async () => {
    await put("a b");
    await storage.remove(["a b", "missing"]);
    expect(await keys()).toEqual([]);
  });

  it("tells a removal that is refused", async () => {
    await put("object");
    const answer =
      "<DeleteResult><Error><Key>object</Key><Code>AccessDenied</Code><Message>No.</Message></Error></DeleteResult>";
    proxy.misbehave(
      { kind: "answer", status: 200, headers: { "content-type": "application/xml" }, body: answer },
      ({ url }) => url.includes("?delete"),
    );
    expect(await failure(storage.remove(["object", "missing"]))).toMatchObject({ code: "AUTH" });
    expect(await keys()).toEqual(["object"]);
  });

  it("says what to do about a wrong key, a wrong region, a missing bucket and a limit", async () => {
    const cases: [Promise<StorageProvider>, string, RegExp][] = [
      [open(bucket, {}, "wrong-secret-0123456789"), "AUTH", /dashboard \(Storage > S3\)/],
      [
        open(bucket, { s3: { region: "us-east-1", accessKeyId: { env: "ID" }, secretAccessKey: { env: "SECRET" } } }),
        "AUTH",
        /set s3\.region/,
      ],
      [open("no-such-bucket"), "CONFIG", /Storage > New bucket/],
    ];
    for (const [opened, code, fix] of cases) {
      storage = await opened;
      const error = await failure(put("object"));
      expect(error.code).toBe(code);
      expect(error.fix).toMatch(fix);
      expect(await failure(keys())).toMatchObject({ code });
    }
    storage = await open(bucket);
    const body =
      "<Error><Code>EntityTooLarge</Code><Message>The object exceeded the maximum allowed size</Message></Error>";
    proxy.misbehave(
      { kind: "answer", status: 413, headers: { "content-type": "application/xml" }, body },
      ({ method }) => method === "PUT",
    );
    const error = await failure(put("object"));
    expect(error.code).toBe("QUOTA");
    expect(error.fix).toMatch(/file size limit/);
  });

  it("refuses empty keys at once", async () => {
    const error = await failure(open(bucket, {}, ""));
    expect(error).toMatchObject({ code: "CONFIG" });
    expect(error.fix).toMatch(/s3\.accessKeyId/);
  });
});
