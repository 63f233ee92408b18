import { execFileSync, spawnSync } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { constants, zstdCompressSync } from "node:zlib";
import { expect, it } from "vitest";
import { openPlain } from "../../../runner/backups/open-plain.ts";
import { compressor } from "../../../runner/stream/zstd.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { ensureProgram } from "../../helpers/ensure-program.ts";
import { measured } from "../../helpers/measured.ts";
import { through } from "../../helpers/through.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";

const haveZstd = await ensureProgram("zstd", "zstd");
const never = new AbortController().signal;
const KEY = "prod/app/20260102T030405Z-1a2b3c/database.dump.zst";

/** What the zstd program makes of stored bytes; undefined where it refuses them. */
function byProgram(stored: Buffer): Buffer | undefined {
  const { status, stdout } = spawnSync("zstd", ["-d", "-c"], { input: stored, maxBuffer: 64 * 1024 * 1024 });
  return status === 0 ? stdout : undefined;
}

/** What a restore would read of stored bytes that arrive in pieces of a size, by a manifest that says `plain` of them. */
function byRunner(stored: Buffer, plain: Buffer, pieceSize: number): Promise<Buffer> {
  const storage = { download: () => Promise.resolve(streamOf(stored, pieceSize)) } as unknown as StorageProvider;
  const object = { stored: measured(stored), plain: measured(plain), encryption: null };
  return buffer(openPlain({ storage, key: KEY, object, fileKey: undefined }, never));
}

const FIRST = bytesOf(150_000);
const SECOND = Buffer.from("SELECT 1;\n".repeat(100));
const frame = (bytes: Buffer) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const skippable = Buffer.concat([Buffer.from("502a4d1804000000", "hex"), Buffer.from("abcd")]);

it.skipIf(!haveZstd).each<[string, Buffer[]]>([
  ["a second frame", [frame(FIRST), frame(SECOND)]],
  ["an empty second frame", [frame(FIRST), frame(Buffer.alloc(0))]],
  ["a frame that is skipped", [frame(FIRST), skippable]],
  ["a frame that is skipped before it", [skippable, frame(FIRST)]],
  ["bytes of no frame", [frame(FIRST), Buffer.from("garbage")]],
  ["a byte", [frame(FIRST), Buffer.alloc(1)]],
  ["nothing, for it is empty", []],
])("an object with %s is damaged, whatever its manifest covers and however it arrives", async (_what, parts) => {
  const stored = Buffer.concat(parts);
  const covered = [FIRST, Buffer.alloc(0), byProgram(stored) ?? FIRST];
  for (const pieceSize of [1 << 20, 65_536, 1000, parts[0]?.length ?? 1]) {
    for (const plain of covered) {
      const refused = { code: "INTEGRITY", message: expect.stringMatching(`^${KEY}: `) as string };
      await expect(byRunner(stored, plain, pieceSize), `in pieces of ${pieceSize}`).rejects.toMatchObject(refused);
    }
  }
});

const inputs: [string, Buffer][] = [
  ["nothing", Buffer.alloc(0)],
  ["a byte", Buffer.from("a")],
  ["zeros", Buffer.alloc(1_000_000)],
  ["what cannot be compressed", FIRST],
  ["text", Buffer.from(Array.from({ length: 20_000 }, (_, index) => `${index}\trow ${index % 97}\n`).join(""))],
];

it.skipIf(!haveZstd).each(inputs)("a frame of %s comes out as the zstd program gives it", async (_what, plain) => {
  const options = [
    ["-1"],
    ["-19"],
    ["--no-check"],
    ["--fast=5"],
    ["-3", `--stream-size=${plain.length}`],
    ["--long=27"],
  ];
  const frames = options.map((option) => execFileSync("zstd", ["-c", "-q", ...option], { input: plain }));
  for (const stored of [frame(plain), await through(Readable.from([plain]), compressor(3)), ...frames]) {
    expect(byProgram(stored)?.equals(plain)).toBe(true);
    for (const pieceSize of [1 << 20, 4096, Math.max(1, stored.length >> 8)]) {
      expect((await byRunner(stored, plain, pieceSize)).equals(plain), `in pieces of ${pieceSize}`).toBe(true);
    }
    for (const length of [stored.length - 1, stored.length >> 1, 5, 3]) {
      await expect(byRunner(stored.subarray(0, length), plain, 4096)).rejects.toMatchObject({ code: "INTEGRITY" });
    }
  }
});

it("reads no further than the manifest says, of what decompresses to more", async () => {
  const bomb = frame(Buffer.alloc(200_000_000));
  let read = 0;
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0; at < bomb.length; at += 100) {
      read = at;
      yield bomb.subarray(at, at + 100);
    }
  };
  const bytes = Readable.from(pieces(), { objectMode: false, highWaterMark: 1 });
  const storage = { download: () => Promise.resolve(bytes) } as unknown as StorageProvider;
  const object = { stored: measured(bomb), plain: { size: 1_000, sha256: "0".repeat(64) }, encryption: null };
  await expect(buffer(openPlain({ storage, key: KEY, object, fileKey: undefined }, never))).rejects.toMatchObject({
    code: "INTEGRITY",
    message: `${KEY}: decompressed it has more than the manifest's 1000 bytes.`,
  });
  expect(read).toBeLessThan(bomb.length);
});
