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
 * Bytes of V8's space for young objects from which on {@link freeGrown} gives them back. With few tables the space has 10 to 15 MB at the
 * end of the questions. What is asked of 8,000 makes it 16 to 25 MB, and of 20,000 33 MB, nearly all of it empty, and V8 keeps that.
 */
const GROWN = 16 * 1024 * 1024;

/**
 * Bytes of manifests after whose reading all garbage is freed. To list ten backups of 20,000 tables, of 2 MB each, held 190 MB without
 * that, and holds 111 MB with it; freeing takes 0.1 s each time, and reading one 0.3 s.
 */
const READ = 2 * 1024 * 1024;

/** V8's collector. */
type Collect = NonNullable<typeof globalThis.gc>;

let opened: Collect | undefined;
let steady = false;
let total = 0;
let since = 0;
let read = 0;
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
  if (since < YOUNG) return;
  total += since;
  since = 0;
  if (held === undefined && total >= START) {
    freeAll(LAST_RESORT);
    return;
  }
  steadyCollector()({ type: "minor" });
  if (held === undefined || getHeapStatistics().external_memory < held + OLD) return;
  freeAll({ type: "major" });
}

/** Frees what was taken for the names of thousands of tables: by the questions, and by their manifest, before pg_dump reads for seconds. */
export function freeGrown(): void {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  if (young !== undefined && young.physical_space_size >= GROWN) collector()(LAST_RESORT);
}

/** Counts bytes of a manifest that was read, and frees from time to time what that took: ten to twenty times as many. */
export function manifestRead(bytes: number): void {
  read += bytes;
  if (read < READ) return;
  read = 0;
  collector()(LAST_RESORT);
}

/** Frees all garbage, and with it V8 gives back all memory that it does not need. */
const LAST_RESORT = { type: "major", flavor: "last-resort" } as const;

function freeAll(options: { readonly type: "major"; readonly flavor?: "last-resort" }): void {
  steadyCollector()(options);
  held = getHeapStatistics().external_memory;
}

/** The collector, for a run that streams: from here on, V8 lets its heap grow otherwise. */
function steadyCollector(): Collect {
  if (!steady) {
    steady = true;
    // V8 uses what was compiled under the same flags alone: what has been compiled so far is stored before they change.
    flushCompileCache();
    // Else V8 marks the small heap of a run that has freed all it can again and again: 72 times in the verification of 1.3 GB, which
    // took 4.4 s instead of 3.3. So the heap may grow to twice what lives in it.
    setFlagsFromString("--heap-growing-percent=100");
    // The space for young objects stays as it is. Else what lives while a manifest of 20,000 tables is read makes it grow from 2 to
    // 16 MB.
    setFlagsFromString("--semi-space-growth-factor=1");
  }
  return collector();
}

/**
 * V8's collector, which V8 gives to new contexts alone. On the command line its flag would cost each start 50 ms: with any of V8's
 * there, Node.js does not use what it has compiled of its own modules.
 */
function collector(): Collect {
  if (opened === undefined) {
    setFlagsFromString("--expose-gc");
    opened = runInNewContext("gc") as Collect;
    setFlagsFromString("--no-expose-gc");
  }
  return opened;
}
