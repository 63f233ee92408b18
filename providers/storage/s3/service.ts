import type { S3 } from "@aws-sdk/client-s3";
import { withRetries } from "../../retry.ts";
import { stallSeconds, watchedRequest } from "../../http/watched-request.ts";
import type { Call } from "../../http/watched-request.ts";
import { fromS3 } from "./errors.ts";
import type { Operation } from "./errors.ts";

/** What a request of the SDK is given. */
interface S3Call {
  readonly abortSignal: AbortSignal;
  /** To be called for each byte that moves. */
  readonly moved: Call["moved"];
  /** The number of the try, from 1. */
  readonly attempt: number;
}

/** A request of the SDK. */
export type SdkRequest<T> = (s3: S3, call: S3Call) => Promise<T>;

/** Options of {@link S3Service.request}. */
export interface CallOptions {
  /** Ends the call, and the tries. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the tries alone: a call that is under way is waited for, because its outcome matters. */
  readonly lastCall?: AbortSignal | undefined;
  /** Called before a request is made again. */
  readonly retried?: (() => void) | undefined;
  /** Default `request`: see {@link stallSeconds}. */
  readonly kind?: "request" | "commit";
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
  request<T>(operation: Operation, call: SdkRequest<T>, options: CallOptions = {}): Promise<T> {
    return withRetries((attempt) => this.once(operation, call, options, attempt), {
      retrySeconds: this.retrySeconds,
      signal: options.signal ?? options.lastCall,
      retried: options.retried,
    });
  }

  /** What a single try gives. Throws `ProviderError`. */
  async once<T>(operation: Operation, call: SdkRequest<T>, { signal, kind }: CallOptions, attempt: number): Promise<T> {
    const watched = {
      request: `request to ${operation.verb} ${operation.target}`,
      stallSeconds: stallSeconds(this.stallTimeoutSeconds, kind),
      signal,
    };
    try {
      return await watchedRequest(watched, ({ signal: abortSignal, moved }) =>
        call(this.#s3, { abortSignal, moved, attempt }),
      );
    } catch (error) {
      throw fromS3(error, operation);
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#s3.destroy();
  }
}
