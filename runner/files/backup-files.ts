import { Readable } from "node:stream";
import { ProviderError } from "../../providers/errors.ts";
import type { FilesConfig } from "../../providers/files/index.ts";
import type { FileKeySource } from "../age/decrypt.ts";
import { backupKey } from "../catalogue.ts";
import { dump, type DumpOptions } from "../dump.ts";
import type { Manifest, ManifestObject } from "../manifest.ts";
import type { Run } from "../run.ts";
import { copyFiles, type CopyFilesOptions, type LeftOut } from "./copy-files.ts";
import { FILE_INDEX } from "./file-index.ts";
import { knownFiles } from "./known-files.ts";
import type { Differences, Reconciliation } from "./reconciliation.ts";

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
  /** Is told the bytes that were stored so far. */
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
  /** Buckets and files that the backup goes without. */
  readonly leftOut: readonly {
    readonly bucket: string;
    readonly path?: string;
    readonly code: string;
    readonly message: string;
    readonly fix?: string;
  }[];
}

/** The files of a backup. */
export interface FilesBackup {
  readonly manifest: NonNullable<Manifest["files"]>;
  /** The index, as every store has it. */
  readonly index: ManifestObject;
  readonly report: FilesReport;
  /** The contents of all files, old and new, with their sizes as stored. */
  readonly contents: ReadonlyMap<string, number>;
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
    const dumpOptions = dumpOptionsOf(options);
    const { recipients } = dumpOptions;
    const known = await knownFiles({ stores: stores(), job, recipients, verifies, dropStore, signal });
    if (stores().length === 0) throw new ProviderError("ABORTED", "No destination is left.");
    const copied = await copyFiles({
      source,
      job,
      buckets: config.buckets,
      parallel: config.parallel,
      known,
      stores,
      dropStore,
      seen: (file) => {
        reconciliation?.seen(file);
      },
      leftOut: (problem) => leftOut.push(problem),
      dump: dumpOptions,
    });
    const lines = () => Readable.from(copied.entries.map((entry) => Buffer.from(`${JSON.stringify(entry)}\n`)));
    const live = stores();
    const { object, failures } = await dump(
      { ...FILE_INDEX, covers: [`the files of Storage: ${copied.entries.length}`], open: lines },
      live,
      (file) => backupKey(job, id, file),
      // Its lines are encrypted one by one where the job says so: what is unchanged can then be told without the key.
      { ...dumpOptions, recipients: [] },
    );
    for (const [index, failure] of failures.entries()) {
      const storage = live[index];
      if (failure && storage) dropStore(storage, failure);
    }
    if (object === undefined) throw failures[0] ?? new ProviderError("ABORTED", "No destination is left.");
    const reused = new Set(copied.entries.flatMap((entry) => (known.get(entry.id) === entry ? [entry.object] : [])));
    const unlisted = leftOut.flatMap(({ bucket, path }) => (path === undefined ? [bucket] : []));
    const differences = reconciliation?.differences(unlisted);
    return {
      manifest: {
        kind: source.kind,
        from: source.description,
        buckets: copied.buckets.map(toManifest),
        ...(differences && { missing: differences.missing.length, orphaned: differences.orphaned.length }),
      },
      index: object,
      report: {
        copied: copied.copied,
        copiedBytes: copied.copiedBytes,
        unchanged: reused.size,
        ...(differences && { differences }),
        leftOut: leftOut.map(({ error: { code, message, fix }, ...where }) => ({
          ...where,
          code,
          message,
          ...(fix === undefined ? {} : { fix }),
        })),
      },
      contents: new Map(copied.entries.map(({ object: content, stored }) => [content, stored.size])),
      reused,
      fileKeys: copied.fileKeys,
    };
  } finally {
    await source.close();
  }
}

function dumpOptionsOf({ run: { job, signal }, progress }: BackupFilesOptions): DumpOptions {
  let bytes = 0;
  return {
    level: job.compression.level,
    recipients: job.encryption?.recipients ?? [],
    // Three quarters: see the dump of the database.
    patienceMs: Math.min(...job.destinations.map((config) => config.stallTimeoutSeconds)) * 750,
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

function toManifest({ allowedMimeTypes, ...bucket }: Awaited<ReturnType<typeof copyFiles>>["buckets"][number]) {
  return { ...bucket, allowedMimeTypes: allowedMimeTypes === null ? null : [...allowedMimeTypes] };
}
