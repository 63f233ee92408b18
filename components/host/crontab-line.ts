import type { CronFields } from "../../providers/fields/cron.ts";
import { toShell, type RunnerCommand } from "./runner-command.ts";
import { quote } from "./shell.ts";

/**
 * The line of a crontab that starts a job. What the job prints is added to a log file; cron mails the file's end when the
 * job fails, and nothing when it does not.
 */
export function crontabLine(expression: string, cron: CronFields, command: RunnerCommand, logFile: string): string {
  const [minute, hour, day, month, weekday] = expression.trim().split(/\s+/);
  const times = [
    field(minute, cron.minutes),
    field(hour, cron.hours),
    field(day, cron.days),
    field(month, cron.months),
    field(weekday, cron.weekdays),
  ].join(" ");
  const log = quote(logFile);
  const script = `${toShell(command)} >>${log} 2>&1 || tail -n 20 ${log}`;
  // A bare per cent sign would end the command.
  return `${times} ${script.replaceAll("%", "\\%")}`;
}

/** Not every cron reads names in lists, so they become numbers. A leading star has a meaning of its own and stays. */
function field(text: string | undefined, numbers: readonly number[]): string {
  return text?.startsWith("*") === true ? text : numbers.join(",");
}
