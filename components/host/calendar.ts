import type { CronFields } from "../../providers/fields/cron.ts";

const weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/**
 * The `OnCalendar=` expressions of a systemd timer that elapse when cron would run. Two where cron runs on days that match
 * either the day of the month or the weekday: a timer joins its expressions by "or".
 */
export function onCalendar(cron: CronFields, timezone: string): string[] {
  const months = list(cron.months, 12);
  const days = list(cron.days, 31);
  const time = `${list(cron.hours, 24)}:${list(cron.minutes, 60)}:00 ${timezone}`;
  const weekdays =
    cron.weekdays.length === 7 ? "" : `${cron.weekdays.map((day) => weekdayNames[day] ?? "").join(",")} `;
  if (!cron.eitherDay) return [`${weekdays}*-${months}-${days} ${time}`];
  return [`*-${months}-${days} ${time}`, `${weekdays}*-${months}-* ${time}`];
}

function list(numbers: readonly number[], all: number): string {
  return numbers.length === all ? "*" : numbers.map((number) => String(number).padStart(2, "0")).join(",");
}
