import { PassThrough, Writable, type Readable } from "node:stream";
import { ProviderError } from "../../providers/errors.ts";
import { ByteMeter, STAGE, type Measure } from "./meter.ts";

/** What a destination may lag behind before it holds up the others, in bytes. */
const BRANCH_BUFFER = 4 * 1024 * 1024;

/**
 * Bytes that a full branch must accept before it takes the next piece. Little, for it is all that a slow destination has to
 * accept to show that it goes on, and all that the others wait for.
 */
const BRANCH_STEP = 512 * 1024;

/**
 * Writes the same bytes to several branches, as fast as the slowest of them, and measures them. A branch that is destroyed
 * is dropped and the others go on; without any branch left the fan-out itself fails, at once and not with the next bytes:
 * those may be long in coming.
 */
export class FanOut extends Writable {
  readonly #meter = new ByteMeter("sha256");
  readonly #branches: PassThrough[];
  readonly #patienceMs: number;
  #abandoned = false;

  /**
   * @param count how many branches.
   * @param patienceMs how long one branch may accept nothing before it is dropped, in milliseconds. It must be shorter
   * than the time after which a branch's own reader gives up for want of bytes, else one stalled branch ends them all.
   */
  constructor(count: number, patienceMs: number) {
    super({ highWaterMark: STAGE.writableHighWaterMark });
    this.#patienceMs = patienceMs;
    this.#branches = Array.from({ length: count }, () => {
      const branch = new PassThrough({ readableHighWaterMark: BRANCH_BUFFER, writableHighWaterMark: BRANCH_STEP });
      // The reader of the branch reports its error; here it only means that the branch is gone.
      branch.on("error", () => undefined);
      // One that was read to its end closes too, but only after the end of what is written here.
      branch.on("close", () => {
        if (!this.writableEnded && !this.destroyed && this.#live().length === 0) this.destroy(this.#abandon());
      });
      return branch;
    });
  }

  /** The branches' readable ends, in order. */
  get branches(): readonly Readable[] {
    return this.#branches;
  }

  /** Whether every branch is gone. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** What passed. To be called once, after the end. */
  finish(): Measure<"sha256"> {
    return this.#meter.finish();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#meter.update(chunk);
    const slow = this.#live().filter((branch) => !branch.write(chunk));
    if (slow.length === 0) {
      this.#proceed(callback);
      return;
    }
    void Promise.all(slow.map((branch) => this.#drained(branch))).then(() => {
      this.#proceed(callback);
    });
  }

  override _final(callback: (error?: Error | null) => void): void {
    for (const branch of this.#live()) branch.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (error) for (const branch of this.#branches) branch.destroy(error);
    callback(error);
  }

  #live(): PassThrough[] {
    return this.#branches.filter((branch) => !branch.destroyed);
  }

  #proceed(callback: (error?: Error | null) => void): void {
    callback(this.#live().length === 0 ? this.#abandon() : null);
  }

  #abandon(): ProviderError {
    this.#abandoned = true;
    return new ProviderError("ABORTED", "No destination is left.");
  }

  #drained(branch: PassThrough): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        branch.off("drain", settle).off("close", settle);
        resolve();
      };
      const timer = setTimeout(() => {
        branch.destroy(
          new ProviderError("TRANSIENT", `The destination accepted nothing for ${this.#patienceMs / 1000} s.`),
        );
      }, this.#patienceMs);
      branch.on("drain", settle).on("close", settle);
    });
  }
}
