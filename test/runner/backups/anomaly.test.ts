import { describe, expect, it } from "vitest";
import {
  anomaliesOf,
  describeAnomaly,
  figuresOf,
  History,
  isCollapse,
  type Figures,
} from "../../../runner/backups/anomaly.ts";
import { sampleManifest } from "../../helpers/sample-manifest.ts";

const MB = 1_000_000;
const usual: Figures = {
  storedBytes: 10 * MB,
  plainBytes: 50 * MB,
  seconds: 120,
  rows: new Map([
    ["public.orders", 4000],
    ["public.countries", 12],
    ["public.log", 0],
  ]),
};
const known = new Set(["public.orders", "public.countries", "public.log"]);
const changed = (changes: Partial<Figures>): Figures => ({ ...usual, ...changes });
const rows = (changes: Record<string, number | undefined>): Figures => {
  const all = new Map<string, number | undefined>([...usual.rows, ...Object.entries(changes)]);
  return changed({
    rows: new Map([...all].flatMap(([table, count]) => (count === undefined ? [] : [[table, count]]))),
  });
};
const historyOf = (backups: readonly Figures[]): History => {
  const history = new History();
  for (const figures of backups) history.add(figures);
  return history;
};
const sentences = (now: Figures, before = [usual, usual, usual], factor = 3, tables = known) =>
  anomaliesOf(now, tables, historyOf(before), factor).map(describeAnomaly);

describe("what is far from usual", () => {
  it.each<[string, Figures, string[]]>([
    ["nothing, where all is as usual", usual, []],
    [
      "a stored size of a tenth",
      changed({ storedBytes: MB }),
      ["The backup has 1.00 MB as it is stored; usual are 10.0 MB."],
    ],
    [
      "a plain size four times as large",
      changed({ plainBytes: 200 * MB }),
      ["The backup has 200 MB before compression; usual are 50.0 MB."],
    ],
    ["a duration of ten minutes", changed({ seconds: 600 }), ["The backup took 600 s; usual are 120 s."]],
    ["no short duration", changed({ seconds: 1 }), []],
    ["no half of the size", changed({ storedBytes: 5 * MB, plainBytes: 25 * MB }), []],
    [
      "a table that lost all rows",
      rows({ "public.orders": 0 }),
      ["The table public.orders has lost all its rows; usually it has about 4000."],
    ],
    [
      "a small one too",
      rows({ "public.countries": 0 }),
      ["The table public.countries has lost all its rows; usually it has about 12."],
    ],
    [
      "a table with a tenth of its rows",
      rows({ "public.orders": 400 }),
      ["The table public.orders has about 400 rows; usually it has about 4000."],
    ],
    ["no small table with few rows less", rows({ "public.countries": 3 }), []],
    ["no table that grows", rows({ "public.orders": 400_000, "public.log": 9000 }), []],
    ["no table that the server has not counted", rows({ "public.orders": undefined }), []],
  ])("is %s", (_, now, expected) => {
    expect(sentences(now)).toEqual(expected);
  });

  it("is a table that is gone", () => {
    const tables = new Set(["public.countries", "public.log"]);
    const [gone] = anomaliesOf(rows({ "public.orders": undefined }), tables, historyOf([usual]), 3);
    expect(gone && describeAnomaly(gone)).toBe("The table public.orders is gone; usually it has about 4000 rows.");
    expect(gone && isCollapse(gone)).toBe(true);
  });

  it("is by the factor that a job names", () => {
    expect(sentences(changed({ storedBytes: 4 * MB }), [usual], 2)).toHaveLength(1);
    expect(sentences(changed({ storedBytes: MB }), [usual], 20)).toEqual([]);
  });

  it("is nothing for the first backup, and no growth before there are three", () => {
    expect(sentences(changed({ storedBytes: 1 }), [])).toEqual([]);
    expect(sentences(changed({ storedBytes: 100 * MB, seconds: 9999 }), [usual, usual])).toEqual([]);
    expect(sentences(changed({ storedBytes: MB }), [usual])).toHaveLength(1);
  });

  it("is nothing of a table that most of the last backups do not have", () => {
    const without = rows({ "public.orders": undefined });
    const tables = new Set(["public.countries", "public.log"]);
    expect(sentences(without, [usual, without, without], 3, tables)).toEqual([]);
    expect(sentences(without, [without, usual, usual], 3, tables)).toEqual([
      "The table public.orders is gone; usually it has about 4000 rows.",
    ]);
  });

  it("is what most of the last backups do not have: what stays changed is usual in time", () => {
    const small = changed({ storedBytes: MB });
    const history = (count: number) => [
      ...Array<Figures>(10 - count).fill(usual),
      ...Array<Figures>(count).fill(small),
    ];
    expect(sentences(small, history(4))).toHaveLength(1);
    expect(sentences(small, history(6))).toEqual([]);
  });
});

it("the figures of a backup are those of its manifest, without what the server never counted", () => {
  const { database, ...manifest } = sampleManifest("20260102T030405Z-abcdef");
  const tables = [...database.tables, { schema: "public", name: "orders", estimatedRows: 7 }];
  expect(figuresOf({ ...manifest, database: { ...database, tables } })).toEqual({
    storedBytes: 1234,
    plainBytes: 5678,
    seconds: 61.111,
    rows: new Map([["public.orders", 7]]),
  });
});
