import { ProviderError } from "../../providers/errors.ts";
import { backupKey } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { JobName } from "../catalogue/backup-folder.ts";
import type { ManifestObject } from "../documents/manifest.ts";

/** What {@link requireWhole} looks for. */
interface WholeOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly id: string;
  /** The backup's own objects. Contents of files are looked for before their index is written. */
  readonly objects: readonly Pick<ManifestObject, "file" | "stored">[];
  readonly signal: AbortSignal;
}

/**
 * Checks that a store still has all of a backup, before a manifest says so: a prune, a rule of the store or a person may
 * have taken something for a leftover while the backup was made.
 *
 * @throws ProviderError `TRANSIENT` where something is gone, `INTEGRITY` where its size is wrong.
 */
export async function requireWhole({ storage, job, id, objects, signal }: WholeOptions): Promise<void> {
  for (const { file, stored } of objects) await requireObject(storage, backupKey(job, id, file), stored.size, signal);
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
