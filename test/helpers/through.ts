import { Writable, type Duplex, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What comes out of some stages, of a stream that goes in. */
export async function through(source: Readable, ...stages: Duplex[]): Promise<Buffer> {
  const received = new Received();
  await pipeline([source, ...stages, received]);
  return received.bytes;
}

/** Keeps all that is written to it. */
export class Received extends Writable {
  readonly #chunks: Buffer[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }
}
