/** Uploads `$FILE` to the bucket `bench` of `$S3_URL` in one request, as the SDK's own client does; the rest is in its own variables. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { S3 } from "@aws-sdk/client-s3";

const { FILE: file = "", S3_URL: endpoint = "" } = process.env;
const client = new S3({ endpoint, forcePathStyle: true });
const { size } = await stat(file);
await client.putObject({ Bucket: "bench", Key: "plain", Body: createReadStream(file), ContentLength: size });
client.destroy();
