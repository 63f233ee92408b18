import { counted } from "../../../providers/fields/sizes.ts";
import type { Copy, DrillReport, JobReport } from "./report.ts";
import { describeKept, type Kept } from "../../backups/catalogue/retention.ts";

/** A job with its stack. */
export function nameOf({ stack, job }: Pick<JobReport, "stack" | "job">): string {
  return `${stack}/${job}`;
}

/** A moment as people write it, in a time zone: `2026-11-27 03:00 UTC`. */
export function when(time: string, timeZone: string): string {
  return `${minuteOf(time, timeZone)} ${timeZone}`;
}

/** The same without the zone, for columns. */
export function minuteOf(time: string, timeZone: string): string {
  // Swedish dates are those of ISO 8601.
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat("sv-SE", { ...SHOWN, timeZone });
  formats.set(timeZone, format);
  return format.format(new Date(time));
}

const SHOWN = {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
} as const;

const formats = new Map<string, Intl.DateTimeFormat>();

/** `94.2 s`, `26 min 5 s`: what a step took. */
export function took(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  return whole < 7200
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** How a copy stands, and until when and why it is kept. */
export function describeCopy(copy: Copy, suspicious: boolean, timeZone: string): string {
  const { state, kept, holds, lockedUntil, signed } = copy;
  const parts = [
    state === "verified" && suspicious ? "verified, suspicious" : state,
    ...(signed === false ? ["unsigned"] : []),
    ...(kept === undefined ? [] : keptInWords(kept, holds.length > 0)),
    ...holds.map(
      ({ until, reason }) => `held${until === null ? "" : ` until ${minuteOf(until, timeZone)}`}: ${reason}`,
    ),
    ...(lockedUntil === null ? [] : [`locked until ${minuteOf(lockedUntil, timeZone)}`]),
  ];
  return parts.join("; ");
}

/** The rules that keep a copy. What holds it is said on its own, with its end. */
function keptInWords(kept: Kept | null, held: boolean): string[] {
  if (kept === null) return ["goes at the next prune"];
  const reasons = kept.reasons.filter(({ rule }) => rule !== "held");
  if (reasons.length === 0) return [];
  return [`kept: ${describeKept({ reasons, until: held ? undefined : kept.until })}`];
}

/** What each step of a drill took. */
export function describeSteps({ seconds }: DrillReport): string[] {
  if (seconds === null) return ["not recorded"];
  const checks = seconds.checks === null ? [] : [`checks ${took(seconds.checks)}`];
  return [`restore ${took(seconds.restore)}`, `comparison ${took(seconds.compare)}`, ...checks];
}

/** The checks of a drill, one in a line. */
export function describeChecks({ checks }: DrillReport): string[] {
  return checks.map(({ name, ok, seconds }) => `${name}: ${ok ? "ok" : "FAILED"}, ${took(seconds)}`);
}

/** What a job's year was, in one sentence. */
export function describeYear({ calendar, schedule, missedSince }: JobReport): string {
  const sum = (field: "made" | "verified" | "drilled" | "drillFailed" | "missed") =>
    calendar.reduce((total, day) => total + day[field], 0);
  const missed = missedDays({ calendar });
  const absent =
    schedule === null
      ? "No schedule is known, so missed runs are not known either."
      : missedSince === null
        ? "There is no backup, so it is not known since when runs were due."
        : missed.length === 0
          ? `No run was missed since ${missedSince}, by the schedule of today.`
          : `${counted(sum("missed"), "run")} missed since ${missedSince}, by the schedule of today: ${missed.join(", ")}.`;
  return (
    `${counted(sum("made"), "backup")} of the last twelve months ${sum("made") === 1 ? "is" : "are"} there, ${sum("verified")} of them verified; ` +
    `${counted(sum("drilled"), "drill")} succeeded and ${sum("drillFailed")} failed. ${absent}`
  );
}

/** How many days are named one by one. */
const NAMED = 31;

/** The days on which runs were missed, the oldest first. */
function missedDays({ calendar }: Pick<JobReport, "calendar">): string[] {
  const days = calendar.filter(({ missed }) => missed > 0).map(({ date }) => date);
  return days.length > NAMED ? [...days.slice(0, NAMED), `and on ${counted(days.length - NAMED, "more day")}`] : days;
}
