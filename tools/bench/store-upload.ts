/**
 * Uploads a file, as a stream of unknown length, to one or more stores at the same time, in a process of its own:
 * `store-upload.ts FILE`, with a list of `{ config, secrets }` as JSON in STORES. Prints `{ seconds, peakMegabytes }`.
 */
import { createReadStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ProviderContext } from "../../providers/definition.ts";
import { createStorage, StorageConfig } from "../../providers/storage/index.ts";
import { FanOut } from "../../runner/stream/fan-out.ts";
import { streamed } from "../../runner/stream/garbage.ts";
import { COMPRESSED_CHUNK } from "../../runner/stream/zstd.ts";
import { peakMemory } from "../peak-memory.ts";

interface Store {
  readonly config: unknown;
  readonly secrets: ProviderContext["secrets"];
}

/** As in the runner, a store that accepts nothing for so long is dropped; here none should be. */
const PATIENCE_MS = 600_000;

const [file = ""] = process.argv.slice(2);
const stores = await Promise.all(
  (JSON.parse(process.env.STORES ?? "[]") as Store[]).map(({ config, secrets }) =>
    createStorage(StorageConfig.parse(config), { secrets }),
  ),
);
const begun = performance.now();
const source = createReadStream(file, { highWaterMark: COMPRESSED_CHUNK });
const key = `bench/${process.pid}`;
const [only, ...more] = stores;
if (only !== undefined && more.length === 0) {
  // What the runner's fan-out does, but for the hashing, as the plain clients do none.
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      streamed(chunk.length);
      done(null, chunk);
    },
  });
  await only.upload(key, source.pipe(counted));
} else {
  const fan = new FanOut(stores.length, PATIENCE_MS);
  const uploads = fan.branches.map((branch, index) => stores[index]?.upload(key, branch));
  await Promise.all([pipeline(source, fan), ...uploads]);
}
const seconds = (performance.now() - begun) / 1000;
for (const store of stores) await store.close();
console.log(JSON.stringify({ seconds, peakMegabytes: peakMemory() / 1e6 }));
