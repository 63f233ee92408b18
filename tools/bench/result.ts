import type { Spread } from "./turns.ts";

/** What one case took. */
export interface Measurement {
  readonly name: string;
  readonly seconds: Spread;
  /** Peak memory of the Node.js process, the largest of the runs; of this program alone. */
  readonly peakMegabytes?: number;
}

/** Two cases compared: of each round on its own. */
export interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly ratio: Spread;
  /** Undefined where nothing is promised of it. */
  readonly atMost?: number;
}

/** All that was measured on one database. */
export interface Result {
  /** Undefined for an empty database. */
  readonly data?: string;
  readonly megabytes: number;
  readonly measurements: readonly Measurement[];
  readonly ratios: readonly Ratio[];
}
