import { pipeline } from "node:stream/promises";
import { expect, it } from "vitest";
import { PieceSums } from "../../../runner/stream/piece-sums.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { Received, through } from "../../helpers/through.ts";

const PIECE = 256 * 1024;

it.each([0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17])(
  "passes %i bytes on when they are the same again",
  async (size) => {
    const sums = new PieceSums(size);
    for (let reading = 0; reading < 3; reading += 1) {
      expect((await through(streamOf(bytesOf(size), 49_999), sums.stage())).equals(bytesOf(size))).toBe(true);
    }
  },
);

it.each([
  ["its first byte", 0, 0],
  ["the last byte of its first piece", PIECE - 1, 0],
  ["the first byte of its second piece", PIECE, PIECE],
  ["its last byte", 3 * PIECE + 16, 3 * PIECE],
])("passes nothing of a piece on where %s has changed", async (_what, at, passed) => {
  const bytes = bytesOf(3 * PIECE + 17);
  const sums = new PieceSums(bytes.length);
  await through(streamOf(bytes), sums.stage());
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  const received = new Received();
  await expect(pipeline([streamOf(changed, 70_001), sums.stage(), received])).rejects.toMatchObject({
    code: "INTEGRITY",
    message: "it changed between two readings",
  });
  expect(received.bytes.equals(bytes.subarray(0, passed))).toBe(true);
});

it("refuses bytes behind those that there were", async () => {
  const sums = new PieceSums(PIECE);
  await through(streamOf(bytesOf(PIECE)), sums.stage());
  await expect(through(streamOf(bytesOf(PIECE + 1)), sums.stage())).rejects.toThrow("it changed between two readings");
});
