import type { Writable } from "node:stream";

/**
 * Writes a piece to a stream. Resolves when the stream is done with the piece, and rejects where it fails or is destroyed first.
 *
 * The stream's own callback is not enough: a compressor or a PassThrough whose output is full keeps it for the next read, and
 * drops it when it is destroyed before that.
 */
export function writePiece(stream: Writable, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      stream.off("close", closed);
      if (error) reject(error);
      else resolve();
    };
    const closed = () => {
      settle(stream.errored ?? new Error("The stream was closed before it took all that was written to it."));
    };
    stream.once("close", closed);
    stream.write(piece, settle);
  });
}
