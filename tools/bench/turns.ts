import { median } from "./median.ts";

/** Numbers of several rounds in short. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/**
 * Measures several things in turns, so that a machine that grows slower or faster does not favour one of them. Each round begins
 * with another one.
 *
 * @returns what was measured, by thing: a number for each round, in the order of the rounds
 */
export async function takeTurns<Thing, Measured>(
  things: readonly Thing[],
  rounds: number,
  measure: (thing: Thing) => Promise<Measured>,
): Promise<Map<Thing, Measured[]>> {
  const results = new Map<Thing, Measured[]>(things.map((thing) => [thing, []]));
  for (let round = 0; round < rounds; round += 1) {
    const from = things.length === 0 ? 0 : round % things.length;
    for (const thing of [...things.slice(from), ...things.slice(0, from)]) {
      results.get(thing)?.push(await measure(thing));
    }
  }
  return results;
}

/** The ratios of two things, each of the same round. */
export function ratiosOf(of: readonly number[], to: readonly number[]): Spread {
  return spreadOf(of.map((value, round) => value / (to[round] ?? NaN)));
}
