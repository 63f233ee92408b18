import { LockHeldError, ProviderError } from "../../providers/errors.ts";

/** What the process's exit code says. */
export const EXIT = {
  done: 0,
  /** It could not be done: a store or a server cannot be reached or refuses, or Provision has a defect. */
  unexpected: 1,
  /** The configuration or the command line is wrong; nothing was done. */
  config: 2,
  /** Some destination failed, another has the backup. */
  partial: 3,
  noBackup: 4,
  /** A backup is not what it should be. A store that does not let it be read says nothing of it. */
  verification: 5,
  locked: 6,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** A signal of the operating system that ends a run cleanly. */
export type EndSignal = "SIGINT" | "SIGTERM";

/** A run that was aborted. */
export class InterruptedError extends ProviderError {
  override readonly name = "InterruptedError";
  readonly signal: EndSignal;

  constructor(signal: EndSignal) {
    super("ABORTED", `Interrupted by ${signal}.`);
    this.signal = signal;
  }
}

/**
 * The exit code for an error that ended a command.
 *
 * @param otherwise the code for a failure of the command's own work.
 */
export function exitCodeOf(error: unknown, otherwise: number): number {
  if (error instanceof InterruptedError) return EXIT[error.signal];
  if (error instanceof LockHeldError) return EXIT.locked;
  if (!(error instanceof ProviderError)) return EXIT.unexpected;
  switch (error.code) {
    case "CONFIG":
      return EXIT.config;
    case "INTEGRITY":
      return EXIT.verification;
    case "NOT_FOUND":
    case "CONFLICT":
      // A backup that does not exist, a target that is not empty: the command asked for what cannot be.
      return otherwise === EXIT.noBackup ? otherwise : EXIT.config;
    default:
      return otherwise;
  }
}
