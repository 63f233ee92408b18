import { afterAll, beforeAll } from "vitest";
import { s3 } from "../../../providers/storage/s3.ts";
import type { OpenStorage } from "../../contract/storage.ts";
import { FaultyProxy } from "../../../tools/services/faulty-proxy.ts";
import { startVersitygw, type Versitygw } from "../../../tools/services/versitygw.ts";
import { bytesSent, lieAbout } from "../s3-traffic.ts";

/** A server of the file that imports this, and a proxy before it. */
export let service: Versitygw;
export let proxy: FaultyProxy;
let buckets = 0;

beforeAll(async () => {
  service = await startVersitygw();
  proxy = await FaultyProxy.start(service.url);
});
afterAll(async () => {
  await proxy.stop();
  await service.stop();
});

const MiB = 1024 * 1024;

/** A new bucket. */
export async function newBucket(options: { locks?: boolean; versions?: boolean } = {}): Promise<string> {
  buckets += 1;
  const Bucket = `bucket-${buckets}`;
  await service.client.createBucket({ Bucket, ObjectLockEnabledForBucket: options.locks === true });
  if (options.versions === true) {
    await service.client.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Enabled" } });
  }
  return Bucket;
}

/** The provider, over the proxy. */
export function open(bucket: string, settings: object = {}) {
  const config = s3.schema.parse({
    kind: "s3",
    bucket,
    endpoint: proxy.url,
    accessKeyId: { env: "KEY" },
    secretAccessKey: { env: "SECRET" },
    partSizeMiB: 5,
    retrySeconds: 5,
    stallTimeoutSeconds: 60,
    ...settings,
  });
  const { accessKeyId, secretAccessKey } = service;
  return s3.create(config, { secrets: { accessKeyId, secretAccessKey } });
}

/** The multipart uploads that a bucket holds. */
export async function unfinished(Bucket: string): Promise<number> {
  const { Uploads = [] } = await service.client.listMultipartUploads({ Bucket });
  return Uploads.length;
}

/** What the contract may expect. */
export const capabilities = {
  unicodeKeys: true,
  oddKeys: true,
  lies: ["shorter", "longer", "different"],
  chunkBytes: 5 * MiB,
  // Four parts, and what waits in front of them.
  maxBuffered: 21 * MiB,
  refusesToOverwrite: true,
  leavesUnfinished: true,
} as const;

/** A store of its own. */
export const openBucket: OpenStorage = async ({ stallTimeoutSeconds }) => {
  proxy.reset();
  const bucket = await newBucket();
  const pathOf = (key: string) => `/${bucket}/${key}`;
  return {
    storage: await open(bucket, { stallTimeoutSeconds }),
    tamper(key, _size, lie) {
      lieAbout(proxy, pathOf(key), lie);
      return Promise.resolve();
    },
    received: (key) => Promise.resolve(bytesSent(proxy, pathOf(key))),
    async strand(Key) {
      const { UploadId } = await service.client.createMultipartUpload({ Bucket: bucket, Key });
      await service.client.uploadPart({ Bucket: bucket, Key, UploadId, PartNumber: 1, Body: "part" });
    },
    unfinished: () => unfinished(bucket),
    dispose: () => Promise.resolve(),
  };
};
