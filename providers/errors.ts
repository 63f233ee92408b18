/**
 * What can go wrong, by what a caller can do about it. Retries decide by the code alone.
 *
 * - `CONFIG`: the configuration is wrong; a person must change it.
 * - `AUTH`: the service refuses the credentials, or they lack a permission.
 * - `NOT_FOUND`: the object, folder or database does not exist.
 * - `CONFLICT`: something is there already that must not be overwritten, or somebody else holds the lock.
 * - `QUOTA`: the store is full.
 * - `RATE_LIMITED`: the service asks to come back later (`retryAfterMs`).
 * - `TRANSIENT`: a fault of the network or the service that may pass.
 * - `INTEGRITY`: bytes are not what they should be.
 * - `ABORTED`: the caller gave up (a signal, a time limit).
 * - `INTERNAL`: anything else; most likely a defect.
 */
export type ErrorCode =
  | "CONFIG"
  | "AUTH"
  | "NOT_FOUND"
  | "CONFLICT"
  | "QUOTA"
  | "RATE_LIMITED"
  | "TRANSIENT"
  | "INTEGRITY"
  | "ABORTED"
  | "INTERNAL";

/** The optional parts of a {@link ProviderError}. */
export interface ProviderErrorOptions {
  /** The error of the SDK or the operating system. It stays inside: only its message may be shown. */
  readonly cause?: unknown;
  /** What a person should do, as a sentence. */
  readonly fix?: string | undefined;
  /** More of the message, a line each. A line break inside of a line is part of a name, and never one for people. */
  readonly details?: readonly string[];
  /** How long the service asked to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** The one error that leaves a provider: what went wrong, with a code to decide by and a fix to act on. */
export class ProviderError extends Error {
  override readonly name: string = "ProviderError";
  readonly code: ErrorCode;
  readonly fix: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** The message, line by line. */
  readonly lines: readonly string[];

  constructor(code: ErrorCode, message: string, options: ProviderErrorOptions = {}) {
    const lines = [message, ...(options.details ?? [])];
    super(lines.join("\n"), options.cause === undefined ? undefined : { cause: options.cause });
    this.lines = lines;
    this.code = code;
    this.fix = options.fix;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The lock in the database that keeps runs of one job apart. */
const SESSION_LOCK = {
  what: "its lock",
  fix:
    "Wait for that run to end. If none is going, its session is stuck: end it by SELECT pg_terminate_backend(…) with its process " +
    "number, which pg_stat_activity has beside application_name 'provision'.",
};

/** The other run of the same job is still going; nothing was done. */
export class LockHeldError extends ProviderError {
  override readonly name = "LockHeldError";

  /**
   * @param holder who holds it, as far as that is known: `process 4711, role "backup"`
   * @param held what is held, and what a person should do; left out for the lock in the database
   */
  constructor(job: string, holder?: string, held: { readonly what: string; readonly fix: string } = SESSION_LOCK) {
    const by = holder === undefined ? "" : `: ${holder}`;
    super("CONFLICT", `Another run of ${job} holds ${held.what}${by}.`, { fix: held.fix });
  }
}

/** The store keeps the object for a time, as its configuration or the bucket's wants it: it cannot be removed yet. */
export class ObjectLockedError extends ProviderError {
  override readonly name = "ObjectLockedError";

  constructor(message: string, cause?: unknown) {
    super("AUTH", message, {
      cause,
      fix: "Wait until the lock has ended: prune removes it then. Keep retention at least as long as objectLock.days.",
    });
  }
}

/** The error itself if it is a {@link ProviderError}, else an `INTERNAL` one around it. */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  return new ProviderError("INTERNAL", error instanceof Error ? error.message : String(error), { cause: error });
}

/** A message, and what is to be done, as one text. */
export function withFix({ message, fix }: { readonly message: string; readonly fix?: string | undefined }): string {
  return fix === undefined ? message : `${message} Fix: ${fix}`;
}

/** A failure in other words. Its code stays, and its fix unless there is a better one. */
export function reworded(error: unknown, message: (own: string) => string, fix?: string): ProviderError {
  const problem = toProviderError(error);
  return new ProviderError(problem.code, message(problem.message), { cause: error, fix: fix ?? problem.fix });
}

/** The `ABORTED` error for a signal; a `ProviderError` that was given as the signal's reason is kept. */
export function abortedError(signal: AbortSignal): ProviderError {
  const reason: unknown = signal.reason;
  if (reason instanceof ProviderError) return reason;
  return new ProviderError("ABORTED", "The operation was aborted.", { cause: reason });
}
