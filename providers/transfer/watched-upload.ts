import type { Readable } from "node:stream";
import type { UploadOptions } from "../storage/storage.ts";
import { StallWatchdog } from "./watchdog.ts";

/**
 * What every upload owes its source, around the work of one: it is watched while it is read, and read or destroyed in the
 * end, however that comes.
 *
 * @param stallTimeoutSeconds seconds without a byte after which the upload fails with `TRANSIENT`
 */
export async function watchedUpload<T>(
  key: string,
  source: Readable,
  stallTimeoutSeconds: number,
  { signal }: UploadOptions,
  work: (watchdog: StallWatchdog) => Promise<T>,
): Promise<T> {
  // A source may fail before it is read, or after it was given up: then nobody else listens.
  source.on("error", () => undefined);
  const watchdog = new StallWatchdog(`upload of ${key}`, stallTimeoutSeconds, signal);
  try {
    return await work(watchdog);
  } finally {
    watchdog.stop();
    source.destroy();
  }
}
