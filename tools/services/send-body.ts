import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Sends the body of a response, as far as a fault lets it. */
export async function sendBody(
  response: ServerResponse,
  chunks: readonly Buffer[],
  fault: { readonly kind: string; readonly bytes?: number } | undefined,
): Promise<void> {
  const some = () => Buffer.concat(chunks).subarray(0, fault?.bytes);
  if (fault?.kind === "stall response") {
    response.write(some());
  } else if (fault?.kind === "cut response") {
    response.write(some());
    await sleep(20);
    response.destroy();
  } else {
    // A reader who goes away is no fault.
    await pipeline(Readable.from(chunks), response).catch(() => undefined);
  }
}
