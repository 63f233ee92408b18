import { Readable } from "node:stream";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import type { JobName } from "../catalogue/backup-folder.ts";
import { DOCUMENT, requireWithin } from "./document-bounds.ts";
import { sealInPieces } from "./sealed-json.ts";

/**
 * Stores a sealed document of a job under a key, signed where the job has keys, and returns what the store says of it.
 *
 * @throws ProviderError `CONFIG` where it is larger than what is read again
 */
export async function writeDocument(
  { storage, job }: { readonly storage: StorageProvider; readonly job: Pick<JobName, "keys"> },
  key: string,
  document: object,
  signal: AbortSignal,
): Promise<StoredObject> {
  const chunks: Buffer[] = [];
  requireWithin(
    key,
    keptIn(chunks, sealInPieces(document, job.keys)),
    DOCUMENT,
    "Divide the database's schemas among several jobs, with include and exclude.",
  );
  const sizeEstimate = chunks.reduce((sum, { length }) => sum + length, 0);
  return storage.upload(key, Readable.from(chunks), { signal, sizeEstimate });
}

function* keptIn(chunks: Buffer[], pieces: Iterable<string>): Generator<string> {
  for (const piece of pieces) {
    chunks.push(Buffer.from(piece));
    yield piece;
  }
}
