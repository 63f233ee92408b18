import { describe, expect, it } from "vitest";
import { MessageLines } from "../../../../../providers/database/postgres/messages/program-messages.ts";

describe("a program's messages", () => {
  const linesOf = (...pieces: string[]): string[] => {
    const found: string[] = [];
    const lines = new MessageLines((line) => found.push(line));
    for (const piece of pieces) lines.write(piece);
    lines.finish();
    return found;
  };

  it("are lines, however they come", () => {
    expect(linesOf("on", "e\ntwo\n", "\nthr", "ee")).toEqual(["one", "two", "", "three"]);
    expect(linesOf("one\n")).toEqual(["one"]);
  });

  it("are cut where a line has no end", () => {
    const flood = Array.from({ length: 100 }, () => "x".repeat(10_000));
    const [first = "", second] = linesOf(...flood, "\nafter it\n");
    expect(first).toBe("x".repeat(64 * 1024));
    expect(second).toBe("after it");
  });
});
