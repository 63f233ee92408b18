import type { Command } from "commander";
import { z } from "zod";
import { JobConfig } from "../../../providers/config.ts";
import { examples } from "./examples.ts";

/** Adds `provision schema`. */
export function addSchema(program: Command): void {
  program
    .command("schema")
    .summary("print the JSON Schema of a job")
    .addHelpText("before", examples("provision schema > job.schema.json"))
    .description(
      "Prints the JSON Schema of a job's configuration: an editor that knows it completes and checks a job's file.",
    )
    .action(() => {
      process.stdout.write(JSON.stringify(z.toJSONSchema(JobConfig, { io: "input" }), null, 2) + "\n");
    });
}
