import type { Command } from "commander";
import { SECRETS_FILE_VARIABLE } from "../../providers/environment.ts";
import { toProviderError } from "../../providers/errors.ts";
import { onOneLine } from "../../providers/visible.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { leave } from "../watch/leave.ts";

/** Adds `provision init`. */
export function addInit(program: Command): void {
  program
    .command("init")
    .summary("ask for a job, and write its file")
    .description(
      "Asks for the database, the store, the schedule and the encryption, checks each answer at once, and writes the job's file, with its " +
        "secrets and its private key in files of their own that nobody else may read. Nothing is overwritten.",
    )
    .argument("[file]", "the job's file to write", "job.json")
    .action(async (file: string) => {
      const ending = new AbortController();
      try {
        const [{ Prompt }, { init }] = await Promise.all([import("../init/prompt.ts"), import("../init.ts")]);
        const prompt = new Prompt(process.stdin, process.stdout);
        const { job, secrets, identity } = await init(prompt, file, ending.signal);
        prompt.close();
        const environment = `${SECRETS_FILE_VARIABLE}=${secrets}`;
        const lines = [
          "",
          `The job is in ${job}, and its secrets are in ${secrets}.`,
          ...(identity === undefined
            ? []
            : [
                `The private key is in ${identity}. Without it no backup can be restored: move it to where this machine's disk cannot take`,
                "it along, for instance into a password manager. Making backups does not need it.",
              ]),
          "",
          "Next:",
          `  ${environment} provision doctor --job ${job}`,
          `  ${environment} provision backup --job ${job}`,
        ];
        process.stdout.write(`${lines.join("\n")}\n`);
        leave(EXIT.done);
      } catch (error) {
        ending.abort();
        const { lines, fix } = toProviderError(error);
        const [first = "", ...others] = lines;
        const shown = [`provision: ${first}`, ...others, ...(fix === undefined ? [] : [`Fix: ${fix}`])];
        process.stderr.write(shown.map((line) => `${onOneLine(line)}\n`).join(""));
        leave(exitCodeOf(error, EXIT.unexpected));
      }
    });
}
