import { z } from "zod";
import { leaseFolder, leaseKey, leaseNumber } from "../providers/layout.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import type { JobName } from "./catalogue/backup-folder.ts";
import { readDocument } from "./catalogue/catalogue.ts";
import { unseal } from "./documents/sealed-json.ts";

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
  /** 0 where there has been none. */
  readonly newest: number;
  /** Whether a run has the newest, as far as a listing tells. */
  readonly held: boolean;
}

/**
 * What a listing shows of a job's lease.
 *
 * @throws ProviderError what the store says
 */
export async function leaseIn(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<ShownLease> {
  const keys: string[] = [];
  const ended = new Set<number>();
  let newest = 0;
  for await (const { key } of storage.list(leaseFolder(job), { signal })) {
    const found = leaseNumber(key);
    if (found === undefined) continue;
    keys.push(key);
    newest = Math.max(newest, found.number);
    if (found.ended) ended.add(found.number);
  }
  return { keys, newest, held: newest > 0 && !ended.has(newest) };
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
