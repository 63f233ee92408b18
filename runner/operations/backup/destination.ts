import { toProviderError, withFix, type ProviderError } from "../../../providers/errors.ts";
import type { Attributes } from "../../../providers/monitor/monitor.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { Manifest } from "../../backups/documents/manifest.ts";
import { decisiveError } from "../../run/decisive-error.ts";
import type { Lease } from "../../backups/lease.ts";
import type { PruneReport } from "../prune.ts";
import type { Run } from "../../run/run.ts";
import type { Verification } from "../verify.ts";
import type { Trace } from "./trace.ts";

/** A destination during a run. */
export interface Destination {
  readonly description: string;
  /** Its name and kind, for telemetry. */
  readonly facts: Attributes;
  /** Undefined where it could not be opened. */
  readonly storage: StorageProvider | undefined;
  readonly errors: ProviderError[];
  readonly warnings: ProviderError[];
  /** Those that must hold for a commit or a prune there: its own, or all where the store is another name of one. Left out where none could be taken. */
  leases?: readonly Lease[];
  /** It has the whole backup. */
  stored: boolean;
  /** The manifest there, once the backup is whole. */
  manifest?: Manifest;
  verification?: Verification;
  prune?: PruneReport;
}

/** A destination that has taken everything so far. */
export type Live = Destination & { readonly storage: StorageProvider };

/** Opens all destinations of the run's job. One that cannot be opened has an error. */
export function openDestinations(run: Run, trace: Trace): Promise<Destination[]> {
  return Promise.all(
    run.job.destinations.map(async ({ kind }, index) => {
      try {
        const storage = await run.openDestination(index, true);
        return newDestination(storage.description, kind, storage);
      } catch (error) {
        const destination = newDestination(`${kind} (destination ${index})`, kind, undefined);
        fail(trace, "open", destination, error);
        return destination;
      }
    }),
  );
}

function newDestination(description: string, provider: string, storage: StorageProvider | undefined): Destination {
  const facts = { destination: description, provider };
  return { description, facts, storage, errors: [], warnings: [], stored: false };
}

/** The destinations that have taken everything so far. */
export function live(destinations: readonly Destination[]): Live[] {
  return destinations.filter(
    (destination): destination is Live =>
      destination.storage !== undefined && (destination.stored || destination.errors.length === 0),
  );
}

/** Throws the decisive error if no destination is left. */
export function requireLive(destinations: readonly Destination[]): void {
  const decisive = decisiveError(destinations.flatMap(({ errors }) => errors.slice(0, 1)));
  if (live(destinations).length === 0 && decisive) throw decisive;
}

/** Records a failure. A destination that does not have the whole backup yet gets nothing more. */
export function fail(trace: Trace, step: string, destination: Destination, error: unknown): void {
  const failure = toProviderError(error);
  destination.errors.push(failure);
  trace.track(failure, { step, ...destination.facts });
}

/** Records something that needs a person. The backup goes on. */
export function warn(trace: Trace, destination: Destination, warning: ProviderError): void {
  destination.warnings.push(warning);
  trace.warn(`${destination.description}: ${withFix(warning)}`);
  trace.track(warning, destination.facts);
}
