import { onOneLine } from "../../../providers/visible.ts";
import { Display, fitted } from "../../run/display.ts";
import { readable } from "../../backups/objectives.ts";
import { bytes, counted } from "../../../providers/fields/sizes.ts";
import type { BackupReport, DestinationReport, DrillReport, JobReport, Objective, Report } from "./report.ts";
import { describeChecks, describeCopy, describeSteps, describeYear, minuteOf, nameOf, took, when } from "./words.ts";

/** How a job's moments and tables look. */
interface Look {
  readonly moment: (time: string) => string;
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[]) => string[];
}

/**
 * A report as Markdown of CommonMark with tables. It says what the page says, but for its charts.
 *
 * @param display how times look. Default: as in a file.
 */
export function toMarkdown(report: Report, display = new Display({})): string {
  const { headline, jobs, madeAt, program } = report;
  const names = jobs.map(nameOf).join(", ");
  const lines = [
    `# ${inert(headline)}`,
    "",
    `Backups of ${names}. Made ${when(madeAt, "UTC")} by Provision ${program}, from the manifests and records in the stores alone.`,
    ...jobs.flatMap((job) => jobOf(job, jobs.length === 1, display)),
  ];
  return `${lines.join("\n")}\n`;
}

/** Names and texts of a store may hold anything: here they are text, and mark up nothing. */
export function inert(text: string): string {
  return onOneLine(text)
    .replace(/[\\`*_{}[\]<>()#+!|~&@$^=]/g, String.raw`\$&`)
    .replace(/:(?=\/\/)/g, String.raw`\:`)
    .replace(/\bwww\./gi, (start) => `${start.slice(0, -1)}\\.`);
}

function jobOf(job: JobReport, only: boolean, display: Display): string[] {
  const { schedule, timeZone, omitted, restore, warnings } = job;
  const look: Look = {
    moment: (time) => display.moment(minuteOf(time, timeZone), new Date(time)),
    table: (head, rows) => table(head, rows, display.columns),
  };
  return [
    ...["", `## ${nameOf(job)}`, ""],
    ...(only ? [] : [inert(job.headline), ""]),
    `${schedule ? `Runs at “${inert(schedule.cron)}” in ${inert(schedule.timezone)}.` : "No schedule is known here."} Times below are those of ${inert(timeZone)}.`,
    ...["", "### Against the objectives", "", ...objectivesOf(job, look)],
    ...["", "### The last twelve months", "", describeYear(job), "", ...monthsOf(job, look)],
    ...["", "### Far from usual", "", ...unusualOf(job, look)],
    ...["", "### Drills", "", ...drillsOf(job, look)],
    ...["", "### Where the copies are, and until when", "", ...destinationsOf(job, look), "", ...backupsOf(job, look)],
    ...["", "### What is not in the newest backup", ""],
    ...(omitted.length === 0
      ? ["Its manifest names nothing that it leaves out."]
      : omitted.map(({ artifact, reason }) => `- ${inert(artifact)}: ${inert(reason)}`)),
    ...["", "### How to restore", ""],
    ...(restore === null
      ? ["There is no backup to restore that is verified and free of suspicion."]
      : ["Put the URL of an empty database into the variable TARGET\\_URL, then:", "", `    ${onOneLine(restore)}`]),
    ...(warnings.length === 0
      ? []
      : ["", "### What counts for nothing", "", ...warnings.map((text) => `- ${inert(text)}`)]),
  ];
}

/** A table's lines; at a terminal all of one width, and no wider than that. */
function table(head: readonly string[], rows: readonly (readonly string[])[], columns: number | undefined): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const all = [head, head.map(() => "---"), ...rows];
  return (columns === undefined ? all : fitted(all, columns - 3 * head.length - 1)).map(line);
}

function objectivesOf({ recoveryPoint, recoveryTime }: JobReport, { table }: Look): string[] {
  const row = (name: string, objective: Objective | null): string[] =>
    objective
      ? [name, readable(objective.objectiveSeconds), readable(objective.seconds), objective.met ? "met" : "**MISSED**"]
      : [name, "none, or nothing is proven", "–", "–"];
  return table(
    ["Objective", "Promised", "Proven", ""],
    [row("Recovery point", recoveryPoint), row("Recovery time", recoveryTime)],
  );
}

function monthsOf({ calendar }: JobReport, { table }: Look): string[] {
  const fields = ["made", "verified", "suspicious", "damaged", "missed", "unknown", "drilled", "drillFailed"] as const;
  const months = [...Map.groupBy(calendar, ({ date }) => date.slice(0, 7))];
  return table(
    ["Month", "Made", "Verified", "Suspicious", "Damaged", "Missed", "Gone or under way", "Drilled", "Drills failed"],
    months.map(([month, days]) => [
      month,
      ...fields.map((field) => String(days.reduce((sum, day) => sum + day[field], 0))),
    ]),
  );
}

function unusualOf({ backups }: JobReport, { moment }: Look): string[] {
  const odd = backups.filter(({ findings, suspicious }) => findings.length > 0 || suspicious);
  if (odd.length === 0) return ["No backup was."];
  return odd.map(
    ({ id, time, suspicious, findings, accepted }) =>
      `- ${suspicious ? "**Suspicious**" : "Unusual"}, ${moment(time)} (${id}): ${inert(findings.join(" "))}` +
      (accepted === null ? "" : ` Accepted: ${inert(accepted)}`),
  );
}

function drillsOf({ drills }: JobReport, { moment, table }: Look): string[] {
  if (drills.length === 0) return ["No drill has been recorded: nothing proves that a backup can be restored."];
  const outcome = ({ ok, problems, more, recoveryTime }: DrillReport) => {
    const end = ok ? (recoveryTime?.met === false ? "restored, too slow" : "restored") : "**FAILED**";
    return [end, ...problems.map(inert), ...(more > 0 ? [`And ${more} more.`] : [])].join(" ");
  };
  return table(
    ["Done", "Outcome", "Backup", "Server", "Tables", "Rows", "Steps", "Checks"],
    drills.map((drill) => [
      moment(drill.time),
      outcome(drill),
      drill.id,
      inert(drill.serverVersion),
      String(drill.tables),
      String(drill.rows),
      describeSteps(drill).join(", "),
      drill.checks.length === 0 ? "none" : describeChecks(drill).map(inert).join("; "),
    ]),
  );
}

function destinationsOf({ destinations }: JobReport, { moment, table }: Look): string[] {
  const time = (value: string | null) => (value === null ? "–" : moment(value));
  const where = ({ number, description, problem }: DestinationReport) =>
    `${number}: ${inert(description)}${problem === null ? "" : ` **not read**: ${inert(problem)}`}`;
  return table(
    [
      "Destination",
      "Backups",
      "Verified",
      "Held",
      "Suspicious",
      "Damaged",
      "Size",
      "Oldest",
      "Newest",
      "Recoverable to",
    ],
    destinations.map((each) => [
      where(each),
      ...[each.backups, each.verified, each.held, each.suspicious, each.damaged].map(String),
      bytes(each.bytes),
      ...[each.oldest, each.newest, each.recoverable].map(time),
    ]),
  );
}

function backupsOf({ backups, destinations, timeZone }: JobReport, { moment, table }: Look): string[] {
  const copy = ({ copies, suspicious }: BackupReport, number: number) => {
    const found = copies.find(({ destination }) => destination === number);
    return found ? inert(describeCopy(found, suspicious, timeZone)) : "–";
  };
  return [
    `${counted(backups.length, "backup")}, the newest first:`,
    "",
    ...table(
      ["Begun", "Backup", "Stored", "Plain", "Took", ...destinations.map(({ number }) => `In destination ${number}`)],
      [...backups]
        .reverse()
        .map((backup) => [
          moment(backup.time),
          backup.id,
          backup.storedBytes === null ? "–" : bytes(backup.storedBytes),
          backup.plainBytes === null ? "–" : bytes(backup.plainBytes),
          backup.seconds === null ? "–" : took(backup.seconds),
          ...destinations.map(({ number }) => copy(backup, number)),
        ]),
    ),
  ];
}
