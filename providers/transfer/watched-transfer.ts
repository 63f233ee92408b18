import type { Readable } from "node:stream";
import type { RequestOptions, UploadOptions } from "./object.ts";
import { StallWatchdog } from "./watchdog.ts";

/**
 * Runs an upload with a watchdog. Whatever happens, the source is read or destroyed in the end.
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
  // A source may fail before it is read, or after the upload has ended, when nothing else listens.
  source.on("error", () => undefined);
  const watchdog = new StallWatchdog(`upload of ${key}`, stallTimeoutSeconds, signal);
  try {
    return await work(watchdog);
  } finally {
    watchdog.stop();
    source.destroy();
  }
}

/**
 * Opens a download with a watchdog, which watches the stream until its end.
 *
 * @param stallTimeoutSeconds seconds without a byte after which the download fails with `TRANSIENT`
 */
export async function watchedDownload(
  key: string,
  stallTimeoutSeconds: number,
  { signal }: RequestOptions,
  open: (watchdog: StallWatchdog) => Promise<Readable>,
): Promise<Readable> {
  const watchdog = new StallWatchdog(`download of ${key}`, stallTimeoutSeconds, signal);
  try {
    watchdog.check();
    return await open(watchdog);
  } catch (error) {
    watchdog.stop();
    throw error;
  }
}
