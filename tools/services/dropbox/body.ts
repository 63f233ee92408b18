import type { IncomingMessage } from "node:http";
import { streamed } from "../../../runner/stream/garbage.ts";
import { BlockHasher } from "./block-hasher.ts";

/** What a single request may carry. */
const MAX_REQUEST = 150 * 1024 * 1024;

/** What a request carries. */
export interface Body {
  readonly size: number;
  /** Whether it is more than the service takes: then it was read and forgotten, so that the answer arrives. */
  readonly tooLarge: boolean;
  /** None of a service that forgets. */
  readonly pieces: readonly Buffer[];
  /** Of all bytes; it was computed while they arrived. */
  readonly hasher: BlockHasher;
}

/** How a body is read. */
export interface Reading {
  /** Nothing is kept but size and hash. */
  readonly forgetful: boolean;
  /** Breaks the connection after so many bytes. */
  readonly cutAfter: number | undefined;
  readonly arrived: (bytes: number) => void;
}

/** Reads a request's body; nothing if the connection was broken. */
export async function readBody(
  request: IncomingMessage,
  { forgetful, cutAfter, arrived }: Reading,
): Promise<Body | undefined> {
  // A request has none any more once nobody reads it to its end.
  const { socket } = request;
  const pieces: Buffer[] = [];
  const hasher = new BlockHasher();
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    arrived(piece.length);
    if (cutAfter !== undefined && size >= cutAfter) break;
    if (size > MAX_REQUEST) pieces.length = 0;
    else if (!forgetful) pieces.push(piece);
    hasher.update(piece);
    // Else V8 lets them grow old, and marks the whole heap again and again, on the processors that the client needs.
    if (forgetful) streamed(piece.length);
  }
  if (cutAfter !== undefined) {
    socket.destroy();
    return undefined;
  }
  return { size, tooLarge: size > MAX_REQUEST, pieces, hasher };
}
