import { expect, it } from "vitest";
import { checkObjectives } from "../../../runner/operations/doctor/check-objectives.ts";

const check = (cron: string, recoveryPoint: string, timezone = "UTC") => [
  ...checkObjectives({ schedule: { cron, timezone }, objectives: { recoveryPoint } }),
];

it.each([
  ["0 3 * * *", "24h", "objectives.recoveryPoint is 24h, and up to 24 h are between its runs", undefined],
  [
    "0 3 * * 0",
    "24h",
    'objectives.recoveryPoint is 24h, but up to 168 h are between its runs ("0 3 * * 0")',
    "Run the job more often",
  ],
  [
    "0 */4 * * *",
    "30m",
    'objectives.recoveryPoint is 30m, but up to 4 h are between its runs ("0 */4 * * *")',
    "Run the job more often",
  ],
  [
    "0 3 1 1 *",
    "52w",
    'objectives.recoveryPoint is 52w, but it runs less than twice a year ("0 3 1 1 *")',
    "Run the job more often",
  ],
])("compares the schedule %s with the promise %s", (cron, recoveryPoint, detail, fix) => {
  const [{ fix: said, ...found } = { fix: undefined }, ...more] = check(cron, recoveryPoint);
  expect([found, more]).toEqual([{ name: "objectives: schedule", ok: true, detail }, []]);
  expect(said?.slice(0, 22)).toBe(fix);
});

it("does not count the hour that a change of clocks adds", () => {
  expect(check("0 3 * * *", "24h", "Europe/Berlin")[0]?.fix).toBeUndefined();
});

it("says nothing without a schedule or a promise", () => {
  expect([...checkObjectives({})]).toEqual([]);
  expect([
    ...checkObjectives({ objectives: { recoveryTime: "1h" }, schedule: { cron: "0 3 * * *", timezone: "UTC" } }),
  ]).toEqual([]);
});
