import type { DatabaseProvider, RestoreOptions, RestoreReport } from "../../providers/database/database.ts";
import { ProviderError } from "../../providers/errors.ts";
import { backupKey } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { JobName } from "../backups/catalogue/backup-folder.ts";
import { readManifest } from "../backups/catalogue/catalogue.ts";
import { chooseBackup } from "../backups/catalogue/choose-backup.ts";
import { databaseObjects, type Manifest, type ManifestObject } from "../backups/documents/manifest.ts";
import { openConfirmed, prove, type ObjectSource } from "../backups/open-plain.ts";
import { Tally, type OnProgress } from "../backups/tally.ts";

/** What is restored, and into what. */
export interface RestoreRequest {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** A backup's id, or `latest`. */
  readonly id: string;
  readonly target: DatabaseProvider;
  readonly identity: FileKeySource | undefined;
  /** Which database of a backup of several. */
  readonly database?: string | undefined;
  /** Hears how much has been read of what is stored. */
  readonly progress?: OnProgress;
  /** Whether the pass that proves the stored bytes is left out: what is forged then acts before it is found out. */
  readonly trustStore: boolean;
  readonly options: Omit<RestoreOptions, "facts" | "prove">;
}

/** What a restore did, and from which backup. */
export interface Restored extends RestoreReport {
  readonly id: string;
  readonly from: string;
  /** The moment that the restored database shows. */
  readonly snapshotTime: string;
  /** What the backup itself left out or names as differing, and why. Left out where there is nothing. */
  readonly omitted?: Manifest["omitted"];
  readonly seconds: number;
}

/**
 * Restores a backup. All of it is read and compared with the manifest before the first byte is decoded, and compared with that reading
 * when it is read again to be restored.
 *
 * @throws ProviderError if the target is as it was before, or (a parallel restore) bears a name that says it is incomplete.
 */
export async function restore({
  storage,
  job,
  id,
  target,
  identity,
  database: wanted,
  progress,
  trustStore,
  options,
}: RestoreRequest): Promise<Restored> {
  const begun = performance.now();
  const { signal } = options;
  const backup = await chooseBackup(storage, job, id, signal);
  const manifest = await readManifest(storage, job, backup.id, signal);
  const { database } = manifest;
  const objects = ofDatabase(backup.id, databaseObjects(manifest), wanted);
  const size = objects.reduce((sum, { stored }) => sum + stored.size, 0);
  const tally = new Tally(trustStore ? size : 2 * size, progress);
  const sources = objects.map((object): ObjectSource => ({
    ...{ storage, key: backupKey(job, backup.id, object.file), object, fileKey: identity },
    passed: tally.object(),
  }));
  const artifacts = sources.map((source) => {
    const { artifact: name, format, plain } = source.object as ManifestObject;
    const passed = tally.object();
    const open = (abort: AbortSignal) => {
      if (trustStore || source.sums) return openConfirmed({ ...source, passed }, abort);
      throw new ProviderError("INTERNAL", `${name} was to be decoded before it was proven.`);
    };
    return { name, format, clientVersion: database.clientVersion, size: plain.size, open };
  });
  const flaky: string[] = [];
  let proving: Promise<void> | undefined;
  const proof = { prove: () => (proving ??= prove(sources, signal, (warning) => flaky.push(warning))) };
  const report = await target.restore(artifacts, {
    ...options,
    ...(!trustStore && proof),
    facts: { ...database, name: wanted ?? database.name },
  });
  return {
    id: backup.id,
    from: storage.description,
    snapshotTime: database.snapshotTime,
    ...(manifest.omitted.length > 0 && { omitted: manifest.omitted }),
    ...report,
    warnings: [...flaky, ...report.warnings],
    seconds: Math.round(performance.now() - begun) / 1000,
  };
}

/** The objects of one database, and those of the server. */
function ofDatabase(
  id: string,
  objects: readonly ManifestObject[],
  wanted: string | undefined,
): readonly ManifestObject[] {
  const names = objects.flatMap(({ database }) => database ?? []);
  if (names.length === 0 && wanted === undefined) return objects;
  if (wanted !== undefined && names.includes(wanted)) {
    return objects.filter(({ database }) => database === undefined || database === wanted);
  }
  const has = names.length === 0 ? "one database" : `the databases ${names.join(", ")}`;
  throw new ProviderError(
    "CONFIG",
    `${id} holds ${has}, and ${wanted === undefined ? "none is chosen" : `not ${wanted}`}.`,
    {
      fix: names.length === 0 ? "Leave --database out." : `Choose one: --database ${names[0] ?? ""}.`,
    },
  );
}
