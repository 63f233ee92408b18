import { parseCron } from "../../../providers/fields/cron.ts";

/** Days of the longest month, and of a week. */
const [MONTH, WEEK] = [31, 7];

/**
 * The expression of EventBridge Scheduler that elapses when cron would run. Its weekdays begin with 1 for Sunday, and one of
 * its two fields of days must be `?`.
 *
 * Throws an `Error` for an expression that cannot be read or that restricts both fields of days: AWS has none for these, and two
 * schedules would start two runs on a day that matches both.
 */
export function scheduleExpression(cron: string): string {
  const { minutes, hours, days, months, weekdays, eitherDay } = parseCron(cron);
  const [everyDay, everyWeekday] = [days.length === MONTH, weekdays.length === WEEK];
  const month = list(months, 12);
  const time = `${list(minutes, 60)} ${list(hours, 24)}`;
  if ((everyDay && everyWeekday) || (eitherDay && (everyDay || everyWeekday))) return `cron(${time} * ${month} ? *)`;
  if (everyWeekday) return `cron(${time} ${list(days, MONTH)} ${month} ? *)`;
  if (everyDay) {
    const shifted = weekdays.map((day) => day + 1);
    return `cron(${time} ? ${month} ${list(shifted, WEEK)} *)`;
  }
  const [, , day = "", , weekday = ""] = cron.trim().split(/\s+/);
  throw new Error(
    `it names days of the month ("${day}") and days of the week ("${weekday}"), which EventBridge Scheduler cannot; ` +
      `write * for one of the two`,
  );
}

/** Numbers as a list of single ones and ranges, which keeps within the 256 characters that AWS allows. */
function list(numbers: readonly number[], all: number): string {
  if (numbers.length === all) return "*";
  const runs: [from: number, to: number][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run?.[1] === number - 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}
