import { afterAll, beforeAll } from "vitest";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { supabase } from "../../../providers/storage/supabase.ts";
import type { OpenStorage } from "../../contract/storage.ts";
import { FaultyProxy, type PassedRequest } from "../../../tools/services/faulty-proxy.ts";
import { SupabaseS3 } from "../../../tools/services/supabase-s3.ts";
import { startVersitygw, type Versitygw } from "../../../tools/services/versitygw.ts";

const MiB = 1024 * 1024;

/** The servers of the file that imports this, and a proxy before them. */
export let behind: Versitygw;
export let service: SupabaseS3;
export let proxy: FaultyProxy;
let buckets = 0;

beforeAll(async () => {
  behind = await startVersitygw();
  service = await SupabaseS3.start(behind);
  proxy = await FaultyProxy.start(service.url);
});
afterAll(async () => {
  await proxy.stop();
  await service.stop();
  await behind.stop();
});

/** A new bucket. */
export async function newBucket(): Promise<string> {
  buckets += 1;
  const Bucket = `bucket-${buckets}`;
  await behind.client.createBucket({ Bucket });
  return Bucket;
}

/** A storage at a bucket; `settings` are those of the configuration. */
export function open(
  bucket: string,
  settings: object = {},
  secret = service.secretAccessKey,
): Promise<StorageProvider> {
  const keys = { accessKeyId: { env: "ID" }, secretAccessKey: { env: "SECRET" } };
  const config = supabase.schema.parse({
    kind: "supabase",
    url: proxy.url,
    bucket,
    s3: { region: service.region, ...keys },
    retrySeconds: 5,
    ...settings,
  });
  return supabase.create(config, { secrets: { "s3.accessKeyId": service.accessKeyId, "s3.secretAccessKey": secret } });
}

/** The multipart uploads that a bucket holds. */
export async function unfinished(Bucket: string): Promise<number> {
  const { Uploads = [] } = await behind.client.listMultipartUploads({ Bucket });
  return Uploads.length;
}

/** Whether an object has been written. */
export function written(): boolean {
  return proxy.requests.some(
    ({ method, status, url }) => method === "PUT" && status === 200 && !url.includes("partNumber"),
  );
}

/** What the contract may expect. */
export const capabilities = {
  unicodeKeys: true,
  oddKeys: true,
  lies: ["shorter", "longer", "different"],
  chunkBytes: 8 * MiB,
  // Four parts, and what waits in front of them.
  maxBuffered: 34 * MiB,
  // It does not read If-None-Match.
  refusesToOverwrite: false,
  leavesUnfinished: true,
} as const;

/** A store of its own. */
export const openBucket: OpenStorage = async ({ stallTimeoutSeconds }) => {
  proxy.reset();
  const bucket = await newBucket();
  return {
    storage: await open(bucket, { stallTimeoutSeconds, prefix: "team/a" }),
    tamper(_key, _size, lie) {
      const change = (headers: PassedRequest["headers"]) => ({
        ...headers,
        "content-length": String(Number(headers["content-length"]) + (lie === "shorter" ? -1 : 1)),
      });
      if (lie === "different") {
        proxy.misbehave({ kind: "corrupt-request", at: 1_000 }, ({ method }) => method === "PUT");
        return Promise.resolve();
      }
      proxy.misbehave(
        { kind: "headers", change },
        ({ method, status }) => method === "HEAD" && status === undefined && written(),
      );
      return Promise.resolve();
    },
    received: () => Promise.resolve(proxy.requests.reduce((sum, { bytes }) => sum + bytes, 0)),
    async strand(key) {
      const Key = `team/a/${key}`;
      const { UploadId } = await behind.client.createMultipartUpload({ Bucket: bucket, Key });
      await behind.client.uploadPart({ Bucket: bucket, Key, UploadId, PartNumber: 1, Body: "part" });
    },
    unfinished: () => unfinished(bucket),
    dispose: () => Promise.resolve(),
  };
};
