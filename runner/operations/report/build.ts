import type { JobConfig } from "../../../providers/config.ts";
import { VERIFICATION } from "../../../providers/layout.ts";
import { parseDuration } from "../../../providers/fields/duration.ts";
import type { BackupFolder } from "../../backups/catalogue/backup-folder.ts";
import { describeFuture, fromFuture } from "../../backups/catalogue/future.ts";
import { byOrder } from "../../backups/catalogue/order.ts";
import { activeHolds, isHeld, isRuled, keptBy, type Kept } from "../../backups/catalogue/retention.ts";
import { isRecoverable, readable } from "../../backups/objectives.ts";
import { beforeAnyRun } from "../prune.ts";
import { PROGRAM } from "../../version.ts";
import { daysOf } from "./days.ts";
import { drillsOf } from "./drills.ts";
import type { StoreContents, ManifestFacts } from "./read-store.ts";
import type {
  BackupReport,
  Copy,
  DestinationReport,
  HoldReport,
  JobReport,
  Objective,
  Report,
  Recoverable,
} from "./report.ts";
import { when } from "./words.ts";

type Known = Pick<
  JobReport,
  "recoverable" | "recoveryPoint" | "proven" | "recoveryTime" | "timeZone" | "destinations" | "stack" | "job"
>;

/** The first line of a job: to when it is recoverable, when that was proven, and until when it is locked or held. */
function headlineOf(job: Known): string {
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
function headlineOfAll(jobs: readonly JobReport[]): string {
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

/**
 * The command that restores a backup into the empty database whose URL is in the variable TARGET_URL.
 *
 * @param file the job's file; undefined where the environment has the job
 * @param facts undefined where the manifest cannot be read
 */
function restoreCommand(
  job: Pick<JobConfig, "encryption">,
  file: string | undefined,
  { id, destinations: [first = 0] }: Pick<Recoverable, "id" | "destinations">,
  facts: Pick<ManifestFacts, "encrypted" | "databases"> | undefined,
): string {
  const lacksKey = facts?.encrypted === true && job.encryption?.identity === undefined;
  const [database] = facts?.databases ?? [];
  const words = [
    ...["provision", "restore", id],
    ...(file === undefined ? [] : ["--job", file]),
    ...(first === 0 ? [] : ["--destination", String(first)]),
    ...["--to", "env:TARGET_URL"],
    ...(lacksKey ? ["--identity", "file:identity.txt"] : []),
    ...(database === undefined ? [] : ["--database", database]),
  ];
  return words.map(word).join(" ");
}

/** A word as a POSIX shell takes it. */
function word(text: string): string {
  return /^[\w./:@=+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Sentences of one kind that are shown: a hostile folder may give any number. */
const SHOWN = 100;

/** What is known of a job before it is put together. */
export interface JobContents {
  readonly job: JobConfig;
  /** The file that the job was read from; undefined where the environment has it. */
  readonly file: string | undefined;
  readonly stores: readonly StoreContents[];
  readonly failed: readonly UnreadStore[];
}

/** A destination that could not be read. */
interface UnreadStore {
  readonly number: number;
  readonly description: string;
  /** Why, and how to fix it. */
  readonly problem: string;
}

/** A report on some jobs, as of a moment. */
export function buildReport(contents: readonly JobContents[], now: Date): Report {
  const jobs = contents.map((each) => buildJob(each, now));
  return { format: 1, program: PROGRAM, madeAt: now.toISOString(), headline: headlineOfAll(jobs), jobs };
}

/** One copy, with what its manifest and its store say. */
interface Found {
  readonly store: StoreContents;
  readonly backup: BackupFolder;
  readonly kept: Kept | null | undefined;
}

function buildJob({ job, file, stores, failed }: JobContents, now: Date): JobReport {
  const timeZone = job.schedule?.timezone ?? "UTC";
  const found = stores.flatMap((store) => {
    const own = store.backups.filter(({ state }) => state !== "foreign" && state !== "unproven");
    const keeps = job.retention && keptBy(own, job.retention, { timeZone });
    return own.map((backup): Found => {
      const kept = keeps && isRuled(backup) ? (keeps.get(backup) ?? null) : undefined;
      return { store, backup, kept };
    });
  });
  const byId = [...Map.groupBy(found, ({ backup }) => backup.id).values()].sort(([a], [b]) =>
    a && b ? byOrder(a.backup, b.backup) : 0,
  );
  const backups = byId.map(reportOf);
  const drills = drillsOf(found.map(({ backup }) => backup));
  const newest = byId.findLast((copies) => copies.some(({ backup }) => isRecoverable(backup)));
  const recoverable = newest && recoverableOf(newest, now);
  const lastDrill = drillsOf(found.flatMap(({ backup }) => (backup.decides ? [backup] : []))).find(({ ok }) => ok);
  const proven = lastDrill && {
    ...{ id: lastDrill.id, time: lastDrill.time },
    seconds: lastDrill.seconds?.restore ?? lastDrill.recoveryTime?.seconds ?? null,
  };
  const { days, missedSince } = daysOf({
    ...{ job, now, drills },
    backups: found.map(({ backup }) => backup),
    overBefore: beforeAnyRun(job, now),
  });
  const newestFacts = factsOf(byId.at(-1) ?? []);
  const point = objectiveOf(recoverable?.ageSeconds, job.objectives?.recoveryPoint);
  const time = objectiveOf(proven?.seconds ?? undefined, job.objectives?.recoveryTime);
  const known = {
    ...{ stack: job.stack, job: job.name, timeZone },
    schedule: job.schedule ?? null,
    recoverable: recoverable ?? null,
    recoveryPoint: point,
    proven: proven ?? null,
    recoveryTime: time,
    destinations: [...stores.map(destinationOf), ...failed.map(unreadable)].sort((a, b) => a.number - b.number),
    ...{ calendar: days, missedSince, backups, drills },
    omitted: newestFacts?.omitted ?? [],
    restore: newest && recoverable ? restoreCommand(job, file, recoverable, factsOf(newest)) : null,
    warnings: warningsOf(stores, now),
  };
  return { ...known, headline: headlineOf(known) };
}

/** Of several copies the facts are equal: those of the first whose manifest can be read. */
function factsOf(copies: readonly Found[]) {
  return copies.flatMap(({ store, backup }) => store.facts.get(backup.id) ?? [])[0];
}

function reportOf(copies: readonly Found[]): BackupReport {
  const [first] = copies;
  const facts = factsOf(copies);
  const unusual = copies.flatMap(({ backup }) => backup.unusual ?? []);
  return {
    id: first?.backup.id ?? "",
    time: (first?.backup.time ?? new Date(0)).toISOString(),
    seconds: facts?.seconds ?? null,
    storedBytes: facts?.storedBytes ?? null,
    plainBytes: facts?.plainBytes ?? null,
    suspicious: unusual.some(({ suspicious }) => suspicious),
    findings: [...new Set(unusual.flatMap(({ findings }) => findings))].slice(0, SHOWN),
    accepted: unusual.find(({ accepted }) => accepted !== undefined)?.accepted ?? null,
    copies: copies.map(copyOf),
  };
}

function copyOf({ store, backup, kept }: Found): Copy {
  const { id, state, signed, records } = backup;
  const readAt = records.filter(({ outcome }) => outcome === VERIFICATION.good).map(({ time }) => time.toISOString());
  return {
    destination: store.number,
    state,
    verifiedAt: state === "verified" ? (readAt.sort().at(-1) ?? null) : null,
    ...(signed !== undefined && { signed }),
    lockedUntil: store.locks.get(id)?.toISOString() ?? null,
    hold: holdsOf(backup)[0] ?? null,
    holds: holdsOf(backup),
    ...(kept !== undefined && { kept: kept && { reasons: kept.reasons, until: kept.until } }),
  };
}

function holdsOf(backup: BackupFolder): HoldReport[] {
  return activeHolds(backup).map(({ id, reason, since, until }) => ({
    ...{ id, reason, since: since?.toISOString() ?? null },
    until: until?.toISOString() ?? null,
  }));
}

function recoverableOf(copies: readonly Found[], now: Date): NonNullable<JobReport["recoverable"]> {
  const good = copies.filter(({ backup }) => isRecoverable(backup));
  const [first] = good;
  const time = first?.backup.time ?? now;
  const locks = good.flatMap(({ store, backup }) => store.locks.get(backup.id)?.toISOString() ?? []).sort();
  return {
    id: first?.backup.id ?? "",
    time: time.toISOString(),
    ageSeconds: Math.round((now.getTime() - time.getTime()) / 1000),
    destinations: good.map(({ store }) => store.number),
    lockedUntil: locks.at(-1) ?? null,
    hold: good.flatMap(({ backup }) => holdsOf(backup))[0] ?? null,
  };
}

function objectiveOf(seconds: number | undefined, promised: string | undefined): Objective | null {
  if (seconds === undefined || promised === undefined) return null;
  const objectiveSeconds = parseDuration(promised) / 1000;
  return { seconds, objectiveSeconds, met: seconds <= objectiveSeconds };
}

function destinationOf({ number, description, backups }: StoreContents): DestinationReport {
  const own = backups.filter(({ state }) => state !== "foreign" && state !== "unproven");
  const count = (is: (backup: BackupFolder) => boolean) => own.filter(is).length;
  return {
    ...{ number, description, problem: null, backups: own.length },
    verified: count(({ state }) => state === "verified"),
    damaged: count(({ state }) => state === "damaged"),
    suspicious: count(({ unusual }) => unusual?.suspicious === true),
    held: count(isHeld),
    bytes: own.reduce((sum, { size }) => sum + size, 0),
    oldest: own[0]?.time.toISOString() ?? null,
    newest: own.at(-1)?.time.toISOString() ?? null,
    recoverable: own.findLast(isRecoverable)?.time.toISOString() ?? null,
  };
}

function unreadable({ number, description, problem }: UnreadStore): DestinationReport {
  return {
    ...{ number, description, problem },
    ...{ backups: 0, verified: 0, damaged: 0, suspicious: 0, held: 0, bytes: 0 },
    ...{ oldest: null, newest: null, recoverable: null },
  };
}

function warningsOf(stores: readonly StoreContents[], now: Date): string[] {
  const all = stores.flatMap(({ description, backups }) => [
    ...backups.flatMap(({ foreign, unproven }) => foreign ?? unproven ?? []).map(({ message }) => message),
    ...backups.flatMap(({ warnings }) => warnings).map((warning) => `${description}: ${warning}`),
    ...fromFuture(backups, now).map((each) => describeFuture(each, now)),
  ]);
  const shown = all.slice(0, SHOWN);
  return all.length > SHOWN ? [...shown, `And ${all.length - SHOWN} more: see \`provision list\`.`] : shown;
}
