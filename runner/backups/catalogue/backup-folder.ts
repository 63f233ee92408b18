import type { DatabaseIdentity } from "../../../providers/database/database.ts";
import type { ProviderError } from "../../../providers/errors.ts";
import type { DRILL } from "../../../providers/layout.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import type { OutcomeRecord } from "../documents/records.ts";
import type { SigningKeys } from "../documents/signing.ts";

/** Which database a backup is of, and which ones its job backed up before it moved, as a person has said. */
export interface BackedUpDatabase {
  readonly identity: DatabaseIdentity;
  readonly formerly: readonly DatabaseIdentity[];
}

/**
 * How a backup stands: `unfinished` has no manifest and is no backup; `foreign` has the manifest of another backup and is none
 * of this job; `unproven` has no signature of the job's keys, or a wrong one; `unreadable` has a manifest that this version does not know; `verified` and `damaged` tell the last
 * verification, and a manifest that is no backup's is `damaged`, too; `unverified` was never read back in full.
 */
export type BackupState = "unfinished" | "foreign" | "unproven" | "unreadable" | "unverified" | "verified" | "damaged";

/** How the newest drill of a backup ended, and when. */
export interface DrillOutcome {
  readonly outcome: (typeof DRILL)["good" | "bad"];
  readonly time: Date;
}

/** That a person keeps a backup. */
export interface Hold {
  /** What names it: the time in its record's name. */
  readonly id: string;
  readonly reason: string;
  /** When it was recorded; undefined where its record cannot be read, which keeps the backup, too. */
  readonly since: Date | undefined;
  /** When it ends by itself. Undefined: when it is released. */
  readonly until: Date | undefined;
}

/** That a backup is far from usual for its job. */
export interface Unusual {
  /** One sentence each. */
  readonly findings: readonly string[];
  /** Whether it has shrunk or lost rows: it takes the place of no other backup. */
  readonly suspicious: boolean;
  /** Why a person says that it is right as it is; undefined where nobody does. */
  readonly accepted: string | undefined;
}

/** A folder among a job's backups in one store, as its listing shows it. */
export interface ListedFolder {
  readonly id: string;
  /** Its key. */
  readonly folder: string;
  /** When it was begun, by the clock of the machine that made it. */
  readonly time: Date;
  /** Whether it has a manifest, without which it is no backup. */
  readonly whole: boolean;
  /** When it was last begun to be copied here from another store; undefined where it was made here. */
  readonly copied: Date | undefined;
  /** Bytes of all its files. */
  readonly size: number;
  readonly files: readonly StoredObject[];
}

/** A backup's folder in one store, after its manifest and records were read. */
export interface BackupFolder extends ListedFolder {
  readonly state: BackupState;
  /** What is wrong with a `foreign` one; undefined for all others. */
  readonly foreign?: ProviderError | undefined;
  /** What is wrong with an `unproven` one; undefined for all others. */
  readonly unproven?: ProviderError | undefined;
  /** Whether its manifest is signed; undefined where the job has no keys, or the manifest could not be read. */
  readonly signed?: boolean | undefined;
  /**
   * Whether what it says may decide anything: of a job with keys, only what is signed. What does not decide is listed, and neither its
   * names, times nor records count for other backups.
   */
  readonly decides: boolean;
  /** Which database it is of; undefined where the manifest does not say or could not be read. */
  readonly database?: BackedUpDatabase | undefined;
  /** Where it stands among the job's backups; see `order.ts`. */
  readonly order: number;
  /** Undefined where it was never drilled. */
  readonly drill: DrillOutcome | undefined;
  /** The holds on it that were not released, those that have ended by themselves too; the one that lasts longest first. */
  readonly holds?: readonly Hold[];
  /** What of it is far from usual for its job, and whether that may be a loss. Undefined where nothing is known to be. */
  readonly unusual?: Unusual | undefined;
  /** The records that were read to tell how it stands. */
  readonly records: readonly OutcomeRecord[];
  /** What of its manifest and records counts for nothing, and why, one sentence each. */
  readonly warnings: readonly string[];
}

/** What tells where a job's backups are, and which are its own. */
export interface JobName {
  readonly stack: string;
  readonly name: string;
  /** What signs its backups and tells them from forged ones. Left out for a job that signs nothing, and checks nothing. */
  readonly keys?: SigningKeys | undefined;
}
