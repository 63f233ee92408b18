import { Transform, type TransformCallback } from "node:stream";
import { ByteMeter, STAGE, type Measure, type SumKind } from "./meter.ts";

/**
 * Passes bytes on but keeps the last piece back until `prove` has resolved. A reader that needs the last byte, as pg_restore
 * does before it commits, thus never acts on bytes that turn out damaged. Where more bytes come than there should be, what has
 * come so far is to be proven, and nothing more is read.
 */
export class HoldBack<Kind extends SumKind> extends Transform {
  readonly #meter: ByteMeter<Kind>;
  readonly #prove: (measure: Measure<Kind>) => Promise<void>;
  #last: Buffer | undefined;

  readonly #expected: number;

  /**
   * @param kind which sum the measure has that is to be proven.
   * @param prove rejects where the bytes are not what they should be; its error ends the stream.
   * @param expected bytes that there should be; any number by default.
   */
  constructor(kind: Kind, prove: (measure: Measure<Kind>) => Promise<void>, expected = Infinity) {
    super(STAGE);
    this.#meter = new ByteMeter(kind);
    this.#expected = expected;
    this.#prove = prove;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const previous = this.#last;
    this.#meter.update(chunk);
    this.#last = chunk;
    if (this.#meter.size > this.#expected) this.#finish(callback);
    else callback(null, previous);
  }

  override _flush(callback: TransformCallback): void {
    this.#finish(callback);
  }

  #finish(callback: TransformCallback): void {
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
