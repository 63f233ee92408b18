import { flushCompileCache } from "node:module";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes of streamed buffers after which the young ones that nobody holds any more are freed. With 8 MB, a run on a 0.9 GB
 * database took 3.7 s of processor time and 132 MB at its peak; left to V8, 5.7 s and 185 MB; 16 MB took 4.6 s and 141 MB.
 */
const YOUNG = 8 * 1024 * 1024;

/**
 * Bytes by which buffers may grow before the old ones that nobody holds any more are freed, too. A verified backup of 2 GB of
 * which most bytes repeat held 135 to 139 MB at its peak; left to V8, 142 to 157 MB; with 16 MB, 142 to 144 MB. With 8 MB, what a
 * verification holds at once passed for garbage, and 500 MB of documents took 0.24 s of collections.
 */
const OLD = 12 * 1024 * 1024;

/**
 * Streamed bytes after which V8 gives back what the start of a run took: modules that were compiled, and numbers of an encryption's
 * keys. That takes 50 ms, 2 % of a run of this size, and frees 12 MB, or 16 MB of a run that encrypts.
 */
const START = 256 * 1024 * 1024;

/**
 * Bytes of V8's space for young objects from which on that is done before the first byte is streamed. With few tables the space has 10
 * to 15 MB by then. What is asked of 8,000 makes it 16 to 25 MB, nearly all of it empty, and V8 keeps that: an encrypted and verified
 * backup held 144 to 146 MB, and holds 139 to 142 MB so.
 */
const GROWN = 16 * 1024 * 1024;

/** V8's collector. */
type Collect = NonNullable<typeof globalThis.gc>;

let collect: Collect | undefined;
let begun = false;
let total = 0;
let since = 0;
/** Bytes outside of V8's heap, buffers among them, when all garbage was last freed. */
let held: number | undefined;

/**
 * Counts bytes that were streamed, and frees their buffers from time to time.
 *
 * A collection of young objects alone takes half a millisecond, as next to none of them live. V8 does not see that it is worth
 * doing: the buffers' objects are small, and their memory is not its own. So it lets gigabytes of buffers grow old, and then
 * marks the whole heap again and again, on every core.
 *
 * Some grow old all the same: compressed bytes, where a piece of them stands for a hundred times as many plain ones. Freeing
 * those takes 25 ms.
 */
export function streamed(bytes: number): void {
  if (!begun) {
    begun = true;
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    if (young !== undefined && young.physical_space_size >= GROWN) freeAll({ type: "major", flavor: "last-resort" });
  }
  since += bytes;
  if (since < YOUNG) return;
  total += since;
  since = 0;
  if (held === undefined && total >= START) {
    freeAll({ type: "major", flavor: "last-resort" });
    return;
  }
  collect ??= openCollector();
  collect({ type: "minor" });
  if (held === undefined || getHeapStatistics().external_memory < held + OLD) return;
  freeAll({ type: "major" });
}

/** Frees all garbage; as a last resort, V8 also gives back all memory that it does not need. */
function freeAll(options: { readonly type: "major"; readonly flavor?: "last-resort" }): void {
  collect ??= openCollector();
  collect(options);
  held = getHeapStatistics().external_memory;
}

/**
 * Takes V8's collector, which V8 gives to new contexts alone. On the command line its flags would cost each start 50 ms: with any of
 * V8's there, Node.js does not use what it has compiled of its own modules.
 */
function openCollector(): Collect {
  // V8 uses what was compiled under the same flags alone: what has been compiled so far is stored before they change.
  flushCompileCache();
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  // Else V8 marks the small heap of a run that has freed all it can again and again: 72 times in the verification of 1.3 GB, which took
  // 4.4 s instead of 3.3. So the heap may grow to twice what lives in it.
  setFlagsFromString("--heap-growing-percent=100");
  return gc;
}
