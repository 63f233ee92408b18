/**
 * Uploads to a folder in a process of its own, for tests that kill it, limit it or make its system calls fail:
 * `upload-process.ts ROOT KEY SIZE|endless…`. Several sizes are uploads at the same time. Prints each outcome as a line of JSON.
 */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ProviderError } from "../../providers/errors.ts";
import { filesystem } from "../../providers/storage/filesystem.ts";
import { bytesOf, streamOf } from "./bytes.ts";

const [root = "", key = "", ...sizes] = process.argv.slice(2);

async function* endless() {
  for (;;) {
    yield bytesOf(100_000);
    await sleep(5);
  }
}

const storage = await filesystem.create({ kind: "filesystem", path: root, stallTimeoutSeconds: 60 }, { secrets: {} });
const uploads = sizes.map(async (size) => {
  const source = size === "endless" ? Readable.from(endless(), { objectMode: false }) : streamOf(bytesOf(Number(size)));
  try {
    console.log(JSON.stringify(await storage.upload(key, source)));
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    console.log(JSON.stringify({ code: error.code, message: error.message, fix: error.fix }));
  }
});
await Promise.all(uploads);
