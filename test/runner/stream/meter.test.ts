import { expect, it } from "vitest";
import { ByteMeter, MeterStream, type Measure } from "../../../runner/stream/meter.ts";
import { bytesOf, digest, streamOf } from "../../helpers/bytes.ts";
import { through } from "../../helpers/through.ts";

it.each([0, 1, 1_000_003])("passes %i bytes on unchanged and measures them", async (size) => {
  let measure: Measure<"sha256"> | undefined;
  const out = await through(
    streamOf(bytesOf(size), 4999),
    new MeterStream((result) => {
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
  const meter = new MeterStream(() => {
    throw new Error("too small");
  });
  await expect(through(streamOf(bytesOf(10)), meter)).rejects.toThrow("too small");
});
