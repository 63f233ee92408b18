/**
 * Bytes of streamed buffers after which the young ones that nobody holds any more are freed. With 8 MB, a run on a 0.9 GB
 * database took 3.7 s of processor time and 132 MB at its peak; left to V8, 5.7 s and 185 MB; 16 MB took 4.6 s and 141 MB.
 */
const EVERY = 8 * 1024 * 1024;

/**
 * There where the runner is started with `--expose-gc`, as all of its own command lines do; V8 does not take the switch
 * safely once it runs.
 */
const collect = globalThis.gc;

let since = 0;

/**
 * Counts bytes that were streamed, and frees their buffers from time to time.
 *
 * A collection of young objects alone takes half a millisecond, as next to none of them live. V8 does not see that it is worth
 * doing: the buffers' objects are small, and their memory is not its own. So it lets gigabytes of buffers grow old, and then
 * marks the whole heap again and again, on every core.
 */
export function streamed(bytes: number): void {
  since += bytes;
  if (since < EVERY || collect === undefined) return;
  since = 0;
  collect({ type: "minor" });
}
