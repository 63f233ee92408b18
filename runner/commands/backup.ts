import type { Command } from "commander";
import { backup, type BackupReport, type DestinationReport } from "../backup.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { bytes } from "../sizes.ts";
import { withTelemetry } from "./with-telemetry.ts";

interface Options extends JobOptions {
  readonly verify: boolean;
  readonly prune: boolean;
}

/** Adds `provision backup`. */
export function addBackup(program: Command): void {
  program
    .command("backup")
    .summary("make a backup, read it back in full, and prune")
    .description(
      "Dumps the job's database to all of its destinations at the same time, reads each copy back in full, and then " +
        "removes what the retention rule lets go. Ends with 0 only if every destination has a whole, verified backup.",
    )
    .option("--no-verify", "do not read the backup back (and so do not prune)")
    .option("--no-prune", "remove nothing")
    .action((_: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.noBackup, async (run) => {
        const report = await withTelemetry(run, (telemetry) => backup(run, telemetry, options));
        return { json: report, text: describe(report), exitCode: report.exitCode };
      });
    });
}

function describe({ id, status, seconds, objects, omitted, destinations }: BackupReport): string {
  return [
    `backup ${id}: ${status}, ${seconds.toFixed(1)} s`,
    ...objects.map(({ file, plain, stored }) => `  ${file}: ${bytes(plain.size)}, stored as ${bytes(stored.size)}`),
    ...omitted.map(({ artifact, reason }) => `  ${artifact}: left out. ${reason}`),
    ...destinations.flatMap(describeDestination),
  ].join("\n");
}

function describeDestination({ destination, stored, verification, prune, errors }: DestinationReport): string[] {
  const facts = [stored ? "stored" : "failed", verification?.outcome ?? "not verified"];
  if (prune) facts.push(`${prune.removed.length + prune.unfinished.length} pruned, ${prune.kept} kept`);
  return [
    `  ${destination}: ${facts.join(", ")}`,
    ...errors.map(({ message, fix }) => `    ${message}${fix === undefined ? "" : ` Fix: ${fix}`}`),
  ];
}
