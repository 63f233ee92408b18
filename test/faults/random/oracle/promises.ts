import type { Ended } from "../invocation.ts";
import type { JudgedBackup } from "./judge.ts";

/** Each promise that a run can break, in words. docs/promises.md has them all. */
export const PROMISES = [
  "every command ends in time",
  "exit codes are those that are documented",
  "0 means a good new backup in every destination",
  "3 means a good new backup in some destination",
  "a failure says why",
  "no defect ends a command",
  "monitors hear the end of every run",
  "no secret is shown",
  "no row is shown",
  "no secret is at rest in plain",
  "no row of an encrypted backup is at rest in plain",
  "a manifest means a whole backup",
  "only good backups are called verified",
  "no good backup is called damaged",
  "good backups stay as the retention rule says",
  "verify tells the truth",
  "list tells the truth",
  "a restore is whole or nothing",
  "a drill leaves nothing behind",
  "the next run succeeds",
  "nothing is left behind",
  "no process outlives its command",
  "no session or lock outlives its command",
  "memory is bounded",
  "files are for their owner alone",
  "no unproven byte acts",
  "what is not proven decides nothing",
  "odd settings change no backup and no restore",
  "no foreign code runs as the backup role",
  "restored code has no right that it had not at the source",
  "a run that has lost its lease changes nothing",
  "a backup that hold calls held is still there",
] as const;
export type PromiseName = (typeof PROMISES)[number];

/** A promise that was broken, and how. */
export interface Broken {
  readonly promise: PromiseName;
  readonly detail: string;
}

/** What a store holds at a moment. */
export interface StoreState {
  readonly backups: readonly JudgedBackup[];
  /** Names of uploads that are no objects yet. */
  readonly unfinished: readonly string[];
}

/** The codes that `provision --help` names. */
const CODES = [0, 1, 2, 3, 4, 5, 6, 130, 143];

/** Most memory that any command may take, in KiB: a backup's is under 180 MB, and this is for commands of every kind. */
const MEMORY_KB = 400_000;

/**
 * What holds for every command, however it was struck.
 *
 * @param sent the signal that the harness sent to the runner itself, if it did
 */
export function checkEnd(ended: Ended, sent?: NodeJS.Signals): Broken[] {
  const { args, code, signal, stdout, stderr, hung, stuck, seconds, tree } = ended;
  const name = args[0] ?? "";
  if (hung)
    return [{ promise: "every command ends in time", detail: `${name} after ${seconds.toFixed(0)} s: ${stuck}` }];
  const broken: Broken[] = [];
  // The watchdog is a net: what falls into it did not end by itself.
  if (sent !== "SIGSTOP" && stderr.includes("It was ended by force")) {
    broken.push({ promise: "every command ends in time", detail: `${name}: ${lastLines(stderr)}` });
  }
  if (tree.peakKb > MEMORY_KB) broken.push({ promise: "memory is bounded", detail: `${name}: ${tree.peakKb} KiB` });
  // Right after its start a program ends by a signal without a say in it, as it always does by SIGKILL.
  if (signal !== null && signal === sent) return broken;
  if (code === null || !CODES.includes(code)) {
    broken.push({
      promise: "exit codes are those that are documented",
      detail: `${name} ended with ${String(code ?? signal)}; ${lastLines(stderr)}`,
    });
  }
  // The outcome of a verification or a drill is a result, and so are destinations that failed.
  const isResult = (code === 3 || code === 5) && stdout.trim() !== "";
  if (code !== 0 && !isResult && !saysWhy(stderr)) {
    broken.push({ promise: "a failure says why", detail: `${name} ended with ${String(code)}: ${lastLines(stderr)}` });
  }
  if (/^ {4}at .*:\d+:\d+\)?$/m.test(stderr) || /uncaughtException|unhandledRejection/.test(stderr + stdout)) {
    broken.push({ promise: "no defect ends a command", detail: `${name}: ${lastLines(stderr, 12)}` });
  }
  return broken;
}

/** What a backup's end must mean, by what the stores hold before and after it. Harmed backups are those we damaged. */
export function checkBackup(
  { code }: Pick<Ended, "code">,
  before: readonly StoreState[],
  after: readonly StoreState[],
  harmed: ReadonlySet<string>,
): Broken[] {
  const made = after.map(({ backups }, index) => {
    const older = new Set(before[index]?.backups.filter(({ hasManifest }) => hasManifest).map(({ id }) => id));
    return backups.filter(({ id, hasManifest }) => hasManifest && !older.has(id));
  });
  if (code === 0) {
    return made.flatMap((backups, index): Broken[] => {
      const good = backups.some(
        (backup) =>
          harmed.has(`${index}/${backup.id}`) ||
          (isGood(backup) && backup.lacks.length === 0 && newestVerdict(backup) === "verified"),
      );
      const older = new Set(before[index]?.backups.map(({ id }) => `${index}/${id}`));
      const harmedNew = [...harmed].some((each) => each.startsWith(`${index}/`) && !older.has(each));
      if (good || harmedNew) return [];
      const detail = `destination ${index}: ${backups.map(describe).join("; ") || "no new backup"}`;
      return [{ promise: "0 means a good new backup in every destination", detail }];
    });
  }
  if (code === 3 && harmed.size === 0 && !made.flat().some(isGood)) {
    const detail = made.flat().map(describe).join("; ") || "no new backup";
    return [{ promise: "3 means a good new backup in some destination", detail }];
  }
  return [];
}

/** What the names in a store say of its backups. @param mayBeUnsound whether bytes may have been changed on their way */
export function checkVerdicts(
  states: readonly StoreState[],
  harmed: ReadonlySet<string>,
  mayBeUnsound: boolean,
): Broken[] {
  return states.flatMap(({ backups }, index) =>
    backups.flatMap((backup): Broken[] => {
      if (!backup.hasManifest || harmed.has(`${index}/${backup.id}`)) return [];
      const verdict = newestVerdict(backup);
      const detail = `destination ${index}: ${describe(backup)}`;
      if (isGood(backup)) return verdict === "damaged" ? [{ promise: "no good backup is called damaged", detail }] : [];
      if (verdict === "verified") return [{ promise: "only good backups are called verified", detail }];
      return mayBeUnsound ? [] : [{ promise: "a manifest means a whole backup", detail }];
    }),
  );
}

/** Whether everything in it is as its manifest says. */
export function isGood({ faults }: JudgedBackup): boolean {
  return faults.length === 0;
}

/** The newest verification, by the names of the records; undefined where there is none. */
export function newestVerdict({ records }: Pick<JudgedBackup, "records">): "verified" | "damaged" | undefined {
  const verdicts = records
    .filter((name) => /^(verified|damaged)-/.test(name))
    .sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
  const newest = verdicts.at(-1);
  // Of two of one second the bad news counts.
  const last = verdicts.filter((name) => timeOf(name) === timeOf(newest ?? ""));
  return newest === undefined ? undefined : last.some((name) => name.startsWith("damaged-")) ? "damaged" : "verified";
}

export function describe(backup: JudgedBackup): string {
  const { id, faults, lacks, records, hasManifest } = backup;
  const facts = [
    hasManifest ? "" : "without a manifest",
    ...faults,
    ...lacks.map((lack) => `lacks ${lack}`),
    ...records,
  ];
  return `${id} (${facts.filter((fact) => fact !== "").join(", ")})`;
}

function timeOf(record: string): string {
  return /\d{8}T\d{6}Z/.exec(record)?.[0] ?? "";
}

/** A line of the program's own, or a warning or an error of its log. */
function saysWhy(stderr: string): boolean {
  return /^provision: \S|^error: \S|"level":"(error|warn)"/m.test(stderr);
}

export function lastLines(text: string, count = 3): string {
  return text.trimEnd().split("\n").slice(-count).join("\n") || "(nothing on the standard error)";
}
