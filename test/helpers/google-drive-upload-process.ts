/**
 * Uploads a stream of unknown length to a Google Drive in a process of its own, to measure its memory:
 * `google-drive-upload-process.ts CLIENT_ID KEY MIB`, with the secrets in CLIENT_SECRET and REFRESH_TOKEN. Prints
 * `{ seconds, peakMiB }` as JSON.
 */
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { googleDrive } from "../../providers/storage/google-drive.ts";
import { bytesOf } from "./bytes.ts";

const [clientId, key = "", size] = process.argv.slice(2);
const { CLIENT_SECRET: clientSecret = "", REFRESH_TOKEN: refreshToken = "" } = process.env;
const config = googleDrive.schema.parse({
  kind: "google-drive",
  folder: "/Backups",
  clientId,
  clientSecret: { env: "CLIENT_SECRET" },
  refreshToken: { env: "REFRESH_TOKEN" },
});
const storage = await googleDrive.create(config, { secrets: { clientSecret, refreshToken } });

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
// Not resourceUsage(): that begins with the memory of the process that started this one.
const peakKiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
console.log(JSON.stringify({ seconds, peakMiB: peakKiB / 1024 }));
