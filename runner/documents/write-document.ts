import { Readable } from "node:stream";
import type { StorageProvider, StoredObject } from "../../providers/storage/storage.ts";
import type { JobName } from "../catalogue/backup-folder.ts";
import { DOCUMENT, requireWithin } from "./document-bounds.ts";
import { seal } from "./sealed-json.ts";

/**
 * Stores a sealed document of a job under a key, signed where the job has keys, and returns what the store says of it. `CONFIG` where it is larger than what is read
 * again.
 */
export async function writeDocument(
  { storage, job }: { readonly storage: StorageProvider; readonly job: Pick<JobName, "keys"> },
  key: string,
  document: object,
  signal: AbortSignal,
): Promise<StoredObject> {
  const text = seal(document, job.keys);
  requireWithin(key, text, DOCUMENT, "Divide the database's schemas among several jobs, with include and exclude.");
  const bytes = Buffer.from(text);
  return storage.upload(key, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
}
