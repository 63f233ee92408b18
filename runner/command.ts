import { ProviderError, toProviderError } from "../providers/errors.ts";
import { EXIT, exitCodeOf, InterruptedError, type EndSignal } from "./exit-codes.ts";
import { loadJob } from "./job.ts";
import { openLog, type LogOptions } from "./log.ts";
import { Redactor } from "./redact.ts";
import { Run } from "./run.ts";

/** Milliseconds that a run gets for telling of a defect of this program before its process ends. */
const DEFECT_MS = 5_000;

/** What a command did: what it prints, and how it ends. */
export interface Result {
  readonly json: unknown;
  readonly text: string;
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
  work: (run: Run) => Promise<Result>,
): Promise<never> {
  const redactor = new Redactor();
  const print = (text: string) => process.stdout.write(redactor.redact(text) + "\n");
  const end = endSignal();
  let defect = false;
  const exit = (code: number) => process.exit(defect ? EXIT.unexpected : code);
  // A defect must neither pass for success nor print a secret. The run is ended as by a signal, so that its monitors hear.
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error) => {
      process.stderr.write(
        redactor.redact(`${event}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`),
      );
      if (defect) return;
      defect = true;
      const message = error instanceof Error ? error.message : String(error);
      end.now(new ProviderError("INTERNAL", `A defect of this program ended the run: ${message}`, { cause: error }));
      setTimeout(exit, DEFECT_MS, EXIT.unexpected);
    });
  }
  try {
    const job = await loadJob(options.job, process.env);
    const base = { stack: job.stack, job: job.name };
    const log = await openLog({ level: options.logLevel, base, redactor, output: process.stderr });
    end.after(job.timeoutMinutes);
    const run = new Run({ job, log, signal: end.signal, redactor, environment: process.env });
    const result = await work(run);
    print(options.json ? JSON.stringify(result.json, null, 2) : result.text);
    return exit(result.exitCode);
  } catch (failed) {
    // Whatever failed after the run was told to end failed because of that.
    const error: unknown = end.signal.aborted ? end.signal.reason : failed;
    const { code, message, fix } = toProviderError(error);
    if (options.json) print(JSON.stringify({ error: { code, message, fix } }, null, 2));
    const lines = [`provision: ${message}`, ...(fix === undefined ? [] : [`Fix: ${fix}`])];
    if (!(error instanceof ProviderError) && error instanceof Error && error.stack) lines.push(error.stack);
    process.stderr.write(redactor.redact(lines.join("\n")) + "\n");
    return exit(exitCodeOf(error, failure));
  }
}

function endSignal() {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] satisfies EndSignal[]) {
    process.on(name, () => {
      // A second signal is from somebody who does not want to wait.
      if (controller.signal.aborted) process.exit(EXIT[name]);
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
          new ProviderError("ABORTED", `The run was ended after ${minutes} minutes.`, {
            fix: "Raise timeoutMinutes if the database has grown.",
          }),
        );
      }, minutes * 60_000).unref();
    },
  };
}
