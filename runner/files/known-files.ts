import type { StorageProvider } from "../../providers/storage/storage.ts";
import { listWhole, readManifest, type JobName } from "../catalogue.ts";
import type { FileEntry } from "./file-entry.ts";
import { fileIndexOf, readFileIndex } from "./file-index.ts";
import { listContents } from "./file-pool.ts";

/**
 * The files that need not be copied again, by their id: those whose content every store has under the same key, by its newest
 * backup with files and by its own listing. A content that one store lacks is copied to all of them anew, since one index
 * serves them all.
 *
 * It takes some 500 bytes of memory a file.
 */
export async function knownFiles(
  stores: readonly StorageProvider[],
  job: JobName,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FileEntry>> {
  const [first, ...others] = await Promise.all(stores.map((storage) => knownTo(storage, job, signal)));
  if (first === undefined) return new Map();
  for (const [id, { object }] of first) {
    if (others.some((known) => known.get(id)?.object !== object)) first.delete(id);
  }
  return first;
}

async function knownTo(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<Map<string, FileEntry>> {
  const known = new Map<string, FileEntry>();
  for (const { id } of (await listWhole(storage, job, signal)).reverse()) {
    const manifest = await readManifest(storage, job, id, signal);
    if (fileIndexOf(manifest) === undefined) continue;
    for await (const entry of readFileIndex({ storage, job, manifest }, signal)) known.set(entry.id, entry);
    break;
  }
  if (known.size > 0) await dropVanished(known, storage, job, signal);
  return known;
}

/** Leaves only entries whose content is still there, of the size that it should have. */
async function dropVanished(
  known: Map<string, FileEntry>,
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): Promise<void> {
  const sizes = new Map<string, number>();
  for await (const { object, size } of listContents(storage, job, signal)) sizes.set(object, size);
  for (const [id, { object, stored }] of known) {
    if (sizes.get(object) !== stored.size) known.delete(id);
  }
}
