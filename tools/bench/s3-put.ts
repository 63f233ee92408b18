/**
 * Uploads `$FILE` to the bucket `bench` of `$S3_URL` with the SDK's plain calls, in parts as an object of more than 5 GB must be:
 * a server that joins the parts takes its time for that, with any client. The rest is in the SDK's own variables.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type CompletedPart, S3 } from "@aws-sdk/client-s3";
import pMap from "p-map";

const PART_BYTES = 8 * 1024 * 1024;

const { FILE: file = "", S3_URL: endpoint = "" } = process.env;
const client = new S3({ endpoint, forcePathStyle: true });
const { size } = await stat(file);
const target = { Bucket: "bench", Key: "plain" };
const { UploadId } = await client.createMultipartUpload(target);
const numbers = Array.from({ length: Math.ceil(size / PART_BYTES) }, (_, index) => index + 1);
const send = async (PartNumber: number): Promise<CompletedPart> => {
  const start = (PartNumber - 1) * PART_BYTES;
  const end = Math.min(start + PART_BYTES, size);
  const Body = createReadStream(file, { start, end: end - 1 });
  const { ETag } = await client.uploadPart({ ...target, UploadId, PartNumber, Body, ContentLength: end - start });
  return { ETag, PartNumber };
};
const Parts = await pMap(numbers, send, { concurrency: 3 });
await client.completeMultipartUpload({ ...target, UploadId, MultipartUpload: { Parts } });
client.destroy();
