import { describe, expect, it } from "vitest";
import { transformed } from "../../components/transform.ts";

interface Args {
  readonly size: number;
  readonly color?: string;
}

describe("transformed", () => {
  it("passes everything on where there is no transform", () => {
    const opts = { protect: true };
    expect(transformed<Args>(undefined, "child", { size: 1 }, opts)).toEqual(["child", { size: 1 }, opts]);
  });

  it("merges an object over the arguments", () => {
    expect(transformed<Args>({ color: "red" }, "child", { size: 1, color: "blue" }, {})).toEqual([
      "child",
      { size: 1, color: "red" },
      {},
    ]);
  });

  it("lets a function change arguments and options, and tells it the name", () => {
    const result = transformed<Args>(
      (args, opts, name) => ({ args: { ...args, color: name }, opts: { ...opts, protect: true } }),
      "child",
      { size: 1 },
      { retainOnDelete: true },
    );
    expect(result).toEqual(["child", { size: 1, color: "child" }, { retainOnDelete: true, protect: true }]);
  });
});
