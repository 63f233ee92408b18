/**
 * Uploads a stream of unknown length to a store in a process of its own, to measure its memory:
 * `upload-memory-process.ts KEY MIB`, with `{ config, secrets }` as JSON in STORE. Prints `{ seconds, peakMiB }` as JSON.
 */
import { Readable } from "node:stream";
import { createStorage, StorageConfig } from "../../providers/storage/index.ts";
import { peakMemory } from "../../tools/peak-memory.ts";
import { bytesOf } from "./bytes.ts";
import type { StoreToOpen } from "./upload-memory.ts";

const [key = "", size] = process.argv.slice(2);
const { config, secrets } = JSON.parse(process.env.STORE ?? "") as StoreToOpen;
const storage = await createStorage(StorageConfig.parse(config), { secrets });

async function* pieces() {
  const piece = bytesOf(128 * 1024);
  for (let count = 0; count < Number(size) * 8; count += 1) {
    await Promise.resolve();
    yield piece;
  }
}

const begun = performance.now();
await storage.upload(key, Readable.from(pieces(), { objectMode: false }));
const seconds = (performance.now() - begun) / 1000;
await storage.close();
console.log(JSON.stringify({ seconds, peakMiB: peakMemory() / 1024 ** 2 }));
