import pMap from "p-map";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { counted } from "../../../providers/fields/sizes.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import type { Manifest } from "../../backups/documents/manifest.ts";
import type { FileEntry } from "./file-entry.ts";
import { readFileIndex } from "./file-index.ts";
import { contentKey, listContents } from "./file-pool.ts";

/** Contents that are copied at the same time. */
const PARALLEL = 8;

/** A job's backups in a store. */
interface Place {
  readonly storage: StorageProvider;
  readonly job: JobName;
}

/** What is copied, and how. */
interface CopyContentsOptions {
  readonly from: Place;
  readonly to: Place;
  readonly manifest: Manifest;
  /** Copies the bytes under one key to another, compared with what they should be. */
  readonly copyBytes: (entry: FileEntry, fromKey: string, toKey: string) => Promise<void>;
  /** Called with what is there already. */
  readonly keep: (entry: FileEntry) => void;
  readonly signal: AbortSignal;
}

/**
 * Copies the contents of a backup's files that another store lacks. One that is there, of the right size, is kept: contents
 * are written whole and never replaced.
 *
 * @throws ProviderError `TRANSIENT` where some of them were removed since
 */
export async function copyContents(options: CopyContentsOptions): Promise<{ copied: number; kept: number }> {
  const { from, to, manifest, signal } = options;
  const done = { copied: 0, kept: 0 };
  const before = await sizesIn(to, signal);
  const wanted = new Map<string, number>();
  const one = async (entry: FileEntry): Promise<void> => {
    const { object, stored } = entry;
    wanted.set(object, stored.size);
    const key = contentKey(to.job, object);
    const size = before.get(object);
    if (size === stored.size) {
      done.kept += 1;
      options.keep(entry);
      return;
    }
    if (size !== undefined) await to.storage.remove([key], { signal });
    await options.copyBytes(entry, contentKey(from.job, object), key);
    done.copied += 1;
  };
  await pMap(readFileIndex({ ...from, manifest }, signal), one, { concurrency: PARALLEL });
  if (wanted.size === 0) return done;
  // A prune may have taken what was there, if no other backup needed it any more.
  const after = await sizesIn(to, signal);
  const gone = [...wanted].filter(([object, size]) => after.get(object) !== size).length;
  if (gone === 0) return done;
  throw new ProviderError(
    "TRANSIENT",
    `Somebody removed ${counted(gone, "file")} of ${manifest.id} from ${to.storage.description} while it was copied.`,
    {
      fix: "Copy it again; what is still there is kept.",
    },
  );
}

async function sizesIn({ storage, job }: Place, signal: AbortSignal): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { object, size } of listContents(storage, job, signal)) sizes.set(object, size);
  return sizes;
}
