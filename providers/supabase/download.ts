import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { ProviderError } from "../errors.ts";
import { DownloadStream } from "../transfer/download.ts";
import type { StallWatchdog } from "../transfer/watchdog.ts";
import { stallSeconds } from "../http/watched-request.ts";
import type { SupabaseClient } from "./client.ts";
import type { CallOptions } from "../http/service-client.ts";
import { unreachable } from "./errors.ts";

/** An object, and which of its bytes. */
interface Place {
  readonly bucket: string;
  readonly name: string;
  readonly start: number;
  /** The last byte; left out for all that follow. */
  readonly end?: number;
}

/** An object's bytes from an offset on, by a single try. The SDK's own download knows no offsets and hides the size. */
export function readFrom(client: SupabaseClient, place: Place, options: CallOptions): Promise<IncomingMessage> {
  const { bucket, name, start, end } = place;
  const whole = start === 0 && end === undefined;
  // What stands in between must not compress: an offset counts the object's own bytes.
  const headers = { "accept-encoding": "identity", ...(!whole && { range: `bytes=${start}-${end ?? ""}` }) };
  const path = `/object/authenticated/${bucket}/${name}`;
  return client.send(path, { method: "GET", headers }, [whole ? 200 : 206], options);
}

/**
 * The bytes of an object; where a connection breaks, it goes on at the same offset, if the object is still the same.
 *
 * @param name what is read, for messages
 * @param opened the response to a request for all of it, where there is one already
 */
export async function openDownload(
  client: SupabaseClient,
  place: Pick<Place, "bucket" | "name">,
  watchdog: StallWatchdog,
  name: string,
  action: string,
  opened?: IncomingMessage,
): Promise<Readable> {
  const open = (start: number, signal: AbortSignal) => readFrom(client, { ...place, start }, { action, signal });
  const first = opened ?? (await client.retry(() => open(0, watchdog.signal), watchdog));
  const { "content-length": length, etag } = first.headers;
  if (length === undefined) {
    first.destroy();
    throw new ProviderError("TRANSIENT", `Cannot ${action}: the answer does not tell the object's size.`, {
      fix: "Check url of the destination, and whether a proxy answers in its place.",
    });
  }
  return new DownloadStream({
    name,
    size: Number(length),
    first,
    open: async (start, signal) => {
      const next = await open(start, signal);
      if (next.headers.etag === etag) return next;
      next.destroy();
      throw new ProviderError("INTEGRITY", `Cannot ${action}: the object was replaced while it was read.`, {
        fix: "Use another backup, and find out what replaces objects.",
      });
    },
    broken: (error) => unreachable(error, action),
    watchdog,
    retrySeconds: client.retrySeconds,
    stallSeconds: stallSeconds(client.stallTimeoutSeconds),
  });
}
