import type { Attributes } from "../../../providers/monitor/monitor.ts";
import type { Anomaly } from "../../backups/anomaly.ts";
import { EXIT, exitCodeOf } from "../../run/exit-codes.ts";
import type { FilesReport } from "../files/backup-files.ts";
import type { Manifest, ManifestObject } from "../../backups/documents/manifest.ts";
import type { PruneReport } from "../prune.ts";
import type { Verification } from "../verify.ts";
import { withFix } from "../../../providers/errors.ts";
import type { Destination } from "./destination.ts";
import { objectsIn, type RunState, type Draft } from "./state.ts";

/** How one destination fared. */
export interface DestinationReport {
  readonly destination: string;
  /** Whether it has the whole backup. */
  readonly stored: boolean;
  /** What was found there that needs a person and stopped nothing, one sentence each. Left out where there is none. */
  readonly warnings?: readonly string[];
  /** Undefined where verification was left out or did not finish. */
  readonly verification?: Verification;
  readonly prune?: PruneReport;
  /** What went wrong, in order. */
  readonly errors: readonly { readonly code: string; readonly message: string; readonly fix?: string }[];
}

/** What a run did. */
export interface BackupReport {
  readonly id: string;
  readonly status: "ok" | "partial" | "error";
  readonly exitCode: number;
  readonly seconds: number;
  readonly objects: readonly ManifestObject[];
  readonly omitted: Manifest["omitted"];
  /** What needs a person and stopped nothing: the server's clock is wrong. Left out where there is none. */
  readonly warnings?: readonly string[];
  /** What of the backup is far from usual for the job, what may be lost first. Left out where nothing is. */
  readonly anomalies?: readonly Anomaly[];
  /** Undefined for a job without files, and where none could be copied: {@link omitted} says why. */
  readonly files?: FilesReport;
  readonly destinations: readonly DestinationReport[];
}

/** What the run did, to be called at its end. */
export function reportOf(state: RunState, draft: Draft): BackupReport {
  const partial = isPartial(state, draft);
  return {
    id: draft.id,
    status: partial ? "partial" : "ok",
    exitCode: exitCode(state, partial),
    seconds: secondsOf(state),
    objects: objectsIn(draft),
    omitted: draft.omitted,
    ...(state.warnings.length > 0 && { warnings: state.warnings }),
    ...(state.anomalies.length > 0 && { anomalies: state.anomalies }),
    ...(draft.files && { files: draft.files.report }),
    destinations: state.destinations.map(reportDestination),
  };
}

/** A run's numbers, for telemetry. */
export function factsOf(report: BackupReport): Attributes {
  return {
    backup: report.id,
    seconds: report.seconds,
    bytes: report.objects.reduce((sum, { plain }) => sum + plain.size, 0),
    storedBytes: storedBytes(report.objects),
    destinations: report.destinations.filter(({ stored }) => stored).length,
    ...(report.anomalies && { anomalies: report.anomalies.length }),
    failedDestinations: report.destinations.filter(({ errors }) => errors.length > 0).length,
  };
}

/** Seconds since the run began. */
export function secondsOf({ launchedMs }: RunState): number {
  return (Date.now() - launchedMs) / 1000;
}

/** Bytes of objects as they are stored. */
export function storedBytes(objects: readonly ManifestObject[]): number {
  return objects.reduce((sum, { stored }) => sum + stored.size, 0);
}

function reportDestination({ description, stored, warnings, verification, prune, errors }: Destination) {
  return {
    destination: description,
    stored,
    ...(warnings.length > 0 && { warnings: warnings.map(withFix) }),
    ...(verification && { verification }),
    ...(prune && { prune }),
    errors: errors.map(({ code, message, fix }) => ({ code, message, ...(fix !== undefined && { fix }) })),
  };
}

function exitCode({ run: { signal }, destinations }: RunState, partial: boolean): number {
  // A signal that came when all was done changes nothing: monitors hear of a success, too.
  if (signal.aborted && partial) return exitCodeOf(signal.reason, EXIT.partial);
  if (destinations.some(({ verification }) => verification?.outcome === "damaged")) return EXIT.verification;
  return partial ? EXIT.partial : EXIT.done;
}

function isPartial({ destinations }: RunState, { files, incomplete }: Draft): boolean {
  const leftOut = files?.report.leftOut ?? [];
  return incomplete || leftOut.length > 0 || destinations.some(({ errors }) => errors.length > 0);
}
