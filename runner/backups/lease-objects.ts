import { z } from "zod";
import { abortedError, ProviderError, toProviderError } from "../../providers/errors.ts";
import { leaseFolder, leaseKey, leaseNumber } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { JobName } from "./catalogue/backup-folder.ts";
import { readDocument } from "./catalogue/catalogue.ts";
import { unusable } from "./documents/record-reader.ts";
import { openSealed, unseal } from "./documents/sealed-json.ts";

/** What is known of the run that has a lease. Nothing depends on its times: they are there for people. */
const LeaseDocument = z.object({
  format: z.literal(1),
  /** Random, and the same in all of a run's destinations. */
  owner: z.string().max(100),
  host: z.string().max(255),
  program: z.string().max(100),
  startedAt: z.iso.datetime(),
  /** Unless it is renewed. */
  validUntil: z.iso.datetime(),
  /** See `DatabaseBackup.lockedIn`. */
  lockedIn: z.string().max(500).optional(),
});
export type LeaseDocument = z.output<typeof LeaseDocument>;

/** What a listing shows of a job's lease. */
export interface ShownLease {
  readonly keys: readonly string[];
  /** 0 where there has been none. Of a job with keys, what is not signed is none. */
  readonly newest: number;
  /** Whether a run has the newest, as far as a listing tells. */
  readonly held: boolean;
  /** When the store got the newest, by the store's clock. */
  readonly renewed: Date;
}

/** A lease that a run has, as others see it. */
export interface FoundLease {
  /** Where that run is, by the name that its machine has for itself; null where what it wrote cannot be read. */
  readonly host: string | null;
  /** When it began, by that machine's clock; null where what it wrote cannot be read. */
  readonly since: string | null;
  /** When the store got the last renewal, by the store's clock. */
  readonly renewed: Date;
  /** Why what it wrote cannot be read. Left out where it can. */
  readonly error?: ProviderError;
}

/** Unsigned objects that are read to find a signed one: more would take longer than a request of a lease may, at 100 ms each. */
const MOST_UNSIGNED = 200;

/**
 * What a listing shows of a job's lease.
 *
 * @throws ProviderError what the store says; `CONFLICT` if too many objects of a job with keys are unsigned
 */
export async function leaseIn(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<ShownLease> {
  const found: { key: string; modified: Date; number: number; ended: boolean }[] = [];
  for await (const { key, modified } of storage.list(leaseFolder(job), { signal })) {
    const says = leaseNumber(key);
    if (says) found.push({ key, modified, ...says });
  }
  const keys = found.map(({ key }) => key);
  let unsigned = 0;
  for (const one of found.sort((a, b) => b.number - a.number || Number(b.ended) - Number(a.ended))) {
    if (!(await isProvenLease(storage, job, one.key, signal))) {
      unsigned += 1;
      if (unsigned < MOST_UNSIGNED) continue;
      throw new ProviderError(
        "CONFLICT",
        `${leaseFolder(job)} holds ${found.length} objects, and the newest ${unsigned} are forged.`,
        {
          fix: `Remove the folder ${leaseFolder(job)} from ${storage.description} while no run is going, and change the store's credentials.`,
        },
      );
    }
    return { keys, newest: one.number, held: !one.ended, renewed: one.modified };
  }
  return { keys, newest: 0, held: false, renewed: new Date(0) };
}

/** Whether a lease's object is signed, for the very place where it is. So is any where the job has no keys. */
export async function isProvenLease(
  storage: StorageProvider,
  job: JobName,
  key: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (job.keys === undefined) return true;
  try {
    const document = openSealed(key, (await readDocument(storage, key, signal)).toString("utf8"));
    return document.key === key && job.keys.fault(document) === undefined;
  } catch (error) {
    unusable(error);
    return false;
  }
}

/**
 * The lease that a run has; undefined where none has it. Whether that run is still going, only watching tells.
 *
 * @throws ProviderError what the store says to the listing
 */
export async function findLease(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): Promise<FoundLease | undefined> {
  const { newest, held, renewed } = await leaseIn(storage, job, signal);
  if (!held) return undefined;
  try {
    const { host, startedAt } = await readLease(storage, job, newest, signal);
    return { host, since: startedAt, renewed };
  } catch (caught) {
    if (signal.aborted) throw abortedError(signal);
    const error = toProviderError(caught);
    // It has ended since the listing.
    return error.code === "NOT_FOUND" ? undefined : { host: null, since: null, renewed, error };
  }
}

/** A lease for people. The time is what the run wrote, by its host's clock, which is compared with no other. */
export function describeLease({
  host,
  since,
  error,
}: Pick<FoundLease, "host" | "since"> & { readonly error?: { readonly message: string } }): string {
  if (host === null) return `a run has it; which one cannot be read: ${error?.message ?? ""}`;
  return `a run on the host ${JSON.stringify(host)} has it, since ${since ?? ""} by that host's clock`;
}

/**
 * What the object of a job's lease with a number says.
 *
 * @throws ProviderError what the store says; `INTEGRITY` or `CONFIG` where it says nothing that is known
 */
export async function readLease(
  storage: StorageProvider,
  job: JobName,
  number: number,
  signal: AbortSignal,
): Promise<LeaseDocument> {
  const key = leaseKey(job, number);
  const bytes = await readDocument(storage, key, signal);
  return unseal(key, bytes.toString("utf8"), LeaseDocument);
}

/** Names as strings of JSON: they may hold anything. */
export function describeHolder({ host, startedAt, validUntil }: LeaseDocument): string {
  return `on the host ${JSON.stringify(host)}, since ${startedAt}, valid until ${validUntil} unless it is renewed`;
}
