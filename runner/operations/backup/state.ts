import type { DatabaseIdentity, TableRows } from "../../../providers/database/database.ts";
import { ProviderError, withFix } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { compareClock } from "../../../providers/clock.ts";
import type { Anomaly } from "../../backups/anomaly.ts";
import type { FileKeySource } from "../../stream/age/decrypt.ts";
import type { FilesBackup } from "../files/backup-files.ts";
import type { Manifest, ManifestObject } from "../../backups/documents/manifest.ts";
import type { Run } from "../../run/run.ts";
import { warn, type Destination, type Live } from "./destination.ts";
import type { Trace } from "./trace.ts";

/** What a person may choose for a run. */
export interface BackupChoices {
  readonly verify: boolean;
  readonly prune: boolean;
  /** The database has moved: it is the one of the existing backups, although it looks like another. */
  readonly adopt: boolean;
}

/** What all steps of a run share. */
export interface RunState {
  readonly run: Run;
  readonly choices: BackupChoices;
  readonly trace: Trace;
  /** When the run began, in milliseconds since 1970. */
  readonly launchedMs: number;
  /** Empty until they are opened. */
  destinations: readonly Destination[];
  /** Warnings that concern no single destination. */
  readonly warnings: string[];
  /** The job's last backups in the first destination that has any, as the run found them, the newest last. */
  earlier: Earlier | undefined;
  /** What of the backup is far from usual. */
  anomalies: readonly Anomaly[];
  /** Decides what of the backup is far from usual, where that needs the rows of its archive; by estimates where they are left out. */
  decide?: ((rows?: readonly TableRows[]) => Promise<void>) | undefined;
}

/** Backups of a job in one destination. */
interface Earlier {
  readonly storage: StorageProvider;
  readonly ids: readonly string[];
}

/** The backup that a run makes. */
export interface Draft {
  readonly id: string;
  readonly startedAt: Date;
  /** Place among the job's backups; see {@link Manifest}. */
  order: number;
  /** Databases that the job backed up before its own moved. */
  formerly: readonly DatabaseIdentity[];
  /** The database's objects, as every destination has them. */
  readonly objects: ManifestObject[];
  readonly omitted: Manifest["omitted"];
  /** Whether an artifact, or all files, are missing because they failed, and not because the role may not read them. */
  incomplete: boolean;
  /** Keys of encrypted objects: with them, a run verifies what nobody on this machine can decrypt later. */
  readonly fileKeys: Map<string, FileKeySource>;
  /** Undefined for a job without files, and where none could be copied. */
  files: FilesBackup | undefined;
}

/** Whether the run reads its backup back. */
export function verifies({ run, choices }: RunState): boolean {
  return choices.verify && run.job.verify;
}

/** Leaves an artifact out of the backup. */
export function omit({ trace }: RunState, draft: Draft, artifact: string, reason: string): void {
  draft.omitted.push({ artifact, reason });
  trace.warn(`The backup leaves out ${artifact}: ${reason}`, { artifact });
}

/** The backup's objects in a destination; without one, in the first that has the files. */
export function objectsIn({ objects, files }: Draft, destination?: Live): ManifestObject[] {
  const stored = destination ? files?.stored.get(destination.storage) : files?.stored.values().next().value;
  return [...objects, ...(stored ? [stored.index] : [])];
}

/**
 * Warns of another clock that differs from this machine's. The backup goes on.
 *
 * @param said what the clock said; undefined where it is not known
 * @param askedMs when it was asked, by this machine's clock; the answer is there by now
 * @param destination the store whose clock it is; left out for the database server's
 */
export function checkClock(state: RunState, said: Date | undefined, askedMs: number, destination?: Live): void {
  if (said === undefined) return;
  const which = destination ? "The store's clock" : "The server's clock";
  const { detail, fix } = compareClock(which, said, askedMs, Date.now());
  if (fix === undefined) return;
  const warning = new ProviderError("CONFIG", `${detail}.`, { fix });
  if (destination) {
    warn(state.trace, destination, warning);
  } else {
    state.warnings.push(withFix(warning));
    state.trace.warn(withFix(warning));
  }
}
