import { expect, it } from "vitest";
import { MeterStream, type Measure } from "../../../runner/stream/meter.ts";
import { bytesOf, digest, streamOf } from "../../helpers/bytes.ts";
import { through } from "../../helpers/through.ts";

it.each([0, 1, 1_000_003])("passes %i bytes on unchanged and measures them", async (size) => {
  let measure: Measure | undefined;
  const out = await through(
    streamOf(bytesOf(size), 4999),
    new MeterStream((result) => {
      measure = result;
    }),
  );
  expect(out.equals(bytesOf(size))).toBe(true);
  expect(`${measure?.size} ${measure?.sha256}`).toBe(digest(bytesOf(size)));
});

it("fails with the error of what reads the result", async () => {
  const meter = new MeterStream(() => {
    throw new Error("too small");
  });
  await expect(through(streamOf(bytesOf(10)), meter)).rejects.toThrow("too small");
});
