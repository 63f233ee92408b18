import { Option } from "commander";
import { ProviderError, withFix } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { decisiveError } from "../../run/decisive-error.ts";
import type { Run } from "../../run/run.ts";

/** The options of {@link chosenDestinations}. */
export interface DestinationOptions {
  readonly destination?: string;
}

/** Adds the option that chooses one of a job's destinations. */
export function destinationOption(): Option {
  return new Option("--destination <number>", "the destination's place in the job, counted from 0");
}

/**
 * The destinations that a command works on: the chosen one, or all of them.
 *
 * @throws ProviderError `CONFIG` where the job has no such destination.
 */
export function chosenDestinations(run: Run, { destination }: DestinationOptions): number[] {
  const all = [...run.job.destinations.keys()];
  if (destination === undefined) return all;
  const chosen = all.find((index) => destination === String(index));
  if (chosen !== undefined) return [chosen];
  const shown = /^\d+$/.test(destination) ? destination : `"${destination}"`;
  throw new ProviderError("CONFIG", `The job has no destination ${shown}.`, {
    fix: `It has ${all.length}: --destination takes ${run.job.destinations.map(({ kind }, index) => `${index} (${kind})`).join(", ")}.`,
  });
}

/**
 * The error with a hint at the job's other destinations, where the command line chose none and there is another: what is damaged in one
 * may be whole in them.
 *
 * @param used the destination's place in the job that was read
 */
export function orElsewhere({ job }: Run, { destination }: DestinationOptions, used: number, error: unknown): unknown {
  if (!(error instanceof ProviderError) || destination !== undefined) return error;
  const others = job.destinations.flatMap(({ kind }, index) =>
    index === used ? [] : `--destination ${index} (${kind})`,
  );
  if (others.length === 0) return error;
  const { code, message, fix } = error;
  return new ProviderError(code, message, {
    cause: error,
    fix: `${fix === undefined ? "" : `${fix} `}Or restore from another destination: ${others.join(" or ")}.`,
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

/** Opens a destination for some work and closes it afterwards; `mark` as of {@link Run.openDestination}. */
export async function withDestination<T>(
  run: Run,
  index: number,
  work: (storage: StorageProvider) => Promise<T>,
  mark = false,
): Promise<T> {
  const storage = await run.openDestination(index, mark);
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

/** A destination in which some work failed. */
export interface FailedDestination {
  readonly destination: string;
  readonly error: { readonly code: string; readonly message: string; readonly fix?: string };
}

/** What became of some work in several destinations. */
export interface InDestinations<T> {
  readonly results: readonly T[];
  readonly failed: readonly FailedDestination[];
}

/**
 * Does some work in each of the chosen destinations, one after the other. One that fails does not keep it from the others.
 *
 * @throws ProviderError where all of them failed: the decisive error; its message has the others' too.
 */
export async function inDestinations<T>(
  run: Run,
  options: DestinationOptions,
  work: (storage: StorageProvider, index: number) => Promise<T>,
): Promise<InDestinations<T>> {
  const results: T[] = [];
  const failures: { readonly destination: string; readonly error: ProviderError }[] = [];
  for (const index of chosenDestinations(run, options)) {
    let destination = `${run.job.destinations[index]?.kind ?? ""} (destination ${index})`;
    try {
      results.push(
        await withDestination(run, index, (storage) => {
          destination = storage.description;
          return work(storage, index);
        }),
      );
    } catch (error) {
      if (run.signal.aborted || !(error instanceof ProviderError)) throw error;
      failures.push({ destination, error });
    }
  }
  const decisive = decisiveError(failures.map(({ error }) => error));
  if (decisive && results.length === 0) throw failures.length === 1 ? decisive : allFailed(decisive, failures);
  const failed = failures.map(({ destination, error: { code, message, fix } }) => ({
    destination,
    error: { code, message, ...(fix === undefined ? {} : { fix }) },
  }));
  return { results, failed };
}

/** What is printed for people of the destinations in which a command failed. */
export function describeFailed(failed: readonly FailedDestination[]): string[] {
  return failed.map(({ destination, error }) => `${destination}: FAILED. ${withFix(error)}`);
}

function allFailed(
  { code, fix }: ProviderError,
  failures: readonly { readonly destination: string; readonly error: ProviderError }[],
): ProviderError {
  const details = failures.map(({ destination, error }) => `  ${destination}: ${error.message}`);
  return new ProviderError(code, "Every destination failed:", { details, ...(fix === undefined ? {} : { fix }) });
}
