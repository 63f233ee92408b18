import { PassThrough, Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { zstdDecompressSync } from "node:zlib";
import { expect, it } from "vitest";
import { feed } from "../../../runner/stream/feed.ts";
import { compressor } from "../../../runner/stream/zstd.ts";
import { measuredByCrc32 } from "../../helpers/measured.ts";
import { bytesOf, digest, streamOf } from "../../helpers/bytes.ts";

const SLAB = 1024 * 1024;

it.each([0, 1, SLAB - 1, SLAB, SLAB + 1, 2 * SLAB, 5_000_011])(
  "sends %i bytes through a compressor and measures them",
  async (size) => {
    const seen: number[] = [];
    const zstd = compressor(1);
    const [measure, compressed] = await Promise.all([
      feed(streamOf(bytesOf(size), 10_007), zstd, "sha256", (bytes) => seen.push(bytes)),
      buffer(zstd),
    ]);
    expect(zstdDecompressSync(compressed).equals(bytesOf(size))).toBe(true);
    expect(`${measure.size} ${measure.sha256}`).toBe(digest(bytesOf(size)));
    expect(seen.at(-1)).toBe(size);
  },
);

it("takes pieces that are larger than its buffers", async () => {
  const zstd = compressor(1);
  const whole = bytesOf(3_000_001);
  const [measure, compressed] = await Promise.all([
    feed(Readable.from([whole]), zstd, "sha256", () => undefined),
    buffer(zstd),
  ]);
  expect(measure.size).toBe(whole.length);
  expect(zstdDecompressSync(compressed).equals(whole)).toBe(true);
});

it("sums up what came from the source: a byte that is changed on the way to the compressor is found by it", async () => {
  const whole = bytesOf(3_000_001);
  const broken = Buffer.from(whole);
  // The memory that the second buffer is in flips a bit.
  broken.copy = (target, start = 0, from = 0) => {
    const copied = whole.copy(target, start, from);
    if (from === SLAB) target[start] = (target[start] ?? 0) ^ 1;
    return copied;
  };
  const zstd = compressor(1);
  const [measure, compressed] = await Promise.all([
    feed(Readable.from([broken]), zstd, "crc32", () => undefined),
    buffer(zstd),
  ]);
  expect(measure).toEqual(measuredByCrc32(whole));
  // The compressor's own checksum fits what it was given.
  const plain = zstdDecompressSync(compressed);
  expect(plain.compare(whole)).not.toBe(0);
  expect(measuredByCrc32(plain).crc32).not.toBe(measure.crc32);
});

it("writes large pieces, the next one only when the last but one is done with", async () => {
  const pieces: number[] = [];
  let busy = 0;
  const slow = new Writable({
    write(chunk: Buffer, _encoding, done) {
      pieces.push(chunk.length);
      busy += 1;
      expect(busy).toBe(1);
      setTimeout(() => {
        busy -= 1;
        done();
      }, 5);
    },
  });
  await feed(streamOf(bytesOf(4_000_000), 10_007), slow, "sha256", () => undefined);
  expect(pieces.slice(0, -1)).toEqual([SLAB, SLAB, SLAB]);
});

it("destroys the compressor with the source's error", async () => {
  const failure = new Error("pg_dump exited with 1");
  const source = new Readable({
    read() {
      this.push(bytesOf(100_000));
      this.destroy(failure);
    },
  });
  const zstd = compressor(1);
  const closed = new Promise((resolve) => zstd.on("error", resolve));
  await expect(feed(source, zstd, "sha256", () => undefined)).rejects.toBe(failure);
  expect(await closed).toBe(failure);
});

it("gives up a silent source when the compressor is destroyed", async () => {
  const source = new PassThrough();
  source.write(bytesOf(10_000));
  const zstd = compressor(1);
  zstd.on("error", () => undefined);
  setTimeout(() => zstd.destroy(new Error("no destination is left")), 20);
  await expect(feed(source, zstd, "sha256", () => undefined)).rejects.toThrow();
  expect(source.destroyed).toBe(true);
});
