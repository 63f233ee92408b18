import { ProviderError, toProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { BackupState } from "../backups/catalogue/backup-folder.ts";
import { listWhole } from "../backups/catalogue/catalogue.ts";
import { copyBackup, type CopyReport } from "./copy.ts";
import { decisiveError } from "../run/decisive-error.ts";
import { EXIT } from "../run/exit-codes.ts";
import type { Run } from "../run/run.ts";
import type { Telemetry } from "../run/telemetry.ts";

/** How one destination fared in a retry. */
interface RetriedDestination {
  readonly destination: string;
  /** Whether it had the backup, has it now, or still lacks it. */
  readonly status: "present" | "copied" | "failed";
  /** What was copied to it, and from where. */
  readonly copy?: CopyReport;
  readonly errors: readonly { readonly code: string; readonly message: string; readonly fix?: string }[];
}

/** What a retry did. */
export interface RetryReport {
  readonly id: string;
  readonly status: "ok" | "partial";
  readonly exitCode: number;
  readonly destinations: readonly RetriedDestination[];
}

/** A destination of the job, and how the backup stands in it. */
interface Destination {
  readonly name: string;
  readonly kind: string;
  /** Undefined where it could not be opened. */
  readonly storage: StorageProvider | undefined;
  /** Undefined where it has no such backup. */
  readonly state: BackupState | undefined;
  /** Why it could not be opened or listed. */
  readonly error: ProviderError | undefined;
}

/** A destination that could be opened. */
type Open = Destination & { readonly storage: StorageProvider };

/** What it takes to complete one destination. */
interface Context {
  readonly run: Run;
  readonly telemetry: Telemetry;
  readonly id: string;
  readonly verify: boolean;
  readonly identity: FileKeySource | undefined;
}

/**
 * Completes a partial run: copies its backup from a destination that has it to those that lack it. Nothing is dumped, and
 * nothing is decrypted but for the verification, where there is an identity.
 *
 * @throws ProviderError `NOT_FOUND` where no destination has the backup.
 */
export async function retry(run: Run, telemetry: Telemetry, id: string, verify: boolean): Promise<RetryReport> {
  const { job } = run;
  const context = { run, telemetry, id, verify, identity: verify ? await run.openIdentity() : undefined };
  const destinations = await Promise.all([...job.destinations.keys()].map((index) => open(run, index, id)));
  try {
    const sources = sourcesOf(destinations);
    if (sources.length === 0) throw nowhere(destinations, `${job.stack}/${job.name}`, id);
    const results: RetriedDestination[] = [];
    for (const destination of destinations) results.push(await complete(context, destination, sources));
    const errors = results.flatMap((result) => result.errors);
    const failure = errors.some(({ code }) => code === "INTEGRITY") ? EXIT.verification : EXIT.partial;
    const exitCode = errors.length > 0 ? failure : EXIT.done;
    return { id, status: errors.length > 0 ? "partial" : "ok", exitCode, destinations: results };
  } finally {
    await Promise.allSettled(destinations.map(async ({ storage }) => storage?.close()));
  }
}

async function open(run: Run, index: number, id: string): Promise<Destination> {
  const kind = run.job.destinations[index]?.kind ?? "";
  let name = `${kind} (destination ${index})`;
  let storage: StorageProvider | undefined;
  try {
    storage = await run.openDestination(index, true);
    name = storage.description;
    const backups = await listWhole(storage, run.job, run.signal);
    return { name, kind, storage, state: backups.find((backup) => backup.id === id)?.state, error: undefined };
  } catch (error) {
    return { name, kind, storage, state: undefined, error: toProviderError(error) };
  }
}

/** Those that have the backup: one that was read in full first, and none that is known to be damaged. */
function sourcesOf(destinations: readonly Destination[]): Open[] {
  const isSource =
    (state: BackupState) =>
    (destination: Destination): destination is Open =>
      destination.storage !== undefined && destination.state === state;
  return [...destinations.filter(isSource("verified")), ...destinations.filter(isSource("unverified"))];
}

function nowhere(destinations: readonly Destination[], job: string, id: string): ProviderError {
  const problem = decisiveError(destinations.flatMap(({ error }) => (error ? [error] : [])));
  if (problem) return problem;
  return new ProviderError("NOT_FOUND", `No destination has a sound backup "${id}" of ${job} to copy from.`, {
    fix: "See `provision list`; a run that ended with 3 prints the id of its backup.",
  });
}

async function complete(
  context: Context,
  destination: Destination,
  sources: readonly Open[],
): Promise<RetriedDestination> {
  const { name, kind, storage, state } = destination;
  // Its bytes are there, but the run that wrote them was ended before it had read them back.
  const unread = context.verify && state === "unverified" && sources[0]?.state === "verified";
  if (state === "verified" || (state === "unverified" && !unread)) {
    return { destination: name, status: "present", errors: [] };
  }
  const errors = state === "damaged" ? [damaged(name, context.id)] : destination.error ? [destination.error] : [];
  let copy: CopyReport | undefined;
  if (storage && errors.length === 0) {
    copy = await copyFromAny(context, storage, sources, errors);
    errors.push(...(copy?.verification?.problems ?? []).map((problem) => new ProviderError("INTEGRITY", problem)));
  }
  for (const error of errors) {
    context.telemetry.trackError(error, { step: "copy", backup: context.id, destination: name, provider: kind });
  }
  return {
    destination: name,
    status: errors.length > 0 ? "failed" : "copied",
    ...(copy && { copy }),
    errors: errors.map(({ code, message, fix }) => ({ code, message, ...(fix !== undefined && { fix }) })),
  };
}

/** Copies from the first source that lets itself be copied; where none does, `errors` gets what was wrong with each. */
async function copyFromAny(
  { run, telemetry, id, verify, identity }: Context,
  storage: StorageProvider,
  sources: readonly Open[],
  errors: ProviderError[],
): Promise<CopyReport | undefined> {
  const { job, signal } = run;
  const failures: ProviderError[] = [];
  for (const source of sources) {
    try {
      return await copyBackup({
        from: { storage: source.storage, job },
        to: { storage, job },
        id,
        verify: verify ? { programs: job.database, identity } : undefined,
        telemetry,
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw error;
      failures.push(toProviderError(error));
    }
  }
  errors.push(...failures);
  return undefined;
}

function damaged(name: string, id: string): ProviderError {
  return new ProviderError("INTEGRITY", `${name} has ${id}, but it was found damaged there.`, {
    fix: "Remove its folder there, and retry: it is copied again.",
  });
}
