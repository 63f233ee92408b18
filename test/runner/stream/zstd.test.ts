import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { compressor, decompressor } from "../../../runner/stream/zstd.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { ensureProgram } from "../../helpers/ensure-program.ts";
import { through } from "../../helpers/through.ts";

const haveZstd = await ensureProgram("zstd", "zstd");

/** Bytes of which a part compresses. */
function sample(size: number): Buffer {
  return Buffer.concat([bytesOf(size >> 1), Buffer.alloc(size - (size >> 1), "abc")]);
}

const compress = (plain: Buffer, level = 1) => through(streamOf(plain, 100_003), compressor(level));
const decompress = (stored: Buffer) => through(streamOf(stored, 50_021), decompressor());

describe.each([0, 1, 128 * 1024, 3_000_001])("%i bytes", (size) => {
  it("come back", async () => {
    for (const level of [1, 3, 19]) {
      expect((await decompress(await compress(sample(size), level))).equals(sample(size))).toBe(true);
    }
  });

  it.runIf(haveZstd)("are read by the zstd program, which finds a checksum", async () => {
    const stored = await compress(sample(size));
    const { status, stdout } = spawnSync("zstd", ["-d", "-q"], { input: stored, maxBuffer: 64 << 20 });
    expect(status).toBe(0);
    expect(stdout.equals(sample(size))).toBe(true);
    // Bit 2 of the frame header's first byte, RFC 8878, section 3.1.1.1.1.
    expect((stored[4] ?? 0) & 4).toBe(4);
  });
});

it("compresses", async () => {
  expect((await compress(Buffer.alloc(1_000_000, "abcdef"))).length).toBeLessThan(10_000);
});

it("refuses what is cut off", async () => {
  const stored = await compress(sample(500_000));
  for (const length of [0, 1, 4, 10, stored.length >> 1, stored.length - 4, stored.length - 1]) {
    await expect(decompress(stored.subarray(0, length)), `${length} bytes`).rejects.toThrow();
  }
});

it("refuses a changed byte", async () => {
  const stored = await compress(sample(500_000));
  for (const position of [0, 1, 20, stored.length >> 1, stored.length - 5, stored.length - 1]) {
    const damaged = Buffer.from(stored);
    damaged[position] = (damaged[position] ?? 0) ^ 1;
    await expect(decompress(damaged), `byte ${position}`).rejects.toThrow();
  }
});
