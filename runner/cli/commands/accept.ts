import type { Command } from "commander";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { describeFailed, destinationOption, inDestinations, type DestinationOptions } from "./destination.ts";
import { examples } from "./examples.ts";
import { parseReason } from "./reason.ts";

interface Options extends JobOptions, DestinationOptions {
  readonly reason: string;
}

/** Adds `provision accept`. */
export function addAccept(program: Command): void {
  program
    .command("accept")
    .summary("record that a suspicious backup is right")
    .addHelpText(
      "before",
      examples('provision accept latest --job app.json --reason "The orders of 2020 were archived"'),
    )
    .description(
      "Records beside a suspicious backup, in each destination, that it was meant to lose what it lost. From then on it counts as any " +
        "other, and later backups are compared with it and with those after it.",
    )
    .argument("<id>", "the backup's id, latest or verified")
    .requiredOption("--reason <text>", "why it is right, in one line", parseReason)
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run) => {
        const { accept } = await import("../../operations/accept.ts");
        const { job, signal } = run;
        const { results, failed } = await inDestinations(run, options, async (storage) => ({
          destination: storage.description,
          ...(await accept({ storage, job, id, reason: options.reason, signal })),
        }));
        return {
          json: [...results, ...failed],
          lines: [...results.map((each) => `${each.id} in ${each.destination}: accepted`), ...describeFailed(failed)],
          exitCode: failed.length > 0 ? EXIT.partial : EXIT.done,
        };
      });
    });
}
