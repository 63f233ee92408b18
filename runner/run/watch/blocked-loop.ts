import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { Worker } from "node:worker_threads";
import type { JobConfig } from "../../../providers/config.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { counted } from "../../../providers/fields/sizes.ts";
import { onOneLine } from "../../../providers/visible.ts";
import { openLog, type LogOptions } from "../log.ts";
import { Redactor } from "../redact.ts";
import { Run } from "../run.ts";
import { FLUSH_MS, forcedEnd, GRACE_MS } from "./forced-end.ts";
import { Progress, type ProgressState } from "./progress.ts";

// The event loop of a run may be blocked, by a regular expression that never comes to an end for instance. Then no timer and no
// signal ends the run: a thread of its own must.

/** Milliseconds by which the loop itself goes first with its end by force. */
const MARGIN_MS = 10_000;

/** Milliseconds that the thread gets for telling the monitors; after that the process is killed. */
const LAST_MS = 15_000;

/** Emitted by the process, with the exit code, when the thread has reported to the monitors. */
const LEAVE = "provision:leave";

/** All that the thread does before the time has come: it loads nothing that costs memory. */
const WAITING = `
const { parentPort, workerData } = require("node:worker_threads");
let state;
parentPort.on("message", (message) => { state = message; });
setTimeout(() => import(workerData.module).then(({ endBlocked }) => endBlocked(workerData, state)), workerData.afterMs);
`;

/** What the thread needs to tell the monitors of the job. */
export interface BlockedRun {
  readonly job: JobConfig;
  readonly logLevel: LogOptions["level"];
  /** The exit code where the work itself fails. */
  readonly failure: number;
}

/**
 * Lets a thread end the run where its event loop is blocked, and the run has gone on for its time limit, {@link GRACE_MS} and a
 * little.
 *
 * @param elapsedMs how long the run has taken so far.
 * @param leave ends the process.
 */
export function watchLoop(run: BlockedRun, elapsedMs: number, progress: Progress, leave: (code: number) => void): void {
  (process as NodeJS.EventEmitter).once(LEAVE, leave);
  const afterMs = run.job.timeoutMinutes * 60_000 + GRACE_MS + MARGIN_MS - elapsedMs;
  const workerData = { ...run, afterMs, module: import.meta.url };
  const worker = new Worker(WAITING, { eval: true, workerData });
  // It waits for the run, not the run for it, and a fault of its own harms nobody.
  worker.unref();
  worker.on("error", () => undefined);
  progress.watch((state) => {
    worker.postMessage(state);
  });
}

/**
 * Called in the thread: tells the monitors of the job, and ends the process.
 *
 * @public
 */
export async function endBlocked({ job, logLevel, failure }: BlockedRun, state: ProgressState): Promise<void> {
  setTimeout(() => process.kill(process.pid, "SIGKILL"), LAST_MS);
  const what = `The run was ended after ${counted(job.timeoutMinutes, "minute")}. It was ended by force, as its event loop was blocked.`;
  const error = forcedEnd(what, state.steps, new ProviderError("ABORTED", what));
  writeSync(2, `provision: ${onOneLine(error.message)}\nFix: ${error.fix ?? ""}\n`);
  try {
    await tell(job, logLevel, error, state);
  } finally {
    await leaveThroughMain(failure);
  }
}

async function tell(job: JobConfig, level: LogOptions["level"], error: ProviderError, state: ProgressState) {
  const redactor = new Redactor();
  // What a thread writes to its process.stderr passes through the loop that is blocked.
  const output = new Writable({
    write(line: Buffer, _encoding, done) {
      writeSync(2, line);
      done();
    },
  });
  const log = await openLog({ level, base: { stack: job.stack, job: job.name }, redactor, output });
  const { signal } = new AbortController();
  const progress = new Progress(state);
  const run = new Run({ job, log, signal, redactor, environment: process.env, progress });
  await run.openTelemetry();
  await progress.fail(error, FLUSH_MS);
}

/** Interrupts what the main thread does: a thread cannot give its process an exit code, nor end its programs. */
async function leaveThroughMain(code: number): Promise<void> {
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  session.connectToMainThread();
  await session.post("Runtime.evaluate", { expression: `process.emit(${JSON.stringify(LEAVE)}, ${code})` });
}
