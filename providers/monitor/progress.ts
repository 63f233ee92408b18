import { span as duration } from "../clock.ts";
import { bytes as sized } from "../fields/sizes.ts";
import type { RunLog } from "./monitor.ts";

/** Milliseconds between two redraws of the progress line on a terminal: five a second look steady. */
const REDRAW_MS = 200;

/** Tells the run's log how far a step is: on a terminal in a line that the next one replaces. */
export class ProgressReporter {
  readonly #log: RunLog;
  readonly #step: string;
  readonly #everyMs: number;
  readonly #begun = performance.now();
  #shown = this.#begun;
  #last = 0;
  #moved = 0;

  /**
   * @param step what is being done, for people: `verify`
   * @param lineSeconds seconds between two lines of a log that no terminal shows. Default: none is written there.
   */
  constructor(log: RunLog, step: string, lineSeconds = Infinity) {
    this.#log = log;
    this.#step = step;
    this.#everyMs = log.terminal ? REDRAW_MS : lineSeconds * 1000;
  }

  /**
   * Takes note of how far the step is; may be called many times a second.
   *
   * @param bytes so far. Fewer than before where something is read again.
   * @param total bytes in the end; undefined where nobody knows.
   */
  readonly progress = (bytes: number, total?: number): void => {
    this.#moved += Math.max(bytes - this.#last, 0);
    const ends = total !== undefined && bytes >= total && this.#last < total;
    this.#last = bytes;
    const now = performance.now();
    // What comes after the last byte may take long: until then the line must not say that all is done at once.
    const since = ends && this.#log.terminal ? this.#begun : this.#shown;
    if (now - since < this.#everyMs) return;
    this.#shown = now;
    this.#report(bytes, total, (now - this.#begun) / 1000);
  };

  /** Takes the line away. */
  end(): void {
    this.#log.status(undefined);
  }

  #report(bytes: number, total: number | undefined, seconds: number): void {
    const rate = this.#moved / seconds;
    if (this.#log.terminal) {
      this.#log.status(`${this.#step}: ${describe(bytes, total, rate, seconds)}`);
      return;
    }
    this.#log.write("info", `${this.#step}: going on`, {
      bytes,
      ...(total !== undefined && { totalBytes: total }),
      bytesPerSecond: Math.round(rate),
      seconds: Math.round(seconds),
    });
  }
}

/** `42%, 1.20 GB of 2.86 GB, 105 MB/s, 16 s left`; without a total `1.20 GB, 105 MB/s, 11 s`. */
function describe(bytes: number, total: number | undefined, rate: number, seconds: number): string {
  const pace = `${sized(Math.round(rate))}/s`;
  if (total === undefined || total <= 0) return `${sized(bytes)}, ${pace}, ${duration(seconds * 1000)}`;
  const done = Math.min(bytes, total);
  const left = rate > 0 ? `, ${duration(Math.max(((total - done) / rate) * 1000, 1000))} left` : "";
  const share = Math.floor((100 * done) / total);
  return `${share}%, ${sized(done)} of ${sized(total)}, ${pace}${done === total ? ", finishing" : left}`;
}
