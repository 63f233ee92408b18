import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import type { SupabaseClient as Sdk } from "@supabase/supabase-js";
import { abortedError, ProviderError } from "../../errors.ts";
import { withRetries } from "../../retry.ts";
import { StallWatchdog } from "../watchdog.ts";
import { AnswerError, fromAnswer, unreachable } from "./errors.ts";
import { answerOf, send } from "./http.ts";
import type { Outgoing } from "./http.ts";

/** Seconds without a byte after which one request is given up and made again. The service answers most within a second. */
const REQUEST_STALL_SECONDS = 60;

/** Options of {@link SupabaseClient}. */
export interface ClientOptions {
  /** The project's URL. */
  readonly url: string;
  readonly key: string;
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
}

/** What a request does, for messages, and what ends it. */
export interface CallOptions {
  /** As the object of `Cannot`: `upload a/b`. */
  readonly action: string;
  readonly signal: AbortSignal | undefined;
  /** Called for each piece of a body that goes. */
  readonly moved?: (() => void) | undefined;
  /** Seconds without a byte after which one request is given up. Default 60, or `stallTimeoutSeconds` if that is less. */
  readonly stallSeconds?: number;
}

/** The storage part of the SDK. */
type SdkStorage = Sdk["storage"];

/** A request of the SDK, which returns errors instead of throwing them. */
export type SdkRequest<Data> = (
  storage: SdkStorage,
) => Promise<{ readonly data: Data | null; readonly error: Error | null }>;

/** A request under way. */
interface Call {
  readonly signal: AbortSignal;
  readonly moved: () => void;
  /** Why it failed, which the SDK tells only in part. */
  failure?: unknown;
}

/**
 * Makes requests to a project's Storage: with the key in headers alone, with a limit to their silence, again where they fail
 * for a passing reason. Every error is a `ProviderError`.
 */
export class SupabaseClient {
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #storage: SdkStorage;
  readonly #calls = new AsyncLocalStorage<Call>();
  readonly #closed = new AbortController();

  private constructor(createClient: typeof import("@supabase/supabase-js").createClient, options: ClientOptions) {
    const { url, key } = options;
    this.retrySeconds = options.retrySeconds;
    this.stallTimeoutSeconds = options.stallTimeoutSeconds;
    this.#base = storageUrl(url);
    // As the SDK does; the newer keys are no tokens, but the service takes them in the same places.
    this.#headers = { apikey: key, authorization: `Bearer ${key}` };
    const { storage } = createClient(url, key, {
      // Without it the SDK would look for a user's session.
      accessToken: () => Promise.resolve(key),
      global: { fetch: (input, init) => this.#fetch(String(input as string | URL), init) },
      storage: { useNewHostname: true },
    });
    this.#storage = storage;
  }

  /** Loads the SDK. */
  static async open(options: ClientOptions): Promise<SupabaseClient> {
    const { createClient } = await import("@supabase/supabase-js");
    return new SupabaseClient(createClient, options);
  }

  /** What the service gives to a request of the SDK, after as many tries as it takes. */
  call<Data>(request: SdkRequest<Data>, options: CallOptions): Promise<Data> {
    return this.retry(() => this.once(request, options), options.signal);
  }

  /** What the service gives to a single try of a request of the SDK. */
  once<Data>(request: SdkRequest<Data>, options: CallOptions): Promise<Data> {
    return this.#watched(options, async (call) => {
      const { data, error } = await this.#calls.run(call, () => request(this.#storage));
      if (data === null) throw (call.failure ?? error) as Error;
      return data;
    });
  }

  /**
   * The response to a single try of a request that the SDK does not have.
   *
   * @param path below `/storage/v1`
   * @param expected the statuses that are no failure
   */
  send(
    path: string,
    outgoing: Pick<Outgoing, "method" | "headers" | "body">,
    expected: readonly number[],
    options: CallOptions,
  ): Promise<IncomingMessage> {
    return this.#watched(options, async ({ signal, moved }) => {
      const headers = { ...outgoing.headers, ...this.#headers };
      const response = await send(this.#base + path, { ...outgoing, headers, signal, moved });
      if (expected.includes(response.statusCode ?? 0)) return response;
      throw new AnswerError(await answerOf(response));
    });
  }

  /** What the work gives, after as many tries as it takes. */
  retry<Result>(work: (attempt: number) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    return withRetries(work, { retrySeconds: this.retrySeconds, ...(signal === undefined ? {} : { signal }) });
  }

  /** Ends everything that is under way. */
  close(): void {
    this.#closed.abort(new ProviderError("ABORTED", "The store was closed."));
  }

  async #watched<Result>(options: CallOptions, work: (call: Call) => Promise<Result>): Promise<Result> {
    const { action, signal, stallSeconds = Math.min(REQUEST_STALL_SECONDS, this.stallTimeoutSeconds) } = options;
    const outer = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    const watchdog = new StallWatchdog(`request to ${action}`, stallSeconds, outer);
    const moved = () => {
      watchdog.moved();
      options.moved?.();
    };
    try {
      watchdog.check();
      return await work({ signal: watchdog.signal, moved });
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      if (error instanceof AnswerError) throw fromAnswer(error.answer, action);
      if (watchdog.signal.aborted) throw abortedError(watchdog.signal);
      throw unreachable(error, action);
    } finally {
      watchdog.stop();
    }
  }

  /** What the SDK takes for `fetch`. */
  async #fetch(url: string, init: RequestInit | undefined): Promise<Response> {
    const call = this.#calls.getStore();
    if (call === undefined) throw new TypeError("The SDK makes a request of its own accord.");
    try {
      const answer = await answerOf(
        await send(url, {
          method: init?.method ?? "GET",
          headers: Object.fromEntries(new Headers(init?.headers)),
          body: (init?.body ?? "") as Buffer | string,
          ...call,
        }),
      );
      if (answer.status !== 200) throw new AnswerError(answer);
      // A page of a proxy would be a mere message to the SDK.
      JSON.parse(answer.text);
      return new Response(answer.text, { status: 200 });
    } catch (error) {
      call.failure = error instanceof SyntaxError ? notSupabase() : error;
      throw error;
    }
  }
}

/** Projects at Supabase have a host of their own for storage, which takes larger objects. Other hosts are left alone. */
export function storageUrl(url: string): string {
  const base = url.replace(/\/$/, "").replace(/^(https:\/\/[a-z0-9]{20})\.(supabase\.(?:co|in|red))$/, "$1.storage.$2");
  return `${base}/storage/v1`;
}

function notSupabase(): ProviderError {
  return new ProviderError("TRANSIENT", "The answer is not one of Supabase's.", {
    fix: "Look at url of the destination, and whether a proxy answers in its place.",
  });
}
