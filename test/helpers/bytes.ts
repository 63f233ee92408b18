import { createCipheriv, createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Readable } from "node:stream";

/** Bytes that look random and are the same for the same seed, so that a swapped, doubled or lost chunk shows. */
export function bytesOf(size: number, seed = 1): Buffer {
  const key = Buffer.alloc(16, seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** A stream of the bytes in pieces of the given size; between two pieces it gives way to everything else. */
export function streamOf(bytes: Buffer, pieceSize = 65_536): Readable {
  return Readable.from(pieces(bytes, pieceSize), { objectMode: false });
}

/** A stream of the bytes that fails with the error instead of ending. */
export function failingStream(bytes: Buffer, error: Error, pieceSize = 65_536): Readable {
  return Readable.from(
    (async function* () {
      yield* pieces(bytes, pieceSize);
      await sleep(1);
      throw error;
    })(),
    { objectMode: false },
  );
}

/** A stream of the bytes that runs `then` after the last of them and before its end. */
export function streamThen(
  bytes: Buffer,
  then: (stream: Readable) => Promise<void> | void,
  pieceSize = 65_536,
): Readable {
  const generate = async function* (): AsyncGenerator<Buffer> {
    yield* pieces(bytes, pieceSize);
    await then(stream);
  };
  const stream = Readable.from(generate(), { objectMode: false });
  return stream;
}

/** A stream of bytes that waits for `between` before it gives others. */
export function streamAround(first: Buffer, between: () => Promise<void>, second: Buffer): Readable {
  return Readable.from(
    (async function* () {
      yield* pieces(first, 65_536);
      await between();
      yield* pieces(second, 65_536);
    })(),
    { objectMode: false },
  );
}

/** A stream that gives some bytes every few milliseconds and never ends. */
export function endlessStream(): Readable {
  return Readable.from(
    (async function* () {
      for (;;) {
        await sleep(5);
        yield bytesOf(1_000);
      }
    })(),
    { objectMode: false },
  );
}

/** Length and SHA-256 of what a stream gives. */
export async function digestOf(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return `${size} ${hash.digest("hex")}`;
}

/** Length and SHA-256 of bytes; see {@link digestOf}. */
export function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) {
    await Promise.resolve();
    yield bytes.subarray(start, start + size);
  }
}
