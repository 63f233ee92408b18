import { expect, it } from "vitest";
import { draw, FAULT_NAMES, seedOf, STORES } from "./random/scenario.ts";

const nothing = { stores: [], faults: [] };
const anything = { fault: undefined, command: undefined, store: undefined };

it("the same seed draws the same run, and runs of one seed differ", () => {
  const drawn = Array.from({ length: 50 }, (_, run) => JSON.stringify(draw(seedOf(7, run), nothing, anything)));
  expect(Array.from({ length: 50 }, (_, run) => JSON.stringify(draw(seedOf(7, run), nothing, anything)))).toEqual(
    drawn,
  );
  expect(new Set(drawn).size).toBe(50);
});

it("every fault and every store is drawn, and nothing that the machine lacks", () => {
  const drawn = Array.from({ length: 10_000 }, (_, run) => draw(seedOf(1, run), nothing, anything));
  expect(new Set(drawn.map(({ fault }) => fault.name))).toEqual(new Set(FAULT_NAMES));
  expect(new Set(drawn.flatMap(({ job }) => job.stores))).toEqual(new Set(STORES));
  const missing = { stores: ["s3"], faults: ["clock ahead"] } as const;
  const others = Array.from({ length: 2_000 }, (_, run) => draw(seedOf(1, run), missing, anything));
  expect(others.filter(({ fault, job }) => fault.name === "clock ahead" || job.stores.includes("s3"))).toEqual([]);
});

it("only what is wanted is drawn, and what cannot be is said", () => {
  const wanted = { fault: "disk", command: "copy", store: "s3" };
  expect(draw(1, nothing, wanted)).toMatchObject({ command: "copy", fault: { name: "disk full" } });
  expect(() => draw(1, nothing, { ...anything, fault: "no such fault" })).toThrow("No run fits --fault");
});
