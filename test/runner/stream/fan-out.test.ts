import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { FanOut } from "../../../runner/stream/fan-out.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf } from "../../helpers/bytes.ts";

const MIB = 1024 * 1024;
const PIECE = 128 * 1024;
const LONG_MS = 30_000;

function branch(fan: FanOut, index: number): Readable {
  const found = fan.branches[index];
  if (!found) throw new RangeError(`no branch ${index}`);
  return found;
}

/** How a promise ended: its value, or its error. */
function outcome<T>(promise: Promise<T>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** Takes some pieces slowly, one by one, and then the rest. */
class SlowSink extends Writable {
  readonly #hash = createHash("sha256");
  readonly #slowPieces: number;
  readonly #pauseMs: number;
  #pieces = 0;
  #size = 0;

  constructor(slowPieces: number, pauseMs: number) {
    super({ highWaterMark: 1 });
    this.#slowPieces = slowPieces;
    this.#pauseMs = pauseMs;
  }

  get digest(): string {
    return `${this.#size} ${this.#hash.digest("hex")}`;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#hash.update(chunk);
    this.#size += chunk.length;
    this.#pieces += 1;
    setTimeout(done, this.#pieces <= this.#slowPieces ? this.#pauseMs : 0);
  }
}

it.each([0, 1, 10 * MIB])("gives %i bytes to every branch and measures them", async (size) => {
  const fan = new FanOut(3, LONG_MS);
  const digests = fan.branches.map((each) => digestOf(each));
  await pipeline(streamOf(bytesOf(size), PIECE), fan);
  const { size: measured, sha256 } = fan.finish();
  expect(await Promise.all(digests)).toEqual(Array(3).fill(digest(bytesOf(size))));
  expect(`${measured} ${sha256}`).toBe(digest(bytesOf(size)));
});

it("holds the source up while a branch is not read, and keeps little of it in memory", async () => {
  let produced = 0;
  const source = Readable.from(
    (function* () {
      for (let piece = 0; piece < 512; piece += 1) {
        produced += PIECE;
        yield bytesOf(PIECE, piece % 256);
      }
    })(),
    { objectMode: false },
  );
  const fan = new FanOut(2, LONG_MS);
  const fast = digestOf(branch(fan, 0));
  const done = pipeline(source, fan);
  let before = -1;
  while (produced > before) {
    before = produced;
    await sleep(100);
  }
  expect(produced).toBeLessThan(8 * MIB);
  const slow = digestOf(branch(fan, 1));
  await done;
  expect(produced).toBe(64 * MIB);
  expect(await slow).toBe(await fast);
});

it("drops a branch that accepts nothing, and the others get everything", async () => {
  const fan = new FanOut(3, 200);
  const error = once(branch(fan, 1), "error");
  const digests = [0, 2].map((index) => digestOf(branch(fan, index)));
  await pipeline(streamOf(bytesOf(20 * MIB), PIECE), fan);
  expect((await error)[0]).toMatchObject({ code: "TRANSIENT", message: "The destination accepted nothing for 0.2 s." });
  expect(await Promise.all(digests)).toEqual(Array(2).fill(digest(bytesOf(20 * MIB))));
  expect(fan.abandoned).toBe(false);
});

it("keeps a branch that is slow but goes on", async () => {
  // 128 KiB each 25 ms: what is buffered alone takes four times the patience.
  const fan = new FanOut(2, 200);
  const fast = digestOf(branch(fan, 0));
  const sink = new SlowSink(60, 25);
  const slow = pipeline(branch(fan, 1), sink);
  await pipeline(streamOf(bytesOf(12 * MIB), PIECE), fan);
  await slow;
  expect(sink.digest).toBe(await fast);
});

it("goes on without a branch that fails", async () => {
  const fan = new FanOut(2, LONG_MS);
  const healthy = digestOf(branch(fan, 0));
  branch(fan, 1).once("data", () => branch(fan, 1).destroy(new Error("the disk is full")));
  await pipeline(streamOf(bytesOf(10 * MIB), PIECE), fan);
  expect(await healthy).toBe(digest(bytesOf(10 * MIB)));
});

it("gives up when no branch is left", async () => {
  const fan = new FanOut(2, LONG_MS);
  for (const each of fan.branches) each.once("data", () => each.destroy(new Error("the disk is full")));
  const source = streamOf(bytesOf(10 * MIB), PIECE);
  await expect(pipeline(source, fan)).rejects.toMatchObject({ code: "ABORTED" });
  expect(fan.abandoned).toBe(true);
  expect(source.destroyed).toBe(true);
});

it("hands the source's failure to every branch, so that none takes what it has for the whole", async () => {
  const fan = new FanOut(2, LONG_MS);
  const reads = fan.branches.map((each) => outcome(buffer(each)));
  const failure = new Error("pg_dump exited with 1");
  await expect(pipeline(failingStream(bytesOf(MIB), failure, PIECE), fan)).rejects.toBe(failure);
  expect(await Promise.all(reads)).toEqual([failure, failure]);
  expect(fan.abandoned).toBe(false);
});
