import type { Command } from "commander";
import { counted } from "../../../providers/fields/sizes.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { describeKept } from "../../backups/catalogue/retention.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { requireFolder } from "../../run/job-owner.ts";
import { sweepLeases } from "../../backups/lease.ts";
import { beforeAnyRun, prune } from "../../operations/prune.ts";
import { describeFailed, destinationOption, inDestinations, type DestinationOptions } from "./destination.ts";
import { examples } from "./examples.ts";

interface Options extends JobOptions, DestinationOptions {
  readonly dryRun: boolean;
  readonly confirmShare: boolean;
}

/** Adds `provision prune`. */
export function addPrune(program: Command): void {
  program
    .command("prune")
    .summary("remove what the retention rule does not keep")
    .addHelpText("before", examples("provision prune --job app.json --dry-run", "provision prune --job app.json"))
    .description(
      "Removes the backups that the job's retention rule does not keep, and what interrupted runs left behind. The newest " +
        "verified backup always stays, and so does every damaged one; without any verified backup nothing is removed, and " +
        "nothing either while a backup or a record is from the future: then some machine's clock was wrong.",
    )
    .option("--dry-run", "only show what would be removed, and why each other backup stays", false)
    .option("--confirm-share", "remove what the rule does not keep, even most of the verified backups", false)
    .addOption(destinationOption())
    .action((_: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run, display) => {
        const { job, signal } = run;
        // This holds no lock, and a backup or a copy may be going on.
        const unfinishedBefore = beforeAnyRun(job);
        const { results, failed } = await inDestinations(run, options, async (storage) => {
          await requireFolder({ storage, job, signal });
          const report = await prune({
            storage,
            job,
            rule: job.retention,
            timeZone: job.schedule?.timezone,
            anyShare: options.confirmShare,
            unfinishedBefore,
            copiesBefore: unfinishedBefore,
            dryRun: options.dryRun,
            signal,
          });
          if (!options.dryRun) await sweepLeases(storage, job, signal);
          return { destination: storage.description, ...report };
        });
        const verb = options.dryRun ? "would remove" : "removed";
        return {
          json: [...results, ...failed],
          lines: [
            ...results.flatMap(
              ({
                destination,
                removed,
                unfinished,
                interruptedUploads,
                kept,
                keeps,
                damaged,
                foreign = [],
                unproven = [],
                warnings = [],
                files,
              }) => [
                `${destination}: ${verb} ${counted(removed.length, "backup")} and ${unfinished.length + interruptedUploads} unfinished, kept ${kept}`,
                ...(files.removed > 0
                  ? [`  ${verb} ${counted(files.removed, "file")} that no backup has any more`]
                  : []),
                ...(files.skipped === undefined ? [] : [`  ${files.skipped}`]),
                ...(options.dryRun
                  ? keeps.map((each) => `  keeps ${each.id}: ${describeKept(each, display.day)}`)
                  : []),
                ...removed.map((id) => `  ${verb} ${id}: no part of the retention rule keeps it`),
                ...unfinished.map((id) => `  ${verb} ${id} (unfinished)`),
                ...damaged.map((id) => `  ${id} is damaged and stays until you remove it`),
                ...foreign.map(
                  (id) =>
                    `  ${id} has the manifest of another backup: it counts for nothing, and stays until you remove it`,
                ),
                ...unproven.map((id) => `  ${id} may be forged: it counts for nothing, and stays until you remove it`),
                ...warnings.map((warning) => `  warning: ${warning}`),
              ],
            ),
            ...describeFailed(failed),
          ],
          exitCode: failed.length > 0 ? EXIT.partial : EXIT.done,
        };
      });
    });
}
