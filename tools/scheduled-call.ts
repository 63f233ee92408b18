import { execFile } from "node:child_process";
import { homedir, userInfo } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A call of a program, with all of its environment. */
export interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/**
 * The call that a scheduler of this machine makes when a job of this user is due, from what the stack has deployed: systemd is asked to
 * start the job's service; the command in the crontab gets the few variables that cron sets.
 *
 * @param how the output `scheduled` of the job
 * @param unit the name of the job's units, which also marks its line in the crontab
 * @param byHand the command that a person schedules where nothing else does; it gets as few variables
 * @throws {Error} where the crontab has no line of the job
 */
export async function scheduledCall(how: string, unit: string, byHand: string): Promise<Call> {
  if (how === "systemd system") return systemctl("start", `${unit}.service`);
  if (how === "systemd user") return systemctl("--user", "start", `${unit}.service`);
  if (how === "crontab") return asCron(await crontabCommand(unit));
  return asCron(byHand);
}

function systemctl(...args: string[]): Call {
  return { program: "systemctl", args, env: process.env, cwd: "/" };
}

/** Five fields of times, then the command, in which a per cent sign has a backslash before it, then ` # <unit> <owner>`. */
async function crontabCommand(unit: string): Promise<string> {
  const { stdout } = await run("crontab", ["-l"]);
  const line = stdout.split("\n").find((each) => / # (\S+)(?: \S+ \S+)?$/.exec(each)?.[1] === unit);
  const [, command] = /^(?:\S+\s+){5}(.*)$/.exec(line ?? "") ?? [];
  if (command === undefined) throw new Error(`The crontab of ${userInfo().username} has no line of ${unit}.`);
  return command.replaceAll("\\%", "%");
}

/** What crontab(5) says of a command's environment. */
function asCron(command: string): Call {
  const home = homedir();
  return {
    program: "/bin/sh",
    args: ["-c", command],
    env: { HOME: home, LOGNAME: userInfo().username, SHELL: "/bin/sh", PATH: "/usr/bin:/bin" },
    cwd: home,
  };
}
