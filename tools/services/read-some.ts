import { once } from "node:events";
import type { IncomingMessage } from "node:http";

/** Reads so many bytes of a request, and leaves it at that: what comes then stays in the network's buffers. */
export async function readSome(request: IncomingMessage, bytes: number): Promise<void> {
  for (let size = 0; size < bytes;) {
    const piece = request.read() as Buffer | null;
    if (piece === null) await once(request, "readable");
    else size += piece.length;
  }
}
