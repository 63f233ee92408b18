import type { DatabaseBackup } from "../../providers/database/database.ts";
import { backupKey, MANIFEST } from "../../providers/layout.ts";
import { formatOf, type Manifest } from "../documents/manifest.ts";
import { PROGRAM } from "../version.ts";
import { writeDocument } from "../documents/write-document.ts";
import { fail, type Live } from "./destination.ts";
import { confirmLeases, requireLeases } from "./leases.ts";
import { requireWhole } from "./require-whole.ts";
import { checkClock, objectsIn, type RunState, type Draft } from "./state.ts";

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
