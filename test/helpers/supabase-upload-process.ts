/**
 * Uploads a stream of unknown length to a Supabase project in a process of its own, to measure its memory:
 * `supabase-upload-process.ts URL BUCKET KEY MIB`, with the project's key in SUPABASE_KEY. Prints `{ seconds, peakMiB }` as
 * JSON.
 */
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { supabase } from "../../providers/storage/supabase.ts";
import { bytesOf } from "./bytes.ts";

const [url, bucket, name = "", size] = process.argv.slice(2);
const { SUPABASE_KEY: key = "" } = process.env;
const config = supabase.schema.parse({ kind: "supabase", url, bucket, key: { env: "SUPABASE_KEY" } });
const storage = await supabase.create(config, { secrets: { key } });

async function* pieces() {
  const piece = bytesOf(128 * 1024);
  for (let count = 0; count < Number(size) * 8; count += 1) {
    await Promise.resolve();
    yield piece;
  }
}

const begun = performance.now();
await storage.upload(name, Readable.from(pieces(), { objectMode: false }));
const seconds = (performance.now() - begun) / 1000;
await storage.close();
// Not `process.resourceUsage()`: that begins with what the parent had.
const [, peakKiB] = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
console.log(JSON.stringify({ seconds, peakMiB: Number(peakKiB) / 1024 }));
