/** Milliseconds of an hour and of a day. */
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** The periods of a retention rule, the shortest first. */
export const PERIODS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type Period = (typeof PERIODS)[number];

/** The calendar of a time zone: which hour, day, ISO week, month and year a moment is in there. */
export class Calendar {
  readonly #format: Intl.DateTimeFormat;
  /** What the clocks show at moments that were asked for before: a rule asks for each up to five times. */
  readonly #known = new Map<number, number>();

  /** @param zone a time zone of the IANA database */
  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /**
   * The number of the period that a moment is in: equal for all moments of one period, and one more for the next. Where clocks
   * are put back, the hour that comes twice is one.
   */
  numberOf(period: Period, time: Date): number {
    const wall = this.#wallClock(time);
    if (period === "hourly") return Math.floor(wall / HOUR_MS);
    const day = Math.floor(wall / DAY_MS);
    if (period === "daily") return day;
    // 1 January 1970 was a Thursday; ISO weeks start on Mondays, three days before.
    if (period === "weekly") return Math.floor((day + 3) / 7);
    const date = new Date(wall);
    return period === "yearly" ? date.getUTCFullYear() : date.getUTCFullYear() * 12 + date.getUTCMonth();
  }

  /** The first day of a period by its number, as `2026-12-31`; the day of an hour. */
  firstDay(period: Period, number: number): string {
    if (period === "hourly") return dateOf(number * HOUR_MS);
    if (period === "daily") return dateOf(number * DAY_MS);
    if (period === "weekly") return dateOf((number * 7 - 3) * DAY_MS);
    return dateOf(period === "yearly" ? Date.UTC(number, 0) : Date.UTC(Math.floor(number / 12), number % 12));
  }

  /** A moment's date in this time zone, as `2026-12-31`. */
  dateOf(time: Date): string {
    return dateOf(this.#wallClock(time));
  }

  /** What the clocks of the zone show, as milliseconds of a day in UTC. */
  #wallClock(time: Date): number {
    const known = this.#known.get(time.getTime());
    if (known !== undefined) return known;
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format.formatToParts(time)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    const wall = Date.UTC(year, month - 1, day, hour, minute, second, time.getUTCMilliseconds());
    this.#known.set(time.getTime(), wall);
    return wall;
  }
}

function dateOf(wall: number): string {
  return new Date(wall).toISOString().slice(0, 10);
}
