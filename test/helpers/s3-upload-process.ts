/**
 * Uploads a stream of unknown length to an S3 service in a process of its own, to measure its memory:
 * `s3-upload-process.ts ENDPOINT BUCKET KEY MIB`, with the access key in ACCESS_KEY_ID and SECRET_ACCESS_KEY. Prints
 * `{ seconds, peakMiB }` as JSON.
 */
import { s3 } from "../../providers/storage/s3.ts";
import { measureUpload } from "./measured-upload.ts";

const [endpoint, bucket, key = "", size] = process.argv.slice(2);
const { ACCESS_KEY_ID: accessKeyId = "", SECRET_ACCESS_KEY: secretAccessKey = "" } = process.env;
const config = s3.schema.parse({
  kind: "s3",
  endpoint,
  bucket,
  accessKeyId: { env: "ACCESS_KEY_ID" },
  secretAccessKey: { env: "SECRET_ACCESS_KEY" },
});
const storage = await s3.create(config, { secrets: { accessKeyId, secretAccessKey } });
await measureUpload(storage, key, Number(size));
