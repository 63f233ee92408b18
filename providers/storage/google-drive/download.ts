import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { DownloadStream } from "../../transfer/download.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { stallSeconds } from "../../http/watched-request.ts";
import type { DriveClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { unreachable } from "./errors.ts";
import type { DriveFile } from "./files.ts";

/**
 * The bytes of a file, compared with a checksum that the service reports of it: also where somebody replaced them after a
 * break.
 *
 * @param name what is read, for messages
 */
export async function openDownload(
  client: DriveClient,
  file: DriveFile,
  watchdog: StallWatchdog,
  name: string,
  { action }: CallOptions,
): Promise<Readable> {
  const url = `https://www.googleapis.com/drive/v3/files/${encodeURIComponent(file.id)}?alt=media&supportsAllDrives=true`;
  const open = (offset: number, signal: AbortSignal) => {
    const headers: Record<string, string> = offset === 0 ? {} : { Range: `bytes=${offset}-` };
    return client.stream(url, { method: "GET", headers }, offset === 0 ? 200 : 206, { action, signal });
  };
  const first = await client.retry(() => open(0, watchdog.signal), watchdog);
  const algorithm = file.sha256 === undefined ? "md5" : "sha256";
  const expected = file[algorithm];
  const hash = createHash(algorithm);
  return new DownloadStream({
    name,
    size: file.size,
    first,
    open,
    broken: (error) => unreachable(error, action),
    watchdog,
    retrySeconds: client.retrySeconds,
    stallSeconds: stallSeconds(client.stallTimeoutSeconds),
    ...(expected === undefined
      ? {}
      : {
          checksum: {
            update: (bytes) => {
              hash.update(bytes);
            },
            matches: () => hash.digest("hex") === expected,
          },
        }),
  });
}
