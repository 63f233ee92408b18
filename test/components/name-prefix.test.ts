import { describe, expect, it } from "vitest";
import { namePrefix } from "../../components/name-prefix.ts";
import { longName, longStacks } from "../helpers/aws.ts";

describe("namePrefix", () => {
  it("joins the words", () => {
    expect(namePrefix(37, "prod")).toBe("provision-prod-");
    expect(namePrefix(38, "prod", "app")).toBe("provision-prod-app-");
  });

  it("cuts what is too long and keeps it apart from others that begin alike", () => {
    const prefixes = longStacks.map((stack) => namePrefix(37, stack, longName("app")));
    expect(new Set(prefixes).size).toBe(2);
    for (const prefix of prefixes) expect(prefix).toMatch(/^provision-s{17}-[0-9a-f]{8}-$/);
    expect(prefixes.map((prefix) => prefix.length)).toEqual([37, 37]);
    expect(namePrefix(37, longStacks[0])).not.toBe(namePrefix(37, longStacks[0], "access"));
  });

  it("never has two dashes in a row, which a bucket's name could have but nobody wants", () => {
    // The cut falls behind the dash.
    expect(namePrefix(28, "prod-eu", "a-very-long-job-name")).not.toContain("--");
  });
});
