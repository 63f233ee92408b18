import type { Readable, Writable } from "node:stream";
import { ByteMeter, type Measure, type SumKind } from "./meter.ts";
import { writePiece } from "./write-piece.ts";

/**
 * Bytes that are gathered before they are passed on. A program's output arrives in pieces of some 10 to 60 KiB, and each
 * that goes to the compressor costs a trip to the thread pool. Measured with a database of 2 GB on two cores: 10.7 s, and
 * 11.2 s with half of this and half of the compressor's output buffer; four times as much is no faster.
 */
const SLAB = 1024 * 1024;

/**
 * Sends a program's output to a compressor in large pieces, ends it, and measures what came, before it is copied: whatever reads
 * the object later finds out by the sum whether the copy was right. Two buffers take turns, one
 * filled while the other is compressed: fresh ones for gigabytes of data kept the garbage collector's threads as busy as
 * the compressor's. So the compressor must be done with a piece when it says so, as those of Node's zlib are.
 *
 * An error of the source destroys the compressor with it, and a compressor that is destroyed destroys the source.
 *
 * @param kind which sum the measure has.
 * @param progress called with the bytes so far, once a piece.
 */
export async function feed<Kind extends SumKind>(
  source: Readable,
  compressor: Writable,
  kind: Kind,
  progress: (bytes: number) => void,
): Promise<Measure<Kind>> {
  const meter = new ByteMeter(kind);
  let slab = Buffer.allocUnsafeSlow(SLAB);
  let other = Buffer.allocUnsafeSlow(SLAB);
  let filled = 0;
  let writing = Promise.resolve();
  const pass = async (): Promise<void> => {
    await writing;
    progress(meter.size);
    writing = writePiece(compressor, slab.subarray(0, filled));
    // A caller that waits for it hears of its failure; it may fail while nobody does.
    writing.catch(() => undefined);
    [slab, other] = [other, slab];
    filled = 0;
  };
  const giveUp = () => source.destroy();
  compressor.once("close", giveUp);
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      meter.update(chunk);
      for (let taken = 0; taken < chunk.length;) {
        const copied = chunk.copy(slab, filled, taken);
        taken += copied;
        filled += copied;
        if (filled === SLAB) await pass();
      }
    }
    await pass();
    await writing;
    compressor.end();
    return meter.finish();
  } catch (error) {
    compressor.destroy(error as Error);
    throw error;
  } finally {
    compressor.off("close", giveUp);
  }
}
