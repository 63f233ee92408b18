import type { Command } from "commander";
import { backup } from "../../operations/backup.ts";
import type { BackupReport, DestinationReport } from "../../operations/backup/report.ts";
import { withFix } from "../../../providers/errors.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../../run/exit-codes.ts";
import type { FilesReport } from "../../operations/files/backup-files.ts";
import type { RetryReport } from "../../operations/complete-backup.ts";
import { FROM_MEMORY } from "../../operations/verify.ts";
import { bytes, counted } from "../../../providers/fields/sizes.ts";
import { examples } from "./examples.ts";
import { withTelemetry } from "./with-telemetry.ts";

interface Options extends JobOptions {
  readonly verify: boolean;
  readonly prune: boolean;
  readonly adopt: boolean;
  readonly retry?: string;
}

/** Adds `provision backup`. */
export function addBackup(program: Command): void {
  program
    .command("backup")
    .summary("make a backup, read it back in full, and prune")
    .addHelpText(
      "before",
      examples(
        "provision backup --job app.json",
        "provision backup --job app.json --retry 20261127T030000Z-1a2b3c    # copy it to a destination that failed",
      ),
    )
    .description(
      "Dumps the job's database to all of its destinations at the same time, reads each copy back in full, and then " +
        "removes what the retention rule does not keep. Ends with 0 only if every destination has a whole, verified backup.",
    )
    .option("--no-verify", "do not read the backup back (and so do not prune)")
    .option("--no-prune", "skip pruning (on AWS, a separate task prunes)")
    .option(
      "--adopt",
      "the database has moved or was renamed, or the folder was another stack's: the backups that are there are this job's own all the same",
      false,
    )
    .option("--retry <id>", "make no backup, but copy that of a partial run to the destinations that lack it")
    .action((_: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, options.retry === undefined ? EXIT.noBackup : EXIT.partial, async (run) => {
        const { retry: partial } = options;
        if (partial !== undefined) {
          const { retry } = await import("../../operations/complete-backup.ts");
          const verify = options.verify && run.job.verify;
          const retried = await withTelemetry(run, (telemetry) => retry(run, telemetry, partial, verify));
          return { json: retried, lines: describeRetry(retried), exitCode: retried.exitCode };
        }
        const report = await withTelemetry(run, (telemetry) => backup(run, telemetry, options));
        return { json: report, lines: describe(report), exitCode: report.exitCode };
      });
    });
}

/** Files that were left out and are named in the text; the JSON has all of them. */
const SHOWN = 20;

function describe(report: BackupReport): string[] {
  const { id, status, seconds, objects, omitted, warnings = [], files, destinations } = report;
  return [
    `backup ${id}: ${status}, ${seconds.toFixed(1)} s`,
    ...objects.map(({ file, plain, stored }) => `  ${file}: ${bytes(plain.size)}, stored as ${bytes(stored.size)}`),
    ...omitted.map(({ artifact, reason }) => `  ${artifact}: left out. ${reason}`),
    ...warnings.map((warning) => `  warning: ${warning}`),
    ...(files ? describeFiles(files) : []),
    ...destinations.flatMap(describeDestination),
    ...(destinations.some(({ stored }) => !stored)
      ? [`  Once a destination that failed works again: provision backup --retry ${id}`]
      : []),
  ];
}

function describeFiles({ copied, copiedBytes, unchanged, differences, leftOut }: FilesReport): string[] {
  const rest = leftOut.length - SHOWN;
  const { missing, orphaned } = differences ?? { missing: [], orphaned: [] };
  return [
    `  files: ${copied} copied (${bytes(copiedBytes)}), ${unchanged} unchanged, ${leftOut.length} left out`,
    ...(missing.length > 0
      ? [`    ${counted(missing.length, "file")} in the database and not in Storage, such as ${missing[0] ?? ""}`]
      : []),
    ...(orphaned.length > 0
      ? [
          `    ${counted(orphaned.length, "file")} listed by Storage and not in the database, such as ${orphaned[0] ?? ""}`,
        ]
      : []),
    ...leftOut.slice(0, SHOWN).map(({ bucket, path, destination, ...problem }) => {
      const what = path === undefined ? `the bucket ${bucket}` : `${bucket}/${path}`;
      return `    ${what}${destination === undefined ? "" : ` in ${destination}`}: ${withFix(problem)}`;
    }),
    ...(rest > 0 ? [`    and ${rest} more: see --json`] : []),
  ];
}

function describeDestination({
  destination,
  stored,
  warnings = [],
  verification,
  prune,
  errors,
}: DestinationReport): string[] {
  const facts = [stored ? "stored" : "failed", verification?.outcome ?? "not verified"];
  if (verification?.fromMemory) facts.push(FROM_MEMORY);
  if (prune) facts.push(`${prune.removed.length + prune.unfinished.length} pruned, ${prune.kept} kept`);
  const warned = warnings.map((warning) => `    warning: ${warning}`);
  return [`  ${destination}: ${facts.join(", ")}`, ...warned, ...errors.map((error) => `    ${withFix(error)}`)];
}

function describeRetry({ id, status, destinations }: RetryReport): string[] {
  const nothing = destinations.every((destination) => destination.status === "present");
  return [
    nothing ? `backup ${id}: nothing to do, every destination has it` : `backup ${id}: ${status}`,
    ...destinations.flatMap(({ destination, status: how, copy, errors }) => [
      `  ${destination}: ${how}${copy ? ` from ${copy.from}, ${bytes(copy.bytes)}, ${copy.verification?.outcome ?? "not verified"}` : ""}`,
      ...errors.map((error) => `    ${withFix(error)}`),
    ]),
  ];
}
