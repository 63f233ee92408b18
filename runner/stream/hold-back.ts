import { Transform, type TransformCallback } from "node:stream";
import { ByteMeter, STAGE, type Measure } from "./meter.ts";

/**
 * Passes bytes on but keeps the last piece back until `prove` has resolved. Whoever needs the last byte, as pg_restore
 * does before it commits, thus never acts on bytes that turn out damaged.
 */
export class HoldBack extends Transform {
  readonly #meter = new ByteMeter();
  readonly #prove: (measure: Measure) => Promise<void>;
  #last: Buffer | undefined;

  /** @param prove rejects where the bytes are not what they should be; its error ends the stream. */
  constructor(prove: (measure: Measure) => Promise<void>) {
    super(STAGE);
    this.#prove = prove;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const previous = this.#last;
    this.#meter.update(chunk);
    this.#last = chunk;
    callback(null, previous);
  }

  override _flush(callback: TransformCallback): void {
    this.#prove(this.#meter.finish()).then(
      () => {
        callback(null, this.#last);
      },
      (error: unknown) => {
        callback(error as Error);
      },
    );
  }
}
