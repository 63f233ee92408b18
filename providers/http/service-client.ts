import { ProviderError } from "../errors.ts";
import { withRetries } from "../retry.ts";
import { stallSeconds, watchedRequest, type Call } from "./watched-request.ts";

/** What a request does, for messages, and what ends it. */
export interface CallOptions {
  /** As the object of `Cannot`: `upload a/b`. */
  readonly action: string;
  readonly signal: AbortSignal | undefined;
  /** Called for each piece of a body that moves. */
  readonly moved?: (() => void) | undefined;
  /** Called before a request is made again. */
  readonly retried?: (() => void) | undefined;
  /** Default `request`: see {@link stallSeconds}. */
  readonly kind?: "request" | "commit";
}

/** What all clients of HTTP services share: a limit to each request's silence, and more tries where a failure may pass. */
export abstract class ServiceClient {
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
  readonly #closed = new AbortController();

  constructor({ retrySeconds, stallTimeoutSeconds }: { retrySeconds: number; stallTimeoutSeconds: number }) {
    this.retrySeconds = retrySeconds;
    this.stallTimeoutSeconds = stallTimeoutSeconds;
  }

  /** The result of the work, after as many tries as it takes; see {@link withRetries}. */
  retry<Result>(
    work: (attempt: number) => Promise<Result>,
    { signal, retried }: Pick<CallOptions, "signal" | "retried">,
  ): Promise<Result> {
    return withRetries(work, { retrySeconds: this.retrySeconds, signal, retried });
  }

  /** Ends everything that is under way. */
  close(): void {
    this.#closed.abort(new ProviderError("ABORTED", "The store was closed."));
  }

  /** A single try of a request, which is watched. */
  protected watched<Result>(
    { action, signal, moved, kind }: CallOptions,
    work: (call: Call) => Promise<Result>,
  ): Promise<Result> {
    const watched = {
      request: `request to ${action}`,
      stallSeconds: stallSeconds(this.stallTimeoutSeconds, kind),
      signal: signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]),
      moved,
    };
    return watchedRequest(watched, work);
  }
}
