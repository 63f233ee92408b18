import { readable } from "../objectives.ts";
import type { JobReport, Objective } from "./report.ts";
import { when } from "./words.ts";

type Known = Pick<
  JobReport,
  "recoverable" | "recoveryPoint" | "proven" | "recoveryTime" | "timeZone" | "destinations" | "stack" | "job"
>;

/** The first line of a job: to when it is recoverable, when that was proven, and until when it is locked or held. */
export function headlineOf(job: Known): string {
  const { recoverable, recoveryPoint, proven, recoveryTime, timeZone } = job;
  const unread = job.destinations.filter(({ problem }) => problem !== null).length;
  const sentences = [
    recoverable
      ? `Recoverable to ${when(recoverable.time, timeZone)}, ${readable(recoverable.ageSeconds)} ago${against(recoveryPoint)}.`
      : "Not recoverable: no backup is verified and free of suspicion.",
    proven
      ? `Proven by a restore on ${when(proven.time, timeZone)}${proven.seconds === null ? "" : ` that took ${readable(proven.seconds)}`}${against(recoveryTime)}.`
      : "Not proven: no drill has restored a backup.",
    ...(recoverable ? [protectionOf(recoverable, timeZone)] : []),
    ...(unread === 0 ? [] : [`${unread} of ${job.destinations.length} destinations could not be read.`]),
  ];
  return sentences.join(" ");
}

/** Of several jobs, how many are recoverable, proven and within what they promise. */
export function headlineOfAll(jobs: readonly JobReport[]): string {
  const [first] = jobs;
  if (jobs.length === 1 && first) return first.headline;
  const count = (is: (job: JobReport) => boolean) => jobs.filter(is).length;
  const oldest = jobs.flatMap((job) => job.recoverable ?? []).sort((a, b) => b.ageSeconds - a.ageSeconds)[0];
  const late = jobs.filter(({ recoveryPoint, recoveryTime }) => !isMet(recoveryPoint) || !isMet(recoveryTime));
  return [
    `${count(({ recoverable }) => recoverable !== null)} of ${jobs.length} jobs are recoverable` +
      (oldest
        ? `, the one that is furthest behind to ${when(oldest.time, "UTC")}, ${readable(oldest.ageSeconds)} ago.`
        : "."),
    `${count(({ proven }) => proven !== null)} are proven by a restore.`,
    late.length === 0
      ? "No objective is missed."
      : `An objective is missed by ${late.map(({ stack, job }) => `${stack}/${job}`).join(", ")}.`,
  ].join(" ");
}

function isMet(objective: Objective | null): boolean {
  return objective?.met !== false;
}

function against(objective: Objective | null): string {
  if (objective === null) return "";
  return ` (objective ${readable(objective.objectiveSeconds)}: ${objective.met ? "met" : "MISSED"})`;
}

function protectionOf({ lockedUntil, hold }: NonNullable<Known["recoverable"]>, timeZone: string): string {
  const locked = lockedUntil === null ? [] : [`locked by the store until ${when(lockedUntil, timeZone)}`];
  const held = hold
    ? [hold.until === null ? "held until it is released" : `held until ${when(hold.until, timeZone)}`]
    : [];
  const ways = [...locked, ...held];
  return ways.length === 0 ? "Neither locked nor held." : `It is ${ways.join(" and ")}.`;
}
