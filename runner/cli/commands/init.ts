import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { SECRETS_FILE_VARIABLE } from "../../../providers/environment.ts";
import { ProviderError, toProviderError } from "../../../providers/errors.ts";
import { onOneLine } from "../../../providers/visible.ts";
import { EXIT, exitCodeOf } from "../../run/exit-codes.ts";
import type { Prompt } from "../init/prompt.ts";
import { leave } from "../../run/watch/leave.ts";
import { examples } from "./examples.ts";

/** Adds `provision init`. */
export function addInit(program: Command): void {
  program
    .command("init")
    .summary("ask for a job, and write its file or a stack's")
    .addHelpText(
      "before",
      examples(
        "provision init app.json        # a file of one job, and beside it its secrets and its private key",
        "provision init --stack prod    # Pulumi.prod.yaml",
      ),
    )
    .description(
      "Asks for the database, the store, the schedule and the encryption, checks each answer at once, and writes the job's file, with its " +
        "secrets and its private key in files of their own that nobody else may read. With --stack it writes the configuration of a Pulumi " +
        "stack with this job, which names the secrets and has none of them. Nothing is overwritten.",
    )
    .argument("[file]", "the job's file to write (default: job.json)")
    .option("--stack <name>", "write Pulumi.<name>.yaml into this folder, in place of a job's file")
    .action(async (file: string | undefined, { stack }: { readonly stack?: string }) => {
      const ending = new AbortController();
      try {
        if (stack !== undefined && file !== undefined) {
          throw new ProviderError("CONFIG", `--stack writes Pulumi.${stack}.yaml, and ${file} is named, too.`, {
            fix: "Leave out one of the two.",
          });
        }
        const { Prompt } = await import("../init/prompt.ts");
        const prompt = new Prompt(process.stdin, process.stdout);
        const lines =
          stack === undefined
            ? await makeJob(prompt, file ?? "job.json", ending.signal)
            : await makeStack(prompt, stack, ending.signal);
        prompt.close();
        process.stdout.write(`\n${lines.join("\n")}\n`);
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

/** Writes a job's file. Gives what is to be said of it. */
async function makeJob(prompt: Prompt, file: string, signal: AbortSignal): Promise<string[]> {
  const { init } = await import("../init.ts");
  const { job, secrets, identity } = await init(prompt, file, signal);
  // Absolute paths: cron starts it in another folder, and there the word alone may be another program.
  const call = (command: string) =>
    [
      `${SECRETS_FILE_VARIABLE}=${quoted(secrets)}`,
      ...[process.execPath, resolve(process.argv[1] ?? ""), command, "--job", job].map(quoted),
    ].join(" ");
  const { schedule } = JSON.parse(readFileSync(job, "utf8")) as { schedule: { cron: string } };
  // A bare per cent sign would end the command.
  const line = `${schedule.cron} ${call("backup").replaceAll("%", "\\%")}`;
  // The files are written: leaving the question unanswered only leaves the crontab as it is.
  const wanted = await prompt
    .confirm("Add a line to your crontab, so that it runs on schedule", "yes")
    .catch(() => false);
  const problem = wanted ? addToCrontab(line) : "";
  return [
    `The job is in ${job}, and its secrets are in ${secrets}.`,
    ...aboutKey(identity),
    "",
    ...(problem === undefined
      ? ["It is scheduled: `crontab -l` shows the line."]
      : [`${problem}It is not scheduled yet. To schedule it, add this line by crontab -e:`, `  ${line}`]),
    "",
    "Next:",
    `  ${call("doctor")}`,
    `  ${call("backup")}`,
  ];
}

/** Adds a line to this user's crontab. Returns why it could not, as a sentence with a space behind it. */
function addToCrontab(line: string): string | undefined {
  const run = (argument: string, input?: string) => spawnSync("crontab", [argument], { input, encoding: "utf8" });
  const listed = run("-l");
  if (listed.error) return "There is no crontab on this machine. ";
  // Without a crontab, it prints nothing and exits with 1. The lines that it prints are kept.
  const kept = listed.stdout === "" || listed.stdout.endsWith("\n") ? listed.stdout : `${listed.stdout}\n`;
  if (listed.status !== 0 && kept !== "") return "The crontab of this user cannot be read. ";
  const { status } = run("-", `${kept}${line}\n`);
  return status === 0 ? undefined : "crontab refused the line. ";
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Writes a stack's file. Gives what is to be said of it. */
async function makeStack(prompt: Prompt, name: string, signal: AbortSignal): Promise<string[]> {
  const { initStack } = await import("../init/stack.ts");
  const { file, secrets, identity } = await initStack(prompt, name, signal);
  return [
    `The stack's configuration is in ${file}. It names its secrets, and has none of them: Pulumi asks for each and encrypts it.`,
    ...aboutKey(identity),
    "",
    "Next, in the folder of the Pulumi program:",
    `  pulumi stack init ${name}`,
    ...secrets.map((secret) => `  pulumi config set --stack ${name} --secret --path 'provision:secrets.${secret}'`),
    `  pulumi preview --stack ${name}`,
  ];
}

function aboutKey(identity: string | undefined): string[] {
  if (identity === undefined) return [];
  return [
    `The private key is in ${identity}. Without it no backup can be restored: move it to where this machine's disk cannot take`,
    "it along, for instance into a password manager. Making backups does not need it.",
  ];
}
