import fc from "fast-check";

/**
 * The seed of all properties: the same in every run, so that only a change of the code can make one fail; another by
 * PROVISION_SEED=1234. A failure prints the seed, and the smallest example that fails.
 */
const SEED = Number(process.env.PROVISION_SEED ?? 20261127);

/** How many examples each property is tried with: PROVISION_RUNS for more. */
const RUNS = Number(process.env.PROVISION_RUNS ?? 200);

/** Has fast-check use the seed, and prints it. Called once in each file of properties. */
export function useSeed(): void {
  fc.configureGlobal({ seed: SEED, numRuns: RUNS });
  console.log(`properties: PROVISION_SEED=${SEED} PROVISION_RUNS=${RUNS}`);
}
