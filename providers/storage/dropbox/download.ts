import type { Readable } from "node:stream";
import { DownloadStream } from "../../transfer/download.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { stallSeconds } from "../../http/watched-request.ts";
import type { DropboxClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import type { FileFacts } from "./commit.ts";
import { ContentHasher } from "./content-hash.ts";
import { unreachable } from "./errors.ts";

/**
 * The bytes of a file, compared with its content hash. It is asked for by its revision, so that what comes after a break is
 * of the same file.
 *
 * @param name what is read, for messages
 */
export async function openDownload(
  client: DropboxClient,
  facts: FileFacts,
  watchdog: StallWatchdog,
  name: string,
  call: CallOptions,
): Promise<Readable> {
  const hasher = new ContentHasher();
  const open = (offset: number, signal: AbortSignal) =>
    client.download(`rev:${facts.rev}`, offset, { action: call.action, signal });
  const first = await client.retry(() => open(0, watchdog.signal), watchdog);
  return new DownloadStream({
    name,
    size: facts.size,
    first,
    open,
    broken: (error) => unreachable(error, call.action),
    watchdog,
    retrySeconds: client.retrySeconds,
    stallSeconds: stallSeconds(client.stallTimeoutSeconds),
    checksum: {
      update: (bytes) => {
        hasher.update(bytes);
      },
      matches: () => hasher.digest() === facts.content_hash,
    },
  });
}
