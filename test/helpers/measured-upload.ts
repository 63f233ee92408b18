import { Readable } from "node:stream";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { peakMemory } from "../../tools/peak-memory.ts";
import { bytesOf } from "./bytes.ts";

/**
 * Uploads a stream of unknown length in this process, which must do nothing else, closes the storage, and prints
 * `{ seconds, peakMiB }` as JSON.
 */
export async function measureUpload(storage: StorageProvider, key: string, mebibytes: number): Promise<void> {
  const begun = performance.now();
  await storage.upload(key, Readable.from(pieces(mebibytes), { objectMode: false }));
  const seconds = (performance.now() - begun) / 1000;
  await storage.close();
  console.log(JSON.stringify({ seconds, peakMiB: peakMemory() / (1024 * 1024) }));
}

async function* pieces(mebibytes: number) {
  const piece = bytesOf(128 * 1024);
  for (let count = 0; count < mebibytes * 8; count += 1) {
    await Promise.resolve();
    yield piece;
  }
}
