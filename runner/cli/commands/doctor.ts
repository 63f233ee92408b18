import type { Command } from "commander";
import type { Check } from "../../../providers/database/database.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { examples } from "./examples.ts";

/** Adds `provision doctor`. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("check everything that a run needs")
    .addHelpText("before", examples("provision doctor --job app.json"))
    .description(
      "Checks the clients, the database, each destination (writes, reads back, lists and removes a small object), the " +
        "encryption and the monitors (which get a test message; it says where to find it), and says how to fix " +
        "what fails. Ends with 2 if anything does.",
    )
    .action((_: unknown, command: Command) => {
      const options: JobOptions = command.optsWithGlobals();
      return runCommand(options, EXIT.config, async (run) => {
        const { doctor } = await import("../../operations/doctor.ts");
        const checks: Check[] = [];
        for await (const check of doctor(run)) checks.push(check);
        return {
          json: checks,
          lines: checks.flatMap(describe),
          exitCode: checks.every(({ ok }) => ok) ? EXIT.done : EXIT.config,
        };
      });
    });
}

function describe({ name, ok, detail, fix }: Check): string[] {
  return [`${ok ? "ok  " : "FAIL"}  ${name}: ${detail}`, ...(fix === undefined ? [] : [`      Fix: ${fix}`])];
}
