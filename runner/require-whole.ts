import { ProviderError } from "../providers/errors.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import { backupKey, type JobName } from "./catalogue.ts";
import { contentKey, listContents } from "./files/file-pool.ts";
import type { ManifestObject } from "./manifest.ts";

/** What {@link requireWhole} looks for. */
interface WholeOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly id: string;
  /** The backup's own objects. */
  readonly objects: readonly Pick<ManifestObject, "file" | "stored">[];
  /** Contents of files, which it may share with other backups, with their sizes as stored. */
  readonly contents: ReadonlyMap<string, number>;
  readonly signal: AbortSignal;
}

/**
 * Looks whether a store still has all of a backup, before a manifest says so: a prune, a rule of the store or a person may
 * have taken something for a leftover while the backup was made.
 *
 * @throws ProviderError `TRANSIENT` where something is gone, `INTEGRITY` where its size is wrong.
 */
export async function requireWhole({ storage, job, id, objects, contents, signal }: WholeOptions): Promise<void> {
  const expected = new Map(objects.map(({ file, stored }) => [backupKey(job, id, file), stored.size]));
  if (contents.size > 0) {
    for (const [object, size] of contents) expected.set(contentKey(job, object), size);
    // There may be very many, and a listing tells a thousand at a time.
    for await (const { object, size } of listContents(storage, job, signal)) {
      const key = contentKey(job, object);
      if (expected.get(key) === size) expected.delete(key);
    }
  }
  for (const [key, size] of expected) await requireObject(storage, key, size, signal);
}

async function requireObject(storage: StorageProvider, key: string, size: number, signal: AbortSignal): Promise<void> {
  let found: number;
  try {
    found = (await storage.stat(key, { signal })).size;
  } catch (error) {
    if (!(error instanceof ProviderError && error.code === "NOT_FOUND")) throw error;
    throw new ProviderError("TRANSIENT", `Somebody removed ${key} from ${storage.description} while it was made.`, {
      cause: error,
      fix: "Look for a prune of an older version, a lifecycle rule or a person that removes young objects there, and run the backup again.",
    });
  }
  if (found === size) return;
  throw new ProviderError("INTEGRITY", `${key}: ${storage.description} has ${found} bytes of ${size}.`, {
    fix: "Look for what else writes there, and run the backup again.",
  });
}
