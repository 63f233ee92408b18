import type { Command } from "commander";
import { listWhole, type DrillOutcome } from "../catalogue.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { bytes } from "../sizes.ts";
import { destinationOption, inDestinations, type DestinationOptions } from "./destination.ts";

/** Adds `provision list`. */
export function addList(program: Command): void {
  program
    .command("list")
    .summary("list the job's backups")
    .description(
      "Lists the job's backups in each destination, the oldest first: verified (its newest verification read it in full), " +
        "unverified, or damaged; and when its newest drill restored it, or failed to. A folder without a manifest is no backup and is not listed.",
    )
    .addOption(destinationOption())
    .action((_: unknown, command: Command) => {
      const options: JobOptions & DestinationOptions = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run) => {
        const lists = await inDestinations(run, options, async (storage) => ({
          destination: storage.description,
          backups: (await listWhole(storage, run.job, run.signal)).map(({ id, time, state, drill, size }) => ({
            id,
            time: time.toISOString(),
            state,
            size,
            drill: drill ? { outcome: drill.outcome, time: drill.time.toISOString() } : null,
          })),
        }));
        return {
          json: lists,
          text: lists
            .flatMap(({ destination, backups }) => [
              `${destination}: ${backups.length === 1 ? "1 backup" : `${backups.length} backups`}`,
              ...backups.map(
                ({ id, state, size, drill }) =>
                  `  ${id}  ${state.padEnd(10)}  ${bytes(size).padStart(8)}${drill ? `  ${describeDrill(drill)}` : ""}`,
              ),
            ])
            .join("\n"),
          exitCode: EXIT.done,
        };
      });
    });
}

function describeDrill({ outcome, time }: { outcome: DrillOutcome["outcome"]; time: string }): string {
  return `${outcome === "drilled" ? "drilled" : "DRILL FAILED"} ${time.slice(0, 10)}`;
}
