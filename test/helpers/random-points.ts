import { randomInt } from "node:crypto";
import { expect } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import type { StorageSubject } from "../contract/storage.ts";
import { bytesOf, failingStream, streamThen } from "./bytes.ts";
import { failureOf } from "./failure.ts";
import { Random } from "./random.ts";
import { keysIn } from "./store.ts";

const MiB = 1024 * 1024;

/** What the random points follow from: another in each run, unless PROVISION_SEED says to do the same as in an earlier one. */
export const SEED = Number(process.env.PROVISION_SEED ?? randomInt(2 ** 31));

/** Where a source fails or stalls at random: within three requests. */
const lengthOf = (chunkBytes: number) => Math.round(2.5 * chunkBytes);

/** Uploads from sources that fail at random points: none hangs, and nothing is left. */
export async function failAtRandomPoints(subject: StorageSubject, chunkBytes: number, count: number): Promise<void> {
  const random = new Random(SEED);
  const bytes = bytesOf(lengthOf(chunkBytes), 7);
  const points = Array.from({ length: count }, (_, index) => ({
    // Half of them within the first MiB, where an upload begins.
    length: random.below(index % 2 === 0 ? MiB : bytes.length),
    pieceSize: 1 + random.below(150_000),
  }));
  await inTens(points, async ({ length, pieceSize }, index) => {
    const cause = new ProviderError("TRANSIENT", `cut at ${length}`);
    const source = failingStream(bytes.subarray(0, length), cause, Math.max(pieceSize, length / 50 + 1));
    expect(await failureOf(subject.storage.upload(`cut/${index}`, source)), `cut at ${length}`).toBe(cause);
  });
  expect(await keysIn(subject.storage)).toEqual([]);
  expect(await subject.unfinished()).toBe(0);
}

/** Uploads to a store with a short `stallTimeoutSeconds` from sources that stall at random points: each is given up, and nothing is left. */
export async function stallAtRandomPoints(subject: StorageSubject, chunkBytes: number, count: number): Promise<void> {
  const random = new Random(SEED);
  const bytes = bytesOf(lengthOf(chunkBytes), 7);
  // An eighth of them beyond the first MiB: what the others show, they show with less to send.
  const points = Array.from({ length: count }, (_, index) => random.below(index % 8 === 0 ? bytes.length : MiB));
  await inTens(points, async (length, index) => {
    const source = streamThen(bytes.subarray(0, length), () => new Promise(() => undefined), length / 50 + 1);
    const error = await failureOf(subject.storage.upload(`stall/${index}`, source));
    expect([error.code, error.message], `stalled at ${length}`).toEqual([
      "TRANSIENT",
      expect.stringContaining("stalled"),
    ]);
    expect(source.destroyed).toBe(true);
  });
  expect(await keysIn(subject.storage)).toEqual([]);
  expect(await subject.unfinished()).toBe(0);
}

/** Does the work for all of some values, ten at the same time. */
async function inTens<T>(values: readonly T[], work: (value: T, index: number) => Promise<void>): Promise<void> {
  for (let start = 0; start < values.length; start += 10) {
    await Promise.all(values.slice(start, start + 10).map((value, offset) => work(value, start + offset)));
  }
}
