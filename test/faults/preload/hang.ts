/**
 * Loaded before a program (`node --import`): lets minutes pass in seconds, and hangs where a file of a certain name is read.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import threads, { type WorkerOptions } from "node:worker_threads";

/** Timers of so many milliseconds and more are {@link FASTER} times as fast. */
const LONG_MS = 25_000;
const FASTER = 10;

const { setTimeout: real } = globalThis;
const faster = (act: () => void, ms = 0, ...args: []) => real(act, ms < LONG_MS ? ms : ms / FASTER, ...args);
globalThis.setTimeout = Object.assign(faster, real);

/** When the loop is blocked, in milliseconds after the file is read: the thread that watches the loop is there by then. */
const BLOCKED_MS = 8_000;

const { readFile } = fs.promises;
const hanging = (file: unknown, ...rest: []): Promise<unknown> => {
  if (typeof file !== "string" || !/\/(never|blocked)$/.test(file)) return readFile(file as string, ...rest);
  if (file.endsWith("blocked")) {
    real(() => {
      for (;;);
    }, BLOCKED_MS);
  }
  return new Promise(() => undefined);
};
Object.assign(fs.promises, { readFile: hanging });

/** A thread does not load this: what it is to wait is divided before. */
class Faster extends threads.Worker {
  constructor(source: string, options: WorkerOptions) {
    const data = options.workerData as { afterMs: number };
    super(source, { ...options, workerData: { ...data, afterMs: data.afterMs / FASTER } });
  }
}
Object.assign(threads, { Worker: Faster });
syncBuiltinESMExports();
