import type { JobConfig } from "../../providers/config.ts";
import { parseDuration } from "../../providers/fields/duration.ts";
import { ProviderError } from "../../providers/errors.ts";
import type { BackupFolder } from "./catalogue/backup-folder.ts";

type Objectives = JobConfig["objectives"];

/** To when a job's data can be recovered, beside what the job promises. */
export interface RecoveryPoint {
  /** When the newest verified backup was begun; null where there is none. */
  readonly newest: string | null;
  /** Its age in seconds; null where there is none. */
  readonly seconds: number | null;
  /** How old it may be, in seconds. */
  readonly objectiveSeconds: number;
  readonly met: boolean;
}

/** The recovery point in a store; undefined for a job that promises none. */
export function recoveryPoint(
  objectives: Objectives,
  backups: readonly BackupFolder[],
  now = new Date(),
): RecoveryPoint | undefined {
  if (objectives?.recoveryPoint === undefined) return undefined;
  const objectiveSeconds = parseDuration(objectives.recoveryPoint) / 1000;
  const newest = backups.findLast(isRecoverable);
  if (newest === undefined) return { newest: null, seconds: null, objectiveSeconds, met: false };
  const seconds = Math.round((now.getTime() - newest.time.getTime()) / 1000);
  return { newest: newest.time.toISOString(), seconds, objectiveSeconds, met: seconds <= objectiveSeconds };
}

/** Whether a backup is one to recover to: proven, read in full, and without the suspicion that it has lost something. */
export function isRecoverable({
  state,
  decides,
  unusual,
}: Pick<BackupFolder, "state" | "decides" | "unusual">): boolean {
  return state === "verified" && decides && unusual?.suspicious !== true;
}

/** A recovery point as a sentence. */
export function describePoint({ newest, seconds, objectiveSeconds, met }: RecoveryPoint): string {
  const objective = `the objective is ${readable(objectiveSeconds)}`;
  if (newest === null || seconds === null)
    return `No backup is verified and not suspicious: nothing is proven, and ${objective}.`;
  return `Recoverable to ${newest}, ${readable(seconds)} ago; ${objective}${met ? "" : ": MISSED"}.`;
}

/** What a restore took, beside what the job promises. */
export interface RecoveryTime {
  /** Seconds that reading, decoding and restoring took. */
  readonly seconds: number;
  /** Seconds that they may take. */
  readonly objectiveSeconds: number;
  readonly met: boolean;
}

/** The recovery time that a drill has proven; undefined for a job that promises none. */
export function recoveryTime(objectives: Objectives, seconds: number | undefined): RecoveryTime | undefined {
  if (objectives?.recoveryTime === undefined || seconds === undefined) return undefined;
  const objectiveSeconds = parseDuration(objectives.recoveryTime) / 1000;
  return { seconds, objectiveSeconds, met: seconds <= objectiveSeconds };
}

/** That a restore took longer than the job promises. */
export function tooSlow(id: string, { seconds, objectiveSeconds }: RecoveryTime): ProviderError {
  return new ProviderError(
    "CONFLICT",
    `Restoring ${id} took ${readable(seconds)}, and the objective recoveryTime is ${readable(objectiveSeconds)}.`,
    { fix: "Restore with more jobs, on a faster server or closer to the store, or promise a longer recoveryTime." },
  );
}

/** Seconds as people say them: `94 s`, `45 min`, `18 h`, `3.5 days`. */
export function readable(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Number((seconds / 86_400).toFixed(1))} days`;
}
