import { ProviderError, toProviderError } from "../../../providers/errors.ts";
import type { FilesConfig } from "../../../providers/files/index.ts";
import { bucketIn } from "../../../providers/storage/index.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { FileKeySource } from "../../stream/age/decrypt.ts";
import { streamSettings, type DumpOptions } from "../../backups/dump.ts";
import type { Manifest, ManifestObject } from "../../backups/documents/manifest.ts";
import type { Run } from "../../run/run.ts";
import { copyFiles, type CopiedFiles, type CopyFilesOptions, type Lacking, type LeftOut } from "./copy-files.ts";
import type { FileEntry } from "./file-entry.ts";
import { knownFiles } from "./known-files.ts";
import type { Differences, Reconciliation } from "./reconciliation.ts";
import { writeIndexes } from "./write-indexes.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import { listContents } from "./file-pool.ts";

/**
 * The entries whose contents a store does not have, or not of the right size: somebody removed them since they were seen.
 */
async function vanished(
  storage: StorageProvider,
  job: JobName,
  entries: readonly FileEntry[],
  signal: AbortSignal,
): Promise<FileEntry[]> {
  if (entries.length === 0) return [];
  const expected = new Map(entries.map((entry) => [entry.object, entry]));
  for await (const { object, size } of listContents(storage, job, signal)) {
    if (expected.get(object)?.stored.size === size) expected.delete(object);
  }
  return [...expected.values()];
}

/** Why a backup leaves out a content that is {@link vanished}. */
function removedDuringRun(): ProviderError {
  return new ProviderError("NOT_FOUND", "Its content was removed from the store during the run.", {
    fix: "Make another backup, which copies it again, and find out what removes objects from the store.",
  });
}

/** What is needed to back up a job's files. */
interface BackupFilesOptions extends Pick<CopyFilesOptions, "stores" | "dropStore"> {
  readonly run: Run;
  readonly config: FilesConfig;
  /** The backup's id. */
  readonly id: string;
  /** Whether the run reads back what it has copied. */
  readonly verifies: boolean;
  /** What is known of the files from the database's snapshot; undefined where it keeps no account of files. */
  readonly reconciliation: Reconciliation | undefined;
  /** Called with the bytes that were stored so far. */
  readonly progress: (bytes: number) => void;
}

/** How the files of a backup fared. */
export interface FilesReport {
  /** Files that were copied now, and their size in bytes. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Files that an earlier backup had already. */
  readonly unchanged: number;
  /** How the files differ from the rows that the database has of them; undefined where it keeps no account of files. */
  readonly differences?: Differences;
  /** Buckets and files that the backup leaves out. */
  readonly leftOut: readonly {
    readonly bucket: string;
    readonly path?: string;
    /** The only destination that leaves it out; left out where all do. */
    readonly destination?: string;
    readonly code: string;
    readonly message: string;
    readonly fix?: string;
  }[];
}

/** The files of a backup, as one store has them. */
interface StoredFiles {
  readonly manifest: NonNullable<Manifest["files"]>;
  readonly index: ManifestObject;
}

/** The files of a backup. */
export interface FilesBackup {
  /** By the stores that have all of their part; at least one. They differ where one of them refused a file. */
  readonly stored: ReadonlyMap<StorageProvider, StoredFiles>;
  readonly report: FilesReport;
  /** The contents that earlier backups brought. */
  readonly reused: ReadonlySet<string>;
  readonly fileKeys: ReadonlyMap<string, FileKeySource>;
}

/**
 * Copies a job's files and writes the index of all of them.
 *
 * @throws ProviderError if the source cannot be reached at all, or no store is left.
 */
export async function backupFiles(options: BackupFilesOptions): Promise<FilesBackup> {
  const { run, config, id, verifies, stores, dropStore, reconciliation } = options;
  const { job, signal } = run;
  const source = await run.openFiles(config);
  try {
    const leftOut: LeftOut[] = [];
    const own = ownBuckets(run, config);
    const dumpOptions = dumpOptionsOf(options);
    const { recipients } = dumpOptions;
    const known = await knownFiles({ stores: stores(), job, recipients, verifies, dropStore, signal });
    if (stores().length === 0) throw new ProviderError("ABORTED", "No destination is left.");
    const copied = await copyFiles({
      source,
      job,
      buckets: config.buckets,
      except: own,
      parallel: config.parallel,
      known,
      stores,
      dropStore,
      seen: (file) => {
        reconciliation?.seen(file);
      },
      leftOut: (problem) => {
        leftOut.push(problem);
        const { bucket, path, storage, error } = problem;
        if (path !== undefined && storage === undefined && error.code === "NOT_FOUND")
          reconciliation?.gone({ bucket, path });
      },
      dump: dumpOptions,
    });
    const entries = copied.buckets.flatMap((bucket) => bucket.entries);
    const reused = new Set(entries.flatMap((entry) => (known.get(entry.id) === entry ? [entry.object] : [])));
    const lacking = await findLacking(options, copied, (problem) => leftOut.push(problem));
    const unlisted = leftOut.flatMap(({ bucket, path }) => (path === undefined ? [bucket] : []));
    const differences = reconciliation?.differences([...unlisted, ...own]);
    const { buckets } = copied;
    const indexes = await writeIndexes({ job, id, stores: stores(), dropStore, buckets, lacking, dump: dumpOptions });
    const stored = [...indexes].map(([storage, index]): [StorageProvider, StoredFiles] => {
      const counts = differences && { missing: differences.missing.length, orphaned: differences.orphaned.length };
      const manifest = { kind: source.kind, from: source.description, buckets: [...index.buckets], ...counts };
      return [storage, { manifest, index: index.object }];
    });
    return {
      stored: new Map(stored),
      report: {
        copied: copied.copied,
        copiedBytes: copied.copiedBytes,
        unchanged: reused.size,
        ...(differences && { differences }),
        leftOut: leftOut.map(({ error: { code, message, fix }, storage, ...where }) => ({
          ...where,
          ...(storage && { destination: storage.description }),
          code,
          message,
          ...(fix !== undefined && { fix }),
        })),
      },
      reused,
      fileKeys: copied.fileKeys,
    };
  } finally {
    await source.close();
  }
}

/** The buckets that hold this job's backups, which a job that names no buckets leaves out. */
function ownBuckets({ job, log }: Run, { buckets, url }: FilesConfig): string[] {
  if (buckets !== undefined) return [];
  const own = job.destinations.map((config) => bucketIn(url, config)).filter((bucket) => bucket !== undefined);
  for (const bucket of new Set(own)) {
    const how = "Name it in files.buckets to have it all the same.";
    log.write("info", `The files leave out the bucket ${bucket}: it is a destination of this job. ${how}`, { bucket });
  }
  return own;
}

/**
 * What single stores do not have: what they refused, and what was there during the run and is not any more. That is looked
 * for last of all, for a person may remove backups while files are copied.
 */
async function findLacking(
  { run: { job, signal }, stores, dropStore }: BackupFilesOptions,
  { buckets, refused }: CopiedFiles,
  leaveOut: (problem: LeftOut) => void,
): Promise<Lacking> {
  const lacking = new Map<StorageProvider, Set<FileEntry>>();
  const add = (storage: StorageProvider, entry: FileEntry) => {
    lacking.set(storage, (lacking.get(storage) ?? new Set()).add(entry));
  };
  for (const { storage, entry } of refused) add(storage, entry);
  for (const storage of stores()) {
    const refusedHere = lacking.get(storage) ?? new Set();
    const referred = buckets.flatMap(({ entries }) => entries.filter((entry) => !refusedHere.has(entry)));
    try {
      for (const entry of await vanished(storage, job, referred, signal)) {
        add(storage, entry);
        const bucket = buckets.find(({ entries }) => entries.includes(entry))?.bucket.name ?? "";
        // Only who has the key knows an encrypted name.
        leaveOut({ bucket, path: entry.file?.path ?? entry.object, storage, error: removedDuringRun() });
      }
    } catch (error) {
      if (signal.aborted) throw error;
      dropStore(storage, toProviderError(error));
    }
  }
  return lacking;
}

function dumpOptionsOf({ run: { job, signal }, progress }: BackupFilesOptions): DumpOptions<"sha256"> {
  let bytes = 0;
  return {
    ...streamSettings(job),
    plainSum: "sha256",
    signal,
    progress: () => undefined,
    measureUpload: async (store, upload) => {
      const stored = await upload();
      if (store > 0) return stored;
      bytes += stored.size;
      progress(bytes);
      return stored;
    },
  };
}
