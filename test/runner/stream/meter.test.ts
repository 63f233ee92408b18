import { pipeline } from "node:stream/promises";
import { expect, it } from "vitest";
import { ByteMeter, MeterStream, type Measure } from "../../../runner/stream/meter.ts";
import { bytesOf, digest, streamOf } from "../../helpers/bytes.ts";
import { Received, through } from "../../helpers/through.ts";

it.each([0, 1, 1_000_003])("passes %i bytes on unchanged and measures them", async (size) => {
  let measure: Measure<"sha256"> | undefined;
  const out = await through(
    streamOf(bytesOf(size), 4999),
    new MeterStream("sha256", (result) => {
      measure = result;
    }),
  );
  expect(out.equals(bytesOf(size))).toBe(true);
  expect(`${measure?.size} ${measure?.sha256}`).toBe(digest(bytesOf(size)));
});

it.each([
  ["", "00000000"],
  // The check value of the CRC-32 of gzip, zip and Ethernet.
  ["123456789", "cbf43926"],
  // Its sum begins with zeros.
  ["x31", "001685f0"],
])("sums %j up to the CRC-32 %s, in one piece and byte by byte", (text, crc32) => {
  const bytes = Buffer.from(text);
  const [whole, pieces] = [new ByteMeter("crc32"), new ByteMeter("crc32")];
  whole.update(bytes);
  for (const byte of bytes) pieces.update(Buffer.of(byte));
  expect([whole.finish(), pieces.finish()]).toEqual(Array(2).fill({ size: bytes.length, crc32 }));
});

it("fails with the error of what reads the result", async () => {
  const meter = new MeterStream("sha256", () => {
    throw new Error("too small");
  });
  await expect(through(streamOf(bytesOf(10)), meter)).rejects.toThrow("too small");
});

it.each([
  [0, 10, 0],
  [7, 10, 0],
  [100_000, 10_000, 90_000],
  [100_001, 10_000, 100_000],
])("gives of %i bytes, in pieces of %i, only %i where the sum is refused", async (size, piece, before) => {
  const received = new Received();
  const meter = new MeterStream("sha256", ({ size: measured, sha256 }) => {
    expect(`${measured} ${sha256}`).toBe(digest(bytesOf(size)));
    throw new Error("the checksum differs");
  });
  await expect(pipeline([streamOf(bytesOf(size), piece), meter, received])).rejects.toThrow("the checksum differs");
  expect(received.bytes).toEqual(bytesOf(size).subarray(0, before));
});

it("has a CRC-32 taken where that is what is asked for", async () => {
  let found: Measure | undefined;
  const meter = new MeterStream("crc32", (measure) => (found = measure));
  await through(streamOf(Buffer.from("123456789"), 4), meter);
  expect(found).toEqual({ size: 9, crc32: "cbf43926" });
});
