import type { S3 } from "@aws-sdk/client-s3";
import { withRetries } from "../../retry.ts";
import { StallWatchdog } from "../watchdog.ts";
import { fromS3 } from "./errors.ts";
import type { Operation } from "./errors.ts";

/** Seconds without a byte after which one request is given up and made again. S3 answers most within a second. */
const REQUEST_STALL_SECONDS = 60;

/** What a call is given: its signal, and a function to call for each byte that moves. */
export interface Call {
  readonly abortSignal: AbortSignal;
  readonly moved: () => void;
  /** The number of the try, from 1. */
  readonly attempt: number;
}

/** Options of {@link S3Service.request}. */
export interface CallOptions {
  /** Ends the call, and the tries. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the tries alone: a call that is under way is waited for, because its outcome matters. */
  readonly lastCall?: AbortSignal | undefined;
  /** Seconds without a byte after which a call is given up. Default 60, or `stallTimeoutSeconds` if that is less. */
  readonly stallSeconds?: number;
}

/** A bucket, and how requests to it are made: with a time limit, tried again, and with errors that say what to do. */
export class S3Service {
  readonly bucket: string;
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
  readonly #s3: S3;

  constructor(s3: S3, bucket: string, settings: { retrySeconds: number; stallTimeoutSeconds: number }) {
    this.bucket = bucket;
    this.retrySeconds = settings.retrySeconds;
    this.stallTimeoutSeconds = settings.stallTimeoutSeconds;
    this.#s3 = s3;
  }

  /** What `call` gives, after as many tries as it takes. Throws `ProviderError`. */
  request<T>(operation: Operation, call: (s3: S3, call: Call) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { signal, lastCall, stallSeconds = Math.min(REQUEST_STALL_SECONDS, this.stallTimeoutSeconds) } = options;
    const tries = signal ?? lastCall;
    return withRetries(
      async (attempt) => {
        const watchdog = new StallWatchdog(`request to ${operation.verb} ${operation.target}`, stallSeconds, signal);
        try {
          watchdog.check();
          const moved = () => {
            watchdog.moved();
          };
          return await call(this.#s3, { abortSignal: watchdog.signal, moved, attempt });
        } catch (error) {
          watchdog.check();
          throw fromS3(error, operation);
        } finally {
          watchdog.stop();
        }
      },
      { retrySeconds: this.retrySeconds, ...(tries === undefined ? {} : { signal: tries }) },
    );
  }

  /** Ends all connections. */
  close(): void {
    this.#s3.destroy();
  }
}
