import type { JobName } from "../../runner/backups/catalogue/backup-folder.ts";
import { seal } from "../../runner/backups/documents/sealed-json.ts";
import type { LeaseTimes } from "../../runner/backups/lease.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { fill, keysIn } from "./store.ts";

/** Times for tests: all stores' imitations answer within them. */
export const QUICK: LeaseTimes = {
  renewMs: 300,
  deadMs: 4_000,
  pollMs: 100,
  requestMs: 20_000,
  endMs: 10_000,
  settleMs: 300,
};

/** Stores what a run that was killed leaves of its lease, or one that is still going has of it. */
export function fillLease(storage: StorageProvider, job: JobName, number: number, changes: object = {}): Promise<void> {
  const document = {
    format: 1,
    owner: "another",
    host: "gone",
    program: "0.0.0",
    startedAt: "2026-01-01T00:00:00Z",
    validUntil: "2026-01-01T00:03:00Z",
    ...changes,
  };
  const name = String(number).padStart(10, "0");
  return fill(storage, [`${job.stack}/${job.name}/lease/${name}.json`], seal(document));
}

/** The names of a job's lease's objects, without their ending. */
export async function leaseNumbers(storage: StorageProvider, job: JobName): Promise<string[]> {
  const keys = await keysIn(storage, `${job.stack}/${job.name}/lease`);
  return keys.map((key) => key.slice(key.lastIndexOf("/") + 1, -".json".length));
}
