import { InvalidArgumentError, Option, type Command } from "commander";
import { counted } from "../../../providers/fields/sizes.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { describeFailed, destinationOption, inDestinations, type DestinationOptions } from "./destination.ts";
import { examples } from "./examples.ts";
import { parseReason } from "./reason.ts";

interface Options extends JobOptions, DestinationOptions {
  readonly reason: string;
  readonly until?: Date;
  readonly hold?: string;
  readonly all?: boolean;
}

/** Adds `provision hold`. */
export function addHold(program: Command): void {
  program
    .command("hold")
    .summary("keep a backup whatever the retention rule says")
    .addHelpText("before", examples('provision hold latest --job app.json --reason "Audit of 2026" --until 2099-12-31'))
    .description(
      "Records beside a backup that it is held, in each destination: no prune removes it or its files until it is released, or until " +
        "the date of --until has come. `list` shows who is held and why; a copy takes the hold along. " +
        "Each hold counts on its own, and has the id that is printed.",
    )
    .argument("<id>", "the backup's id, latest or verified")
    .requiredOption("--reason <text>", "why it is held, in one line", parseReason)
    .option(
      "--until <date>",
      "when the hold ends by itself, as 2027-01-31 (its end, in UTC) or with a time",
      parseUntil,
    )
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => changeHold(id, command, "hold"));
}

/** Adds `provision release`. */
export function addRelease(program: Command): void {
  program
    .command("release")
    .summary("end a hold on a backup")
    .addHelpText(
      "before",
      examples('provision release 20261127T030000Z-1a2b3c --job app.json --reason "The audit is over"'),
    )
    .description(
      "Records beside a backup that a hold is over, in each destination: once none is left, the retention rule alone decides. Of several " +
        "holds it ends the one that --hold names, or the only one whose reason is exactly that of --reason. What Object Lock still keeps " +
        "stays locked.",
    )
    .argument("<id>", "the backup's id, latest or verified")
    .requiredOption("--reason <text>", "why it is released, in one line", parseReason)
    .addOption(new Option("--hold <id>", "the hold that ends, as hold and list print it").conflicts("all"))
    .option("--all", "end all holds on the backup")
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => changeHold(id, command, "release"));
}

function changeHold(id: string, command: Command, work: "hold" | "release"): Promise<void> {
  const options: Options = command.optsWithGlobals();
  const { reason, until, hold, all } = options;
  const now = new Date();
  return runCommand(options, EXIT.unexpected, async (run, { moment }) => {
    const change = (await import("../../operations/hold.ts"))[work];
    const { job, signal } = run;
    const { results, failed } = await inDestinations(run, options, async (storage) => ({
      destination: storage.description,
      ...(await change({ storage, job, id, reason, until, hold, all, now, signal })),
    }));
    return {
      json: [...results, ...failed],
      lines: [
        ...results.map(
          (each) =>
            `${each.id} in ${each.destination}: ${each.outcome}${each.until === undefined ? "" : ` until ${moment(each.until, new Date(each.until))}`}` +
            ` (${each.holds.join(", ")})` +
            (each.others === 0 ? "" : `, ${counted(each.others, "other hold")} on it`) +
            (each.locked === 0 ? "" : `, ${counted(each.locked, "object")} ${each.outcome} in the store, too`),
        ),
        ...describeFailed(failed),
      ],
      exitCode: failed.length > 0 ? EXIT.partial : EXIT.done,
    };
  });
}

function parseUntil(text: string): Date {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const time = new Date(isDay ? `${text}T23:59:59Z` : text);
  // JavaScript takes 2026-02-30 for 2 March.
  const isReal = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text) && !Number.isNaN(time.getTime());
  if (!isReal || (isDay && time.toISOString().slice(0, 10) !== text)) {
    throw new InvalidArgumentError("Expected a date as 2027-01-31, or a time as 2027-01-31T12:00:00Z.");
  }
  if (time.getTime() <= Date.now()) throw new InvalidArgumentError("Expected a time to come.");
  return time;
}
