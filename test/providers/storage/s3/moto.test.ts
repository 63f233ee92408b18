/** The contract of S3 against moto, an S3 of other authors than versitygw's: what both take is no habit of one. */
import { S3 } from "@aws-sdk/client-s3";
import { afterAll, beforeAll } from "vitest";
import { s3 } from "../../../../providers/storage/s3.ts";
import { describeStorageContract } from "../../../contract/storage.ts";
import { bytesSent, lieAbout } from "../../../helpers/s3-traffic.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";
import { FaultyProxy } from "../../../../tools/services/faulty-proxy.ts";
import { startMoto, type Moto } from "../../../../tools/services/moto.ts";

const MiB = 1024 * 1024;
const accessKeyId = "AKIDPROVISIONMOTO";
const secretAccessKey = registerSecret("the secret of moto's access key", "m0t0-s3cret/Access+Key=");

let moto: Moto;
let proxy: FaultyProxy;
let client: S3;
let buckets = 0;
beforeAll(async () => {
  moto = await startMoto();
  proxy = await FaultyProxy.start(moto.url);
  const credentials = { accessKeyId, secretAccessKey };
  client = new S3({ endpoint: moto.url, region: "us-east-1", forcePathStyle: true, credentials });
});
afterAll(async () => {
  client.destroy();
  await proxy.stop();
  await moto.stop();
});

describeStorageContract(
  "s3 of moto",
  async ({ stallTimeoutSeconds }) => {
    proxy.reset();
    buckets += 1;
    const Bucket = `bucket-${buckets}`;
    await client.createBucket({ Bucket });
    const config = s3.schema.parse({
      kind: "s3",
      bucket: Bucket,
      endpoint: proxy.url,
      accessKeyId: { env: "KEY" },
      secretAccessKey: { env: "SECRET" },
      partSizeMiB: 5,
      retrySeconds: 5,
      stallTimeoutSeconds,
    });
    const pathOf = (key: string) => `/${Bucket}/${key}`;
    return {
      storage: await s3.create(config, { secrets: { accessKeyId, secretAccessKey } }),
      tamper(key, _size, lie) {
        lieAbout(proxy, pathOf(key), lie);
        return Promise.resolve();
      },
      received: (key) => Promise.resolve(bytesSent(proxy, pathOf(key))),
      strand: () => Promise.reject(new Error("moto does not know when an upload was begun.")),
      unfinished: async () => (await client.listMultipartUploads({ Bucket })).Uploads?.length ?? 0,
      dispose: () => Promise.resolve(),
    };
  },
  {
    unicodeKeys: true,
    oddKeys: true,
    lies: ["shorter", "longer", "different"],
    chunkBytes: 5 * MiB,
    // Four parts, and what waits in front of them.
    maxBuffered: 21 * MiB,
    refusesToOverwrite: true,
    // It does, but moto says of every one of them that it was begun in November 2010.
    leavesUnfinished: false,
  },
);
