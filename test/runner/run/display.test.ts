import { describe, expect, it } from "vitest";
import { describeKept } from "../../../runner/backups/catalogue/retention.ts";
import { Display, fromNow } from "../../../runner/run/display.ts";

const now = new Date("2026-11-28T12:00:00Z");
const terminal = new Display({ isTTY: true, columns: 80 }, now);
const pipe = new Display({ isTTY: false }, now);

it.each([
  ["2026-11-28T12:00:00Z", "in 0 seconds"],
  ["2026-11-28T11:58:01Z", "119 seconds ago"],
  ["2026-11-28T11:58:00Z", "2 minutes ago"],
  ["2026-11-28T10:00:01Z", "119 minutes ago"],
  ["2026-11-28T10:00:00Z", "2 hours ago"],
  ["2026-11-26T12:00:01Z", "47 hours ago"],
  ["2026-11-26T12:00:00Z", "2 days ago"],
  ["2026-09-30T12:00:00Z", "59 days ago"],
  ["2026-09-29T12:00:00Z", "2 months ago"],
  ["2024-11-28T12:00:00Z", "2 years ago"],
  ["2026-12-01T13:00:00Z", "in 3 days"],
  ["2027-11-28T12:00:00Z", "in 12 months"],
  ["2099-12-31T23:59:59Z", "in 73 years"],
])("says of %s how far away it is", (time, words) => {
  expect(fromNow(new Date(time), now)).toBe(words);
});

describe("at a terminal", () => {
  it("a time stands with how far away it is", () => {
    expect(terminal.moment("as of 10:00", new Date("2026-11-28T10:00:00Z"))).toBe("as of 10:00 (2 hours ago)");
  });

  it.each([
    ["2026-11-28", "today"],
    ["2026-11-29", "tomorrow"],
    ["2026-11-27", "yesterday"],
    ["2026-12-05", "in 7 days"],
    ["2027-02-28", "in 3 months"],
    ["2026-10-31", "28 days ago"],
  ])("the day %s is counted by the calendar", (date, words) => {
    expect(terminal.day(date)).toBe(`${date} (${words})`);
  });

  it("a kept backup says in how many days it may go", () => {
    const kept = { reasons: [{ rule: "weekly" as const, position: 1, of: 8 }], until: "2026-12-05" };
    expect(describeKept(kept, terminal.day)).toBe("weekly 1/8; until 2026-12-05 (in 7 days)");
    expect(describeKept(kept)).toBe("weekly 1/8; until 2026-12-05");
  });

  it("a terminal that does not know its size is one, too", () => {
    expect(new Display({ isTTY: true, columns: 0 }, now).day("2026-11-28")).toBe("2026-11-28 (today)");
  });
});

it("elsewhere a time is exact alone", () => {
  expect(pipe.moment("as of 10:00", new Date("2026-11-28T10:00:00Z"))).toBe("as of 10:00");
  expect(pipe.day("2026-11-28")).toBe("2026-11-28");
  expect(pipe.fromNow(now)).toBeUndefined();
});

describe("a table", () => {
  const rows = [
    ["20260101T000000Z-abcdef", "verified", "all that there is of it"],
    ["x", "suspicious", ""],
  ];

  it("stands in columns at a terminal that is wide enough", () => {
    expect(terminal.table(rows, 1)).toEqual([
      "20260101T000000Z-abcdef  verified    all that there is of it",
      "x                        suspicious",
    ]);
  });

  it("has its widest columns shortened at a narrow one, but for those that are to stay whole", () => {
    const narrow = new Display({ isTTY: true, columns: 50 }, now);
    expect(narrow.table(rows, 1)).toEqual([
      "20260101T000000Z-abcdef  verified    all that the…",
      "x                        suspicious",
    ]);
    expect(narrow.table(rows, 0)[0]).toHaveLength(50);
  });

  it("keeps something of each column, however narrow", () => {
    const lines = new Display({ isTTY: true, columns: 10 }, now).table(rows, 0);
    expect(lines[0]).toBe("2026010…  verified  all tha…");
  });

  it("has no column without anything in it", () => {
    expect(
      terminal.table(
        [
          ["a", "", "b"],
          ["c", "", ""],
        ],
        0,
      ),
    ).toEqual(["a  b", "c"]);
  });

  it("is not touched elsewhere: each line is whole, without empty cells", () => {
    expect(pipe.table(rows, 1)).toEqual([
      "20260101T000000Z-abcdef  verified  all that there is of it",
      "x  suspicious",
    ]);
  });
});
