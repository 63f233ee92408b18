import type { DatabaseBackup } from "../../../providers/database/database.ts";
import { backupKey, MANIFEST } from "../../../providers/layout.ts";
import { formatOf, type Manifest, type ManifestObject } from "../../backups/documents/manifest.ts";
import { PROGRAM } from "../../version.ts";
import { writeDocument } from "../../backups/documents/write-document.ts";
import { fail, type Live } from "./destination.ts";
import { confirmLeases, requireLeases } from "./leases.ts";
import { checkClock, objectsIn, type RunState, type Draft } from "./state.ts";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";

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
async function requireWhole({ storage, job, id, objects, signal }: WholeOptions): Promise<void> {
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

/** Writes the manifest, which makes the folder a backup. A failure is the destination's alone. */
export async function commit(
  state: RunState,
  draft: Draft,
  destination: Live,
  facts: DatabaseBackup["facts"],
): Promise<void> {
  const { job, signal } = state.run;
  const { storage } = destination;
  const { id } = draft;
  const manifest = manifestFor(state, draft, destination, facts);
  try {
    await state.trace.step("commit", destination.facts, async () => {
      await requireWhole({ storage, job, id, objects: manifest.objects, signal });
      const held = AbortSignal.any([signal, await confirmLeases(destination)]);
      const askedMs = Date.now();
      const { storeTime } = await writeDocument({ storage, job }, backupKey(job, id, MANIFEST), manifest, held);
      // It stays, and is not called a backup: who has the lease now may have taken its objects for leftovers.
      requireLeases(destination);
      checkClock(state, storeTime, askedMs, destination);
    });
    destination.stored = true;
    destination.manifest = manifest;
  } catch (error) {
    fail(state.trace, "commit", destination, error);
  }
}

function manifestFor(
  { run: { job } }: RunState,
  draft: Draft,
  destination: Live,
  { snapshotTime, tables, roles, locales, ...database }: DatabaseBackup["facts"],
): Manifest {
  const files = draft.files?.stored.get(destination.storage);
  const objects = objectsIn(draft, destination);
  return {
    format: formatOf(objects),
    id: draft.id,
    stack: job.stack,
    job: job.name,
    program: PROGRAM,
    startedAt: draft.startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    order: draft.order,
    database: {
      kind: job.database.kind,
      ...database,
      ...(locales && { locales: [...locales] }),
      ...(draft.formerly.length > 0 && { formerly: [...draft.formerly] }),
      snapshotTime: snapshotTime.toISOString(),
      tables: [...tables],
      roles: [...roles],
    },
    objects,
    ...(files && { files: files.manifest }),
    omitted: draft.omitted,
    recipients: job.encryption?.recipients ?? [],
  };
}
