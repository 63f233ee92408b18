import { Transform, type TransformCallback } from "node:stream";
import { STAGE } from "./meter.ts";

/**
 * Passes bytes on unchanged, but not before the event loop's next turn. It stands behind a compressor or a decompressor, whose
 * thread gets its next piece only when the stages behind have taken the last one: with what they do at once (sums,
 * encryption), the thread stood still. Verifying 500 MB took 1.35 s without this stage and 1.29 s with it.
 */
export class HandOver extends Transform {
  constructor() {
    super(STAGE);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    setImmediate(callback, null, chunk);
  }
}
