import { once } from "node:events";
import { PassThrough, Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { pump } from "../../../providers/transfer/pump.ts";
import { storeStream } from "../../../runner/backups/dump.ts";
import { FanOut } from "../../../runner/stream/fan-out.ts";
import { feed } from "../../../runner/stream/feed.ts";
import { writePiece } from "../../../runner/stream/write-piece.ts";
import { compressor } from "../../../runner/stream/zstd.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { openStore } from "../../helpers/store.ts";

// Each of these waits for ever where it relies on a callback that a destroyed stream drops.

/** Much longer than any of them takes; none waits for a server. */
const LIMIT_MS = 10_000;

/** How a promise ended; "hangs" where it did not within the limit. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  const ended = promise.then(
    () => "done",
    (error: unknown) => error,
  );
  return Promise.race([ended, sleep(LIMIT_MS, "hangs", { ref: false })]);
}

it("a compressor that is destroyed while its output is full ends the feed, and its source", async () => {
  const zstd = compressor(1);
  zstd.on("error", () => undefined);
  const source = streamOf(bytesOf(20_000_000));
  const fed = outcome(feed(source, zstd, "sha256", () => undefined));
  // Nobody reads it: it takes what its buffer holds of the output, and then waits.
  await sleep(300);
  const failure = new Error("no destination is left");
  zstd.destroy(failure);
  expect(await fed).toBe(failure);
  expect(source.destroyed).toBe(true);
});

it.each(["an error", "none"])(
  "a PassThrough that is destroyed with %s while it is full ends the write",
  async (how) => {
    const stream = new PassThrough();
    stream.on("error", () => undefined);
    const written = outcome(writePiece(stream, bytesOf(100_000)));
    await sleep(20);
    stream.destroy(how === "none" ? undefined : new Error("the reader has failed"));
    expect(String(await written)).toMatch(how === "none" ? /was closed before it took all/ : /the reader has failed/);
    // And one that is closed already takes nothing.
    expect(await outcome(writePiece(stream, bytesOf(10)))).toBeInstanceOf(Error);
  },
);

it("a fan-out whose last branch fails ends at once, though nothing comes to be written", async () => {
  const fan = new FanOut(2, 60_000);
  const closed = once(fan, "close").catch((error: unknown) => error);
  fan.write(bytesOf(1000));
  fan.branches[0]?.destroy(new Error("the disk is full"));
  await sleep(20);
  expect(fan.destroyed).toBe(false);
  fan.branches[1]?.destroy();
  expect(await outcome(closed)).toBe("done");
  expect(fan.abandoned).toBe(true);
});

it("a sink that is closed without an error ends the pump", async () => {
  const source = new PassThrough();
  const sink = new Writable({ write: () => undefined });
  const pumped = outcome(pump(source, sink, new AbortController().signal));
  source.write("x");
  sink.destroy();
  expect(await pumped).toMatchObject({ code: "ABORTED" });
  expect(source.destroyed).toBe(true);
});

it.each([
  ["a silent source", () => new PassThrough({ readableHighWaterMark: 1 })],
  ["one that has much more to give", () => Readable.from(pieces(), { objectMode: false })],
])("stores a stream of %s: when its only store fails, it says so", async (_what, make) => {
  const store = await openStore("/proc/no-such-folder");
  const source = make();
  if (source instanceof PassThrough) source.write("x");
  const stored = storeStream({ open: () => source }, [store], "a/file.zst", {
    level: 1,
    plainSum: "crc32",
    recipients: [],
    patienceMs: 60_000,
    signal: new AbortController().signal,
    progress: () => undefined,
    measureUpload: (_store, upload) => upload(),
  });
  expect(await outcome(stored)).toBe("done");
  expect((await stored).failures).toEqual([expect.objectContaining({ code: "CONFIG" })]);
  expect(source.destroyed).toBe(true);
});

function* pieces(): Generator<Buffer> {
  for (let piece = 0; piece < 2_000; piece += 1) yield bytesOf(65_536, piece % 256);
}
