import { describe, expect, it } from "vitest";
import { bucketPrefix } from "../../../../components/fit-name.ts";
import { longStacks } from "../../../helpers/aws.ts";

describe("bucketPrefix", () => {
  it("joins the words", () => {
    expect(bucketPrefix("prod")).toBe("provision-prod-");
    expect(bucketPrefix("prod", "access")).toBe("provision-prod-access-");
  });

  it("cuts what is too long and keeps it apart from others that begin alike", () => {
    const prefixes = longStacks.flatMap((stack) => [bucketPrefix(stack), bucketPrefix(stack, "access")]);
    expect(new Set(prefixes).size).toBe(4);
    for (const prefix of prefixes) expect(prefix).toMatch(/^provision-s{17}-[0-9a-f]{8}-$/);
  });

  it("has no two dashes in a row where it is cut behind one", () => {
    expect(bucketPrefix("s".repeat(16), "and-more-than-fits")).toMatch(/^provision-s{16}-[0-9a-f]{8}-$/);
  });
});
