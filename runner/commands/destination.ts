import { Option } from "commander";
import { ProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { Run } from "../run.ts";

/** The options of {@link withDestination}. */
export interface DestinationOptions {
  readonly destination?: number;
}

/** Adds the option that chooses one of a job's destinations. */
export function destinationOption(): Option {
  return new Option("--destination <number>", "the destination's place in the job, counted from 0").argParser(Number);
}

/** The destinations that a command works on: the chosen one, or all of them. */
export function chosenDestinations(run: Run, { destination }: DestinationOptions): number[] {
  const all = [...run.job.destinations.keys()];
  if (destination === undefined) return all;
  if (all.includes(destination)) return [destination];
  throw new ProviderError("CONFIG", `The job has no destination ${destination}.`, {
    fix: `It has ${all.length}: --destination takes 0${all.length > 1 ? ` to ${all.length - 1}` : ""}.`,
  });
}

/**
 * The place in the job of a destination that the command line names by its number or its kind; without a name, of the only
 * one.
 *
 * @param option how it is called there, for messages
 * @throws ProviderError `CONFIG` where there is none, or more than one.
 */
export function findDestination({ job }: Run, option: string, name: string | undefined): number {
  const { destinations } = job;
  const found = [...destinations.entries()].filter(
    ([index, { kind }]) => name === undefined || name === String(index) || name === kind,
  );
  const [only, second] = found;
  if (only && !second) return only[0];
  const what =
    name === undefined
      ? `${option} is needed: the job has ${destinations.length} destinations`
      : `${option} ${name} is ${only ? "more than one destination" : "no destination"} of the job`;
  throw new ProviderError("CONFIG", `${what}.`, {
    fix: `Give a number: ${destinations.map(({ kind }, index) => `${index} is ${kind}`).join(", ")}.`,
  });
}

/** Opens a destination for some work and closes it afterwards. */
export async function withDestination<T>(
  run: Run,
  index: number,
  work: (storage: StorageProvider) => Promise<T>,
): Promise<T> {
  const storage = await run.openDestination(index);
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

/** Does some work in each of the chosen destinations, one after the other. */
export async function inDestinations<T>(
  run: Run,
  options: DestinationOptions,
  work: (storage: StorageProvider) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const index of chosenDestinations(run, options)) results.push(await withDestination(run, index, work));
  return results;
}
