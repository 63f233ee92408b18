import { getHeapStatistics } from "node:v8";
import { LET_GROW } from "../../providers/environment.ts";

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

/** There where Node.js was started with `--expose-gc`. */
const collect = globalThis.gc;

/** Whether old garbage may be freed: without this flag, which schedules of earlier versions lack, V8 marks ever after. */
const freesOld = process.execArgv.includes(LET_GROW);

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
  since += bytes;
  if (since < YOUNG || collect === undefined) return;
  total += since;
  since = 0;
  if (freesOld && held === undefined && total >= START) {
    collect({ type: "major", flavor: "last-resort" });
    held = getHeapStatistics().external_memory;
    return;
  }
  collect({ type: "minor" });
  if (held === undefined || getHeapStatistics().external_memory < held + OLD) return;
  collect({ type: "major" });
  held = getHeapStatistics().external_memory;
}
