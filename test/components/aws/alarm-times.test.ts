import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BackupAlarms } from "../../../components/aws/backup-alarms.ts";
import { inputsOf } from "../../helpers/aws.ts";
import { changes, type Metric, type Reading } from "../../helpers/cloudwatch.ts";
import { mockEngine, registered } from "../../helpers/mocks.ts";
import { ROOT } from "../../../tools/tests/imports.ts";

const ALARM = "cloudwatch/metricAlarm:MetricAlarm";

/** On a Monday evening. */
const MADE = "2026-03-02T20:17:00Z";

/** The number of the hour that a time is in. */
const hourOf = (time: string): number => Math.floor(Date.parse(time) / 3_600_000);
const timeOf = (hour: number): string => new Date(hour * 3_600_000).toISOString().slice(0, 16);

/** A metric that has 1 in the hours of some times. */
const ones = (...times: readonly string[]): Metric => new Map(times.map((time) => [hourOf(time), 1]));

/** Times of each day from one to another, both included, in March 2026. */
const days = (from: number, to: number, clock: string): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `2026-03-${String(from + index).padStart(2, "0")}T${clock}Z`);

/** The readings of what CloudWatch's documentation leaves open. */
const READINGS: readonly Reading[] = [0, 2].flatMap((furtherPeriods) =>
  [false, true].map((fillsEmpty) => ({ furtherPeriods, fillsEmpty })),
);

const daily = { name: "app", schedule: { cron: "0 3 * * *", timezone: "UTC" }, prefix: "x/prod/app", since: MADE };
const weekly = { name: "crm", schedule: { cron: "30 4 * * 0", timezone: "UTC" }, since: MADE };

async function alarmOf(job: typeof daily | typeof weekly, name: RegExp) {
  const recorded = await mockEngine();
  const common = { clusterArn: "arn:cluster", bucketName: "backups", deadLetterQueueName: "dead", keyArn: "arn:key" };
  await registered(new BackupAlarms("alarms", { stack: "prod", jobs: [job], ...common }));
  return inputsOf(recorded, ALARM, name);
}

/** When an alarm of a stack rings from its creation to the end of 31 March, and when it is over: times of the hours. */
async function rings(
  job: typeof daily | typeof weekly,
  name: RegExp,
  metrics: Readonly<Record<string, Metric>>,
  reading: Reading,
): Promise<string[]> {
  const alarm = await alarmOf(job, name);
  return changes(alarm, metrics, hourOf(MADE), hourOf("2026-04-01T00:00Z"), reading)
    .filter(([, state], index) => index > 0 || state !== "OK")
    .map(([hour, state]) => `${state} ${timeOf(hour)}`);
}

/** A time some hours later, as an hour. */
const later = (time: string, hours: number): string => timeOf(hourOf(time) + hours);

describe.each(READINGS)(
  "a daily job, with $furtherPeriods further periods, FILL of nothing fills: $fillsEmpty",
  (reading) => {
    describe.each([
      ["late", /-late$/, "RunSucceeded"],
      ["no-object", /-no-object$/, "MatchedEvents"],
    ])("%s", (_, name, metric) => {
      it("is quiet in a new stack, and as long as each run succeeds", async () => {
        expect(await rings(daily, name, { [metric]: ones(...days(3, 31, "03:20")) }, reading)).toEqual([]);
      });

      it("rings for a missed first run once the grace is over, where there are no data at all", async () => {
        // Due at 3:00, and three hours of grace; what is looked at beyond the window belongs to the time before.
        expect(await rings(daily, name, {}, reading)).toEqual([
          `ALARM ${later("2026-03-03T06:00Z", reading.fillsEmpty ? 0 : reading.furtherPeriods)}`,
        ]);
      });

      it("rings for a missed later run, and is over with the next backup", async () => {
        const times = days(3, 31, "03:20").filter((time) => !time.startsWith("2026-03-06"));
        const [rang, over, ...others] = await rings(daily, name, { [metric]: ones(...times) }, reading);
        expect(others).toEqual([]);
        expect([rang, over]).toEqual(["ALARM 2026-03-06T06:00", "OK 2026-03-07T03:00"]);
      });

      it("is over with a backup by hand, before the first run too", async () => {
        const metrics = { [metric]: ones("2026-03-03T09:30Z", ...days(4, 31, "03:20")) };
        const [rang, over, ...others] = await rings(daily, name, metrics, reading);
        expect(rang).toMatch(/^ALARM 2026-03-03T0[68]:00$/);
        expect([over, others]).toEqual(["OK 2026-03-03T09:00", []]);
      });
    });
  },
);

describe.each(READINGS)(
  "a weekly job, with $furtherPeriods further periods, FILL of nothing fills: $fillsEmpty",
  (reading) => {
    const zeros = days(2, 31, "20:18");
    const sundays = ["2026-03-08T04:30Z", "2026-03-15T04:30Z", "2026-03-22T04:30Z", "2026-03-29T04:30Z"];
    /** A metric with the daily zeros that its schedule writes, and ones. */
    const withZeros = (times: readonly string[]): Metric =>
      new Map([...zeros.map((time): [number, number] => [hourOf(time), 0]), ...ones(...times)]);
    const late = (succeeded: readonly string[]) =>
      rings(weekly, /-late$/, { BackupDue: withZeros(sundays), RunSucceeded: withZeros(succeeded) }, reading);
    const succeeded = ["2026-03-08T05:00Z", "2026-03-15T05:00Z", "2026-03-22T05:00Z", "2026-03-29T05:00Z"];

    it("is quiet in a new stack, and as long as each run succeeds", async () => {
      expect(await late(succeeded)).toEqual([]);
    });

    it("rings a day after a missed first run, and is over with a backup", async () => {
      expect(await late(["2026-03-10T09:30Z", ...succeeded.slice(1)])).toEqual([
        "ALARM 2026-03-09T03:00",
        "OK 2026-03-10T09:00",
      ]);
    });

    it("rings for a missed later run", async () => {
      const [rang, over, ...others] = await late(succeeded.filter((time) => !time.startsWith("2026-03-22")));
      expect(rang).toMatch(/^ALARM 2026-03-23T0[345]:00$/);
      expect(over).toMatch(/^OK 2026-03-29T0[45]:00$/);
      expect(others).toEqual([]);
    });

    // Where FILL fills a metric without any data, such an alarm has nothing to tell it by.
    it(`${reading.fillsEmpty ? "is quiet" : "rings"} where nothing marks when it is due, and never before it is`, async () => {
      const rang = [expect.stringMatching(/^ALARM 2026-03-09T0[345]:00$/)];
      expect(await rings(weekly, /-late$/, {}, reading)).toEqual(reading.fillsEmpty ? [] : rang);
    });
  },
);

describe("the table of docs/monitoring.md", () => {
  type Metrics = Readonly<Record<string, Metric>>;
  interface Cell {
    readonly alarms: readonly (readonly [job: typeof daily | typeof weekly, name: RegExp, metrics: Metrics])[];
    /** From when on hours are counted. */
    readonly from: string;
    /** What is waited for. */
    readonly state: "ALARM" | "OK";
  }

  const sunday = { ...weekly, schedule: { cron: "0 4 * * 0", timezone: "UTC" } };
  const sundays = ["2026-03-08T04:00Z", "2026-03-15T04:00Z", "2026-03-22T04:00Z", "2026-03-29T04:00Z"];
  const nights = days(3, 31, "03:20");
  const [firstNight, laterNight] = ["2026-03-03T03:00Z", "2026-03-06T03:00Z"];
  const [firstSunday = "", , laterSunday = ""] = sundays;
  const before = (time: string) => (other: string) => Date.parse(other) < Date.parse(time);
  const except = (time: string, times: readonly string[]) => times.filter((each) => hourOf(each) !== hourOf(time));
  const zero = (time: string): Metric => new Map([[hourOf(time), 0]]);

  /** Both alarms of a daily job, for the times of its backups; `failed` of a run that ends without one. */
  const ofDaily = (times: readonly string[], from: string, state: Cell["state"] = "ALARM", failed?: string): Cell => {
    const succeeded = new Map([...ones(...times), ...(failed === undefined ? [] : zero(failed))]);
    return {
      alarms: [
        [daily, /-late$/, { RunSucceeded: succeeded }],
        [daily, /-no-object$/, { MatchedEvents: ones(...times) }],
      ],
      from,
      state,
    };
  };
  /** The alarm of a weekly job; all that its schedules write, up to a time. */
  const ofWeekly = (
    times: readonly string[],
    from: string,
    state: Cell["state"] = "ALARM",
    until = "2026-04-01T00:00Z",
  ): Cell => {
    const zeros = days(2, 31, "20:18").filter(before(until));
    const written = (values: readonly string[]): Metric =>
      new Map([...zeros.map((time): [number, number] => [hourOf(time), 0]), ...ones(...values.filter(before(until)))]);
    return { alarms: [[sunday, /-late$/, { BackupDue: written(sundays), RunSucceeded: written(times) }]], from, state };
  };

  /** Hours until all alarms have changed, by every reading of what CloudWatch's documentation leaves open. */
  async function hoursOf({ alarms, from, state }: Cell): Promise<string> {
    const found: (number | undefined)[] = [];
    for (const [job, name, metrics] of alarms) {
      const alarm = await alarmOf(job, name);
      for (const reading of READINGS) {
        const all = changes(alarm, metrics, hourOf(MADE), hourOf("2026-04-01T00:00Z"), reading);
        // A state begins with the end of the hour that shows it.
        const change = all.find(([hour, entered]) => entered === state && hour >= hourOf(from));
        found.push(change && change[0] + 1 - hourOf(from));
      }
    }
    const hours = found.filter((each) => each !== undefined);
    if (hours.length === 0) return "quiet";
    const [least, most] = [Math.min(...hours), Math.max(...hours)];
    const range = least === most ? String(least) : `${least} to ${most}`;
    return hours.length === found.length ? range : `${range}, or never`;
  }

  const made = "2026-03-03T09:00Z";
  const madeOnMonday = "2026-03-09T09:00Z";
  const rows: readonly (readonly [what: string, Cell, Cell])[] = [
    ["In a new stack, and later, each run succeeds", ofDaily(nights, MADE), ofWeekly(sundays, MADE)],
    ["The first run of a new stack is missed", ofDaily([], firstNight), ofWeekly([], firstSunday)],
    [
      "A later run is missed",
      ofDaily(except(laterNight, nights), laterNight),
      ofWeekly(except(laterSunday, sundays), laterSunday),
    ],
    [
      "A later run fails",
      ofDaily(except(laterNight, nights), laterNight, "ALARM", laterNight),
      ofWeekly(except(laterSunday, sundays), laterSunday),
    ],
    [
      "Nothing is written any more",
      ofDaily(nights.filter(before(laterNight)), laterNight),
      ofWeekly(sundays.filter(before(laterSunday)), laterSunday, "ALARM", laterSunday),
    ],
    [
      "A backup by hand after a missed run ends the alarm",
      ofDaily([made, ...nights.slice(1)], made, "OK"),
      ofWeekly([madeOnMonday, ...sundays.slice(1)], madeOnMonday, "OK"),
    ],
  ];

  it.each(rows)("has the hours of the model: %s", async (what, ofNights, ofSundays) => {
    const page = readFileSync(join(ROOT, "docs/monitoring.md"), "utf8");
    const line = page.split("\n").find((each) => each.startsWith(`| ${what} `)) ?? "";
    const cells = line
      .split("|")
      .slice(2, 4)
      .map((cell) => cell.trim());
    expect(cells).toEqual([await hoursOf(ofNights), await hoursOf(ofSundays)]);
  });

  it("has no other row", () => {
    const page = readFileSync(join(ROOT, "docs/monitoring.md"), "utf8");
    const [, section = ""] = page.split("## When an alarm on AWS rings\n");
    const table = section.split("\n## ")[0]?.match(/^\|.*$/gm) ?? [];
    expect(table.slice(2)).toHaveLength(rows.length);
  });
});
