import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { isPruneMark, leaseFolder, pruneKey } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { timestamp } from "./catalogue/backup-id.ts";
import type { JobName } from "./catalogue/backup-folder.ts";
import { seal } from "./documents/sealed-json.ts";
import { PROGRAM } from "../version.ts";

/*
 * A hold and a prune of one backup see each other: each writes first and reads then. Prune writes a mark, looks for holds, removes the
 * manifests, and then the mark. Hold writes its record, waits until the marks that it finds are gone, and looks for the manifest.
 */

/** Milliseconds from a prune's mark to the removal of the last manifest, at most. */
export const PRUNE_MS = 60_000;

/** Writes the mark of a prune that is about to remove backups. Gives its key. */
export async function markPrune(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<string> {
  const at = new Date();
  const key = pruneKey(job, `${timestamp(at)}-${randomBytes(3).toString("hex")}`);
  const bytes = Buffer.from(seal({ format: 1, program: PROGRAM, at: at.toISOString() }));
  await storage.upload(key, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
  return key;
}

/** The keys of the marks that are there, and when the store got them, by its clock. */
export async function pruneMarks(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): Promise<Map<string, Date>> {
  const marks = new Map<string, Date>();
  for await (const { key, modified } of storage.list(leaseFolder(job), { signal })) {
    if (isPruneMark(key)) marks.set(key, modified);
  }
  return marks;
}
