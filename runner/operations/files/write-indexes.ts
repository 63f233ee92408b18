import { Readable } from "node:stream";
import { ProviderError } from "../../../providers/errors.ts";
import { backupKey, FILE_INDEX } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import { dump, type DumpOptions } from "../../backups/dump.ts";
import type { Manifest, ManifestObject } from "../../backups/documents/manifest.ts";
import type { CopiedBucket, Lacking } from "./copy-files.ts";
import type { FileEntry } from "./file-entry.ts";

/** What the manifest says of a bucket. */
type BucketFacts = NonNullable<Manifest["files"]>["buckets"][number];

/** The files of a backup, as one store has them. */
export interface StoredIndex {
  readonly object: ManifestObject;
  readonly buckets: readonly BucketFacts[];
}

/** What {@link writeIndexes} works on. */
interface WriteIndexesOptions {
  readonly job: JobName;
  /** The backup's id. */
  readonly id: string;
  readonly stores: readonly StorageProvider[];
  /** Called when a store failed. */
  readonly dropStore: (storage: StorageProvider, error: ProviderError) => void;
  readonly buckets: readonly CopiedBucket[];
  readonly lacking: Lacking;
  readonly dump: DumpOptions<"sha256">;
}

/**
 * Writes the index of each store: those that have all contents share one, and one that lacks some has its own.
 *
 * @throws ProviderError if no store is left.
 */
export async function writeIndexes(options: WriteIndexesOptions): Promise<ReadonlyMap<StorageProvider, StoredIndex>> {
  const { stores, lacking } = options;
  const stored = new Map<StorageProvider, StoredIndex>();
  const complete = stores.filter((storage) => !lacking.has(storage));
  const groups = stores.flatMap((storage) => (lacking.has(storage) ? [[storage]] : []));
  for (const group of complete.length > 0 ? [complete, ...groups] : groups) {
    const [absent] = group.map((storage) => lacking.get(storage));
    for (const [storage, index] of await writeIndex(options, group, absent ?? new Set())) stored.set(storage, index);
  }
  if (stored.size === 0) throw new ProviderError("ABORTED", "No destination is left.");
  return stored;
}

async function writeIndex(
  { job, id, buckets, dropStore, ...options }: WriteIndexesOptions,
  stores: readonly StorageProvider[],
  absent: ReadonlySet<FileEntry>,
): Promise<[StorageProvider, StoredIndex][]> {
  const facts = buckets.map((bucket) => factsOf(bucket, absent));
  const lines = function* (): Generator<Buffer> {
    for (const { entries } of buckets) {
      for (const entry of entries) if (!absent.has(entry)) yield Buffer.from(`${JSON.stringify(entry)}\n`);
    }
  };
  const covers = [`the files of Storage: ${facts.reduce((sum, { files }) => sum + files, 0)}`];
  const { object, failures } = await dump(
    { ...FILE_INDEX, covers, open: () => Readable.from(lines()) },
    stores,
    (file) => backupKey(job, id, file),
    // Its lines are encrypted one by one where the job says so: what is unchanged is then known without the key.
    { ...options.dump, recipients: [] },
  );
  return stores.flatMap((storage, index) => {
    const failure = failures[index];
    if (failure) dropStore(storage, failure);
    return failure || object === undefined ? [] : [[storage, { object, buckets: facts }]];
  });
}

function factsOf({ bucket, entries, leftOut }: CopiedBucket, absent: ReadonlySet<FileEntry>): BucketFacts {
  const present = entries.filter((entry) => !absent.has(entry));
  const { allowedMimeTypes, ...settings } = bucket;
  return {
    ...settings,
    allowedMimeTypes: allowedMimeTypes && [...allowedMimeTypes],
    files: present.length,
    bytes: present.reduce((sum, { plain }) => sum + plain.size, 0),
    leftOut: leftOut === -1 ? -1 : leftOut + entries.length - present.length,
  };
}
