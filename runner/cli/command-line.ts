import { Command, type CommanderError, Option } from "commander";
import { JOB_VARIABLE, SECRETS_FILE_VARIABLE, secretVariable } from "../../providers/environment.ts";
import { addAccept } from "./commands/accept.ts";
import { addBackup } from "./commands/backup.ts";
import { addCopy } from "./commands/copy.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDrill } from "./commands/drill.ts";
import { examples } from "./commands/examples.ts";
import { addInit } from "./commands/init.ts";
import { addList } from "./commands/list.ts";
import { addPrune } from "./commands/prune.ts";
import { addReport } from "./commands/report.ts";
import { addRestore } from "./commands/restore.ts";
import { addSchema } from "./commands/schema.ts";
import { addHold, addRelease } from "./commands/hold.ts";
import { addVerify } from "./commands/verify.ts";
import { LOG_LEVELS } from "../run/log.ts";
import { PROGRAM } from "../version.ts";

/**
 * The whole command line of `provision`.
 *
 * @param onExit what to do where a command line is wrong, or asked for help or the version; with the code 0 for the latter two
 */
export function commandLine(onExit: (error: CommanderError) => never): Command {
  const program = new Command("provision")
    .description("Scheduled, verified, restorable backups of PostgreSQL and Supabase.")
    .version(PROGRAM)
    .option("--job <file>", `the job's configuration (default: the JSON in the environment variable ${JOB_VARIABLE})`)
    .option("--json", "print the result as JSON")
    .addOption(
      new Option("--log-level <level>", "least important lines of the log").choices(LOG_LEVELS).default("info"),
    )
    .addHelpText(
      "before",
      examples(
        "provision init app.json    # asks for the job, and writes its file",
        "provision doctor --job app.json",
        "provision backup --job app.json",
        "provision list --job app.json",
        "provision restore latest --job app.json --to env:TARGET    # the variable TARGET has the URL of an empty database",
        "provision help restore    # examples and options of a command",
      ),
    )
    .addHelpText(
      "after",
      `
The result goes to the standard output, the log to the standard error.

Secrets are never given on the command line: a job refers to them ({ secret }, { env }, { file }), and { secret: name } is
looked up in the JSON file that ${SECRETS_FILE_VARIABLE} names, else in the variable ${secretVariable("<name>")}.

Exit codes:
  0 done                          4 no backup was made
  1 it could not be done: no      5 a verification or a drill failed
    store or server answers, or   6 another run of the job holds its lock
    a defect                      130, 143 interrupted by SIGINT, SIGTERM
  2 configuration or usage: a bucket that does not exist, too
  3 partial: some destination failed, another has it

A store that cannot be reached is no damage: it ends a backup with 4 and anything else with 1 if it is the only one, and
with 3 if another can be reached.`,
    )
    // Each command takes this over when it is added.
    .exitOverride(onExit);
  for (const add of [
    addInit,
    addBackup,
    addVerify,
    addRestore,
    addDrill,
    addList,
    addReport,
    addCopy,
    addPrune,
    addAccept,
    addHold,
    addRelease,
    addDoctor,
    addSchema,
  ])
    add(program);
  return program;
}
