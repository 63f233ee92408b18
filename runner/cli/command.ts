import { ProviderError, toProviderError } from "../../providers/errors.ts";
import { counted } from "../../providers/fields/sizes.ts";
import { Display } from "../run/display.ts";
import { EXIT, exitCodeOf, InterruptedError, type EndSignal } from "../run/exit-codes.ts";
import { loadJob } from "../run/job.ts";
import { openLog, type LogOptions } from "../run/log.ts";
import { Redactor } from "../run/redact.ts";
import { Run } from "../run/run.ts";
import { inJson, onOneLine } from "../../providers/visible.ts";
import { endByForce } from "../run/watch/forced-end.ts";
import { leave } from "../run/watch/leave.ts";
import { Progress } from "../run/watch/progress.ts";

/** Milliseconds that a run gets for telling of a defect of its own before its process ends. */
const DEFECT_MS = 5_000;

/**
 * Milliseconds of a run before a thread watches whether its event loop is blocked. That costs 18 MB and, on a busy machine, 50 ms
 * of processor time, which a short run would feel.
 */
const WATCHED_MS = 5_000;

/** What a command did: what it prints, and how it ends. */
export interface Result {
  readonly json: unknown;
  /** What it prints for people; a line break inside of a line is part of a name. */
  readonly lines: readonly string[];
  readonly exitCode: number;
}

/** The options that every command on a job has. */
export interface JobOptions {
  /** The job's file. Default: the environment has the job. */
  readonly job?: string;
  /** Print the result as JSON. */
  readonly json?: boolean;
  readonly logLevel: LogOptions["level"];
}

/**
 * Runs a command on a job to its end: reads the job, ends the work at a signal or the job's time limit, prints the result
 * on the standard output and everything else on the standard error, and ends the process.
 *
 * @param failure the exit code where the work itself fails.
 */
export async function runCommand(
  options: JobOptions,
  failure: number,
  work: (run: Run, display: Display) => Promise<Result>,
): Promise<never> {
  const redactor = new Redactor();
  const printJson = (value: unknown) =>
    process.stdout.write(inJson(redactor.redact(JSON.stringify(value, null, 2))) + "\n");
  // A name may hold anything: each line is shown as one, so that none can pass for another or move the cursor.
  const visible = (lines: readonly string[]) => lines.map((line) => onOneLine(redactor.redact(line)) + "\n").join("");
  const end = endSignal();
  const progress = new Progress();
  let defect = false;
  const exit = (code: number, hangs = false) => leave(defect ? EXIT.unexpected : code, hangs);
  const report = (error: unknown) => {
    const { code, message, fix, lines } = toProviderError(error);
    if (options.json) printJson({ error: { code, message, fix } });
    const [first = "", ...others] = lines;
    const shown = [`provision: ${first}`, ...others, ...(fix === undefined ? [] : [`Fix: ${fix}`])];
    if (!(error instanceof ProviderError)) shown.push(...framesOf(error));
    process.stderr.write(visible(shown));
  };
  endByForce({
    signal: end.signal,
    progress,
    report,
    leave(cause) {
      exit(cause.code === "INTERNAL" ? EXIT.unexpected : exitCodeOf(cause, failure), true);
    },
  });
  // A defect must neither pass for success nor print a secret. The run is ended as by a signal, so that its monitors hear.
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error) => {
      process.stderr.write(
        visible([`${event}: ${error instanceof Error ? error.message : String(error)}`, ...framesOf(error)]),
      );
      if (defect) return;
      defect = true;
      const message = error instanceof Error ? error.message : String(error);
      end.now(new ProviderError("INTERNAL", `A defect of Provision ended the run: ${message}`, { cause: error }));
      setTimeout(exit, DEFECT_MS, EXIT.unexpected, true);
    });
  }
  try {
    const job = await loadJob(options.job, process.env);
    const base = { stack: job.stack, job: job.name };
    const log = await openLog({
      ...{ level: options.logLevel, base, redactor, output: process.stderr },
      progress: options.json !== true,
    });
    end.after(job.timeoutMinutes);
    setTimeout(() => {
      const ended = (code: number) => exit(code, true);
      void import("../run/watch/blocked-loop.ts").then(({ watchLoop }) => {
        watchLoop({ job, logLevel: options.logLevel, failure }, WATCHED_MS, progress, ended);
      });
    }, WATCHED_MS).unref();
    const run = await Run.open({
      job,
      file: options.job,
      log,
      signal: end.signal,
      redactor,
      environment: process.env,
      progress,
    });
    const result = await work(run, new Display(process.stdout));
    if (options.json) printJson(result.json);
    else process.stdout.write(visible(result.lines));
    await taken();
    return exit(result.exitCode);
  } catch (failed) {
    // What failed after the run was aborted failed because of that.
    const error: unknown = end.signal.aborted ? end.signal.reason : failed;
    // One that was ended on purpose may have left something behind, and says what.
    const told = failed instanceof ProviderError && failed.code === "ABORTED" ? failed : error;
    report(told);
    return exit(exitCodeOf(error, failure));
  }
}

/**
 * Waits until the standard output's reader has taken everything, or is gone: a process that ends before loses what does not fit into the
 * pipe. The job's time limit ends this, too.
 */
function taken(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      resolve();
    };
    process.stdout.once("error", done);
    process.stdout.write("", done);
  });
}

/** Where a defect arose, without its message. */
function framesOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return stack.split("\n").filter((line) => /^ {4}at /.test(line));
}

function endSignal() {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] satisfies EndSignal[]) {
    process.on(name, () => {
      // A second signal is from somebody who does not want to wait.
      if (controller.signal.aborted) leave(EXIT[name], true);
      controller.abort(new InterruptedError(name));
    });
  }
  return {
    signal: controller.signal,
    now(reason: ProviderError) {
      controller.abort(reason);
    },
    after(minutes: number) {
      setTimeout(() => {
        controller.abort(
          new ProviderError("ABORTED", `The run was ended after ${counted(minutes, "minute")}.`, {
            fix: "Raise timeoutMinutes if the database has grown.",
          }),
        );
      }, minutes * 60_000).unref();
    },
  };
}
