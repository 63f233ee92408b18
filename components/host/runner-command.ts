import { SCHEDULE_VARIABLE, SECRETS_FILE_VARIABLE, writeSchedule } from "../../providers/environment.ts";
import { quote } from "./shell.ts";

/** A call of the runner on a machine. */
export interface RunnerCommand {
  readonly environment: Readonly<Record<string, string>>;
  /** Program and arguments. */
  readonly argv: readonly string[];
}

/** Where the runner and what it reads are on a machine. */
export interface RunnerPlace {
  /** Path of the node program. */
  readonly node: string;
  /** Path of the runner's command-line program. */
  readonly cli: string;
  readonly secretsFile: string;
}

/** The call that does something with a job: `backup`, or with more words. */
export function runnerCommand(place: RunnerPlace, jobFile: string, ...words: readonly string[]): RunnerCommand {
  return {
    environment: { [SECRETS_FILE_VARIABLE]: place.secretsFile },
    argv: [place.node, place.cli, ...words, "--job", jobFile],
  };
}

/** The call of a run that knows when the job's backups run, which the job's file does not say. */
export function withSchedule(command: RunnerCommand, schedule: Parameters<typeof writeSchedule>[0]): RunnerCommand {
  return { ...command, environment: { ...command.environment, [SCHEDULE_VARIABLE]: writeSchedule(schedule) } };
}

/** The call as a line for a POSIX shell. */
export function toShell(command: RunnerCommand): string {
  const environment = Object.entries(command.environment).map(([name, value]) => `${name}=${word(value)}`);
  return [...environment, ...command.argv.map(word)].join(" ");
}

/** Quotes only what needs it: the line is read by people. */
function word(text: string): string {
  return /^[\w./:@=+,-]+$/.test(text) ? text : quote(text);
}
