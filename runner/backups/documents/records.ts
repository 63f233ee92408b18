import { ProviderError } from "../../../providers/errors.ts";
import * as layout from "../../../providers/layout.ts";
import { ANOMALY, DRILL, HOLD, VERIFICATION, type Trial } from "../../../providers/layout.ts";
import { parseTimestamp, timestamp } from "../catalogue/backup-id.ts";
import { isAhead } from "../catalogue/future.ts";
import { AnomalyRecord, DrillRecord, HoldRecord, VerificationRecord } from "./manifest.ts";
import { unseal } from "./sealed-json.ts";

/** What is recorded beside a backup. */
const TRIALS = [VERIFICATION, DRILL, HOLD, ANOMALY] as const;

/** How a verification or a drill ended, whether a person keeps the backup, or that it is far from usual. */
export type Outcome = (typeof TRIALS)[number]["good" | "bad"];

/** A record whose content is what its name says. */
export interface OutcomeRecord<O extends Outcome = Outcome> {
  readonly key: string;
  /** Its name in the backup's folder. */
  readonly name: string;
  readonly outcome: O;
  /** By the clock of the machine that wrote it, in whole seconds. */
  readonly time: Date;
  /** When the store got it, by the store's clock. */
  readonly modified: Date;
  /** The names of the records that it is later than; undefined where it does not say. */
  readonly after: readonly string[] | undefined;
  /** Why a person keeps the backup, and until when, or which holds a release ends; undefined for all other records. */
  readonly hold: Pick<HoldRecord, "reason" | "until" | "ends"> | undefined;
  /** What is far from usual; undefined for all other records. */
  readonly anomaly: Pick<AnomalyRecord, "anomalies" | "accepted"> | undefined;
  /** How a drill went; left out by all other records. */
  readonly drill?: DrillRecord;
}

/** The name of the file that records an outcome beside a backup. */
export function recordName(outcome: string, time: Date): string {
  return layout.recordName(outcome, timestamp(time));
}

/** The names of the records of verifications, drills, holds and anomalies among a backup's files. What they say counts only once it was read. */
export function recordsOf(names: Iterable<string>): string[] {
  return [...names].filter((name) =>
    TRIALS.some(({ good, bad }) => timeIn(name, good) !== undefined || timeIn(name, bad) !== undefined),
  );
}

/** The time in the name of a record of that outcome; undefined for any other file. */
export function timeIn(name: string, outcome: string): Date | undefined {
  const time = layout.recordTime(name, outcome);
  return time === undefined ? undefined : parseTimestamp(time);
}

/** Where a record was found, and when it got there. */
export interface RecordFile<O extends Outcome> {
  readonly key: string;
  readonly name: string;
  readonly outcome: O;
  readonly modified: Date;
}

/**
 * Reads a record.
 *
 * @throws ProviderError `INTEGRITY` where it is damaged, or is about another backup, outcome or time than its place and its
 * name say; `CONFIG` where it is of a newer version.
 */
export function parseRecord<O extends Outcome>(id: string, file: RecordFile<O>, bytes: Buffer): OutcomeRecord<O> {
  const { key, name, outcome } = file;
  const text = bytes.toString("utf8");
  const { record, at, ...content } = readRecord(key, text, outcome);
  if (record.id !== id || recordName(record.outcome, at) !== name) {
    throw new ProviderError("INTEGRITY", `${key} is a record of something else: of ${record.id}, ${record.outcome}.`);
  }
  return {
    ...file,
    time: timeIn(name, outcome) ?? at,
    after: record.after,
    hold: undefined,
    anomaly: undefined,
    ...content,
  };
}

function readRecord(key: string, text: string, outcome: Outcome) {
  switch (outcome) {
    case VERIFICATION.good:
    case VERIFICATION.bad: {
      const record = unseal(key, text, VerificationRecord);
      return { record, at: new Date(record.checkedAt) };
    }
    case DRILL.good:
    case DRILL.bad: {
      const record = unseal(key, text, DrillRecord);
      return { record, at: new Date(record.drilledAt), drill: record };
    }
    case HOLD.good:
    case HOLD.bad: {
      const record = unseal(key, text, HoldRecord);
      return { record, at: new Date(record.recordedAt), hold: record };
    }
    case ANOMALY.good:
    case ANOMALY.bad: {
      const record = unseal(key, text, AnomalyRecord);
      return { record, at: new Date(record.recordedAt), anomaly: record };
    }
  }
}

/**
 * Which record tells how a backup stands: a bad outcome stands until a good one is provably later, and then the newest good
 * one. The records themselves say which is later, by naming those that were there before them; clocks do not.
 */
export function standing<O extends Outcome>(
  records: readonly OutcomeRecord<O>[],
  { bad }: Trial,
): OutcomeRecord<O> | undefined {
  const bads = records.filter(({ outcome }) => outcome === bad);
  const goods = records.filter(({ outcome }) => outcome !== bad);
  const unrefuted = bads.filter((found) => !goods.some((other) => isLater(other, found)));
  return (unrefuted.length > 0 ? unrefuted : goods).reduce<OutcomeRecord<O> | undefined>(
    (newest, record) => (newest === undefined || record.time > newest.time ? record : newest),
    undefined,
  );
}

/**
 * Whether a good outcome was provably found after a bad one. Of two records of version 0.1.0, which say nothing but their
 * times, the clock is believed unless the store's, or this machine's, says that it was ahead.
 */
export function isLater(good: OutcomeRecord, bad: OutcomeRecord): boolean {
  if (good.after !== undefined) return good.after.includes(bad.name);
  if (bad.after !== undefined) return false;
  return good.time > bad.time && !isAhead(good.time, good.modified) && !isAhead(good.time, new Date());
}
