import { PassThrough, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { chunksOf } from "../../../providers/transfer/chunker.ts";
import { bytesOf, failingStream, streamOf, streamThen } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";

const never = new AbortController().signal;

/** What the chunks of a stream are: their bytes together, and each one's offset, length and whether it is the last. */
async function cut(source: Readable, size: number, signal = never) {
  const parts: { offset: number; length: number; last: boolean }[] = [];
  const copies: Buffer[] = [];
  for await (const { bytes, offset, last } of chunksOf(source, { size, signal })) {
    parts.push({ offset, length: bytes.length, last });
    copies.push(Buffer.from(bytes));
  }
  return { parts, bytes: Buffer.concat(copies) };
}

describe("chunksOf", () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [999, [999]],
    [1000, [1000]],
    [1001, [1000, 1]],
    [3000, [1000, 1000, 1000]],
    [3500, [1000, 1000, 1000, 500]],
  ])("cuts %i bytes into %j", async (length, lengths) => {
    for (const pieceSize of [1, 7, 1000, 1500, 10_000]) {
      const bytes = bytesOf(length);
      const { parts, bytes: joined } = await cut(streamOf(bytes, pieceSize), 1000);
      expect(parts.map((part) => part.length)).toEqual(lengths);
      expect(parts.map((part) => part.offset)).toEqual(lengths.map((_, index) => index * 1000));
      expect(parts.map((part) => part.last)).toEqual(lengths.map((_, index) => index === lengths.length - 1));
      expect(joined.equals(bytes)).toBe(true);
    }
  });

  it("keeps the bytes of a chunk until the next is asked for, and fills the next at the same time", async () => {
    const bytes = bytesOf(50_000);
    const copies: Buffer[] = [];
    for await (const chunk of chunksOf(streamOf(bytes, 700), { size: 10_000, signal: never })) {
      await sleep(10);
      copies.push(Buffer.from(chunk.bytes));
    }
    expect(Buffer.concat(copies).equals(bytes)).toBe(true);
  });

  it("uses two buffers, whatever the length", async () => {
    const buffers = new Set<ArrayBufferLike>();
    for await (const chunk of chunksOf(streamOf(bytesOf(100_000)), { size: 1000, signal: never })) {
      buffers.add(chunk.bytes.buffer);
    }
    expect(buffers.size).toBe(2);
  });

  it("reads one chunk ahead and no further, and says that bytes move", async () => {
    let given = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          given += 100_000;
          yield bytesOf(100_000);
        }
      })(),
      { objectMode: false },
    );
    let pieces = 0;
    const chunks = chunksOf(endless, { size: 1_000_000, signal: never, moved: () => (pieces += 1) });
    await chunks.next();
    await sleep(30);
    expect(given).toBeGreaterThanOrEqual(2_000_000);
    // Beside the two chunks: what waits in the streams on the way.
    expect(given).toBeLessThanOrEqual(2_700_000);
    expect(pieces).toBeGreaterThanOrEqual(20);
    await chunks.return();
    expect(endless.destroyed).toBe(true);
  });

  it("lets the source read on before it takes the time to hash what came", async () => {
    const events: string[] = [];
    let count = 0;
    const source = new Readable({
      highWaterMark: 1,
      read() {
        const number = (count += 1);
        events.push(`read ${number}`);
        setImmediate(() => this.push(number > 2 ? null : Buffer.alloc(10, number)));
      },
    });
    const moved = (piece: Buffer) => events.push(`hash ${piece[0]}`);
    for await (const chunk of chunksOf(source, { size: 1000, signal: never, moved }))
      events.push(`${chunk.bytes.length}`);
    expect(events).toEqual(["read 1", "read 2", "hash 1", "read 3", "hash 2", "20"]);
  });

  it.each([0, 999, 1000, 1001, 5000])("fails with its source after %i bytes, without a last chunk", async (length) => {
    const cause = new ProviderError("TRANSIENT", "pg_dump exited with 1");
    const source = failingStream(bytesOf(length), cause, 100);
    const lasts: boolean[] = [];
    const reading = (async () => {
      for await (const chunk of chunksOf(source, { size: 1000, signal: never })) lasts.push(chunk.last);
    })();
    expect(await failureOf(reading)).toBe(cause);
    expect(lasts).not.toContain(true);
    expect(source.destroyed).toBe(true);
  });

  it.each([0, 1000, 2500])("fails where its source is destroyed without an error after %i bytes", async (length) => {
    const source = streamThen(bytesOf(length), async (stream) => {
      await sleep(2);
      stream.destroy();
    });
    expect(await failureOf(cut(source, 1000))).toMatchObject({ code: "ABORTED" });
  });

  it("fails where a pipe is closed after it was ended, its last bytes unread", async () => {
    const pipe = new PassThrough({ highWaterMark: 1_000_000 });
    pipe.write(bytesOf(100));
    const rest = (async () => {
      for await (const chunk of chunksOf(pipe, { size: 1000, signal: never })) expect(chunk.last).toBe(false);
    })();
    await sleep(5);
    pipe.write(bytesOf(500_000));
    pipe.end();
    pipe.destroy();
    expect(await failureOf(rest)).toMatchObject({ code: "ABORTED" });
  });

  it("ends with the signal's reason though the source hangs", async () => {
    const controller = new AbortController();
    const source = streamThen(bytesOf(1500), () => new Promise(() => undefined));
    const reason = new ProviderError("ABORTED", "SIGTERM");
    setTimeout(() => {
      controller.abort(reason);
    }, 20);
    expect(await failureOf(cut(source, 1000, controller.signal))).toBe(reason);
    expect(source.destroyed).toBe(true);
  });
});
