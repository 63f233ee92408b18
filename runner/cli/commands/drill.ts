import type { Command } from "commander";
import { counted } from "../../../providers/fields/sizes.ts";
import { runCommand, type JobOptions } from "../command.ts";
import type { DrillReport } from "../../operations/drill.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { tooSlow } from "../../backups/objectives.ts";
import { chosenDestinations, destinationOption, withDestination, type DestinationOptions } from "./destination.ts";
import { acceptUnprovenOption, trustStoreOption } from "./trust.ts";
import { examples } from "./examples.ts";
import { chosenIdentity, identityOption, type IdentityOptions } from "./identity.ts";
import { withTelemetry } from "./with-telemetry.ts";

interface Options extends JobOptions, DestinationOptions, IdentityOptions {
  readonly acceptUnproven: boolean;
  readonly trustStore: boolean;
}

/** Adds `provision drill`. */
export function addDrill(program: Command): void {
  program
    .command("drill")
    .summary("restore a backup into a scratch database and compare the two")
    .addHelpText(
      "before",
      examples(
        "provision drill --job app.json",
        "provision drill random --job app.json --identity file:/safe/identity.txt",
      ),
    )
    .description(
      "Restores a backup into a scratch database, which it creates on the server of the job's drill.target and always " +
        "drops, or, where the job names none, on a server that it starts on this machine for that time. It compares the two table by table: the manifest's tables with those restored, and the rows in the " +
        "archive with those restored. Roles that the server lacks are created without rights, and dropped; owners and " +
        "privileges are not restored. The outcome is recorded beside the backup. Ends with 5 if anything differs, or if the restore took longer than objectives.recoveryTime, and with 1 if the store or the " +
        "server cannot be reached.",
    )
    .argument(
      "[id]",
      "the backup's id, latest, verified (the newest that was read in full), or random (any that was)",
      "verified",
    )
    .addOption(acceptUnprovenOption())
    .addOption(trustStoreOption())
    .addOption(identityOption())
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run) => {
        const { drill } = await import("../../operations/drill.ts");
        const { job, log, signal } = run;
        const { acceptUnproven } = options;
        const identity = await chosenIdentity(run, options);
        const [first = 0] = chosenDestinations(run, options);
        const report = await withTelemetry(run, (telemetry) =>
          withDestination(run, first, async (storage) => {
            const { database: target, server, close } = await run.openDrillTarget();
            const { database: source, drill: { checks } = {}, objectives } = job;
            try {
              return await drill({
                storage,
                job,
                id,
                acceptUnproven,
                source,
                target,
                server,
                identity,
                trustStore: options.trustStore,
                checks,
                objectives,
                telemetry,
                log,
                signal,
              });
            } finally {
              await close();
            }
          }),
        );
        return {
          json: report,
          lines: describe(report),
          exitCode: report.outcome === "drilled" && report.recoveryTime?.met !== false ? EXIT.done : EXIT.verification,
        };
      });
    });
}

function describe({
  id,
  from,
  outcome,
  server,
  tables,
  rows,
  checks = [],
  steps,
  recoveryTime,
  seconds,
  problems,
  recorded,
  warnings,
}: DrillReport): string[] {
  return [
    `${id} from ${from}: ${outcome === "drilled" ? "drilled" : "DRILL FAILED"}, ${seconds.toFixed(1)} s`,
    `  ${counted(tables, "table")} with ${counted(rows, "row")} in the end, on ${server}`,
    ...(steps === undefined ? [] : [`  ${describeSteps(steps)}`]),
    ...(recoveryTime === undefined || recoveryTime.met ? [] : [`  ${tooSlow(id, recoveryTime).message}`]),
    ...checks.map(({ name, ok, seconds: took }) => `  check ${name}: ${ok ? "ok" : "FAILED"}, ${took.toFixed(1)} s`),
    ...problems.map((problem) => `  ${problem}`),
    ...(recorded ? [] : ["  the outcome could not be recorded beside the backup"]),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ];
}

/** `restored in 12.3 s, counted in 0.4 s, checked in 0.1 s` */
function describeSteps({ restore, compare, checks }: NonNullable<DrillReport["steps"]>): string {
  const seconds = (count: number) => `${count.toFixed(1)} s`;
  const checked = checks === undefined ? "" : `, checked in ${seconds(checks)}`;
  return `restored in ${seconds(restore)}, counted in ${seconds(compare)}${checked}`;
}
