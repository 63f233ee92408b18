import { pipeline } from "node:stream/promises";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Measure } from "../../../runner/stream/meter.ts";
import { HoldBack } from "../../../runner/stream/hold-back.ts";
import { bytesOf, digest, streamOf } from "../../helpers/bytes.ts";
import { Received } from "../../helpers/through.ts";

/** Bytes on their way through a hold-back whose proof is still to come. */
function waiting(size: number, pieceSize: number) {
  const { promise: asked, resolve: ask } = Promise.withResolvers<Measure<"sha256">>();
  const { promise: proof, resolve: prove, reject: refute } = Promise.withResolvers<undefined>();
  const received = new Received();
  const holdBack = new HoldBack("sha256", (measure) => {
    ask(measure);
    return proof;
  });
  const done = pipeline([streamOf(bytesOf(size), pieceSize), holdBack, received]);
  done.catch(() => undefined);
  return { asked, prove: prove.bind(undefined, undefined), refute, received, done };
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

it.each([
  [0, 10, 0],
  [7, 10, 0],
  [100_000, 10_000, 90_000],
  [100_001, 10_000, 100_000],
])("gives of %i bytes, in pieces of %i, only %i before the proof", async (size, piece, before) => {
  const { asked, prove, received, done } = waiting(size, piece);
  const { size: measured, sha256 } = await asked;
  expect(`${measured} ${sha256}`).toBe(digest(bytesOf(size)));
  await settle();
  expect(received.bytes).toEqual(bytesOf(size).subarray(0, before));
  prove();
  await done;
  expect(received.bytes).toEqual(bytesOf(size));
});

it("has a CRC-32 proven where that is what it is to be proven by", async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<Measure<"crc32">>();
  const holdBack = new HoldBack("crc32", (measure) => {
    ask(measure);
    return Promise.resolve();
  });
  await pipeline([streamOf(Buffer.from("123456789"), 4), holdBack, new Received()]);
  expect(await asked).toEqual({ size: 9, crc32: "cbf43926" });
});

it("never gives the last piece where the proof fails", async () => {
  const { asked, refute, received, done } = waiting(100_000, 10_000);
  await asked;
  refute(new Error("the checksum differs"));
  await expect(done).rejects.toThrow("the checksum differs");
  await settle();
  expect(received.bytes).toEqual(bytesOf(100_000).subarray(0, 90_000));
});
